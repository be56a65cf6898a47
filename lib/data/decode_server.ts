/**
 * What runs in a worker of `Decoder`: one file at a time, see {@linkcode DecodeRequest} and
 * {@linkcode DecodeReply}.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { CodecError, loadCodec } from "./codecs.ts";
import type { DecodeReply, DecodeRequest } from "./decoder.ts";
import type { Picture } from "./image.ts";
import { readPictureFile } from "./picture_file.ts";

/**
 * Answers requests in this worker.
 *
 * @param answer Makes the picture that is sent back, which may carry more than a picture; the buffer of its data
 * is given away. What it throws is the reason why there is none; a CodecError ends it all.
 */
export function serveDecoding(
  answer: (file: Uint8Array, request: DecodeRequest) => Promise<Picture>,
): void {
  const scope = self as unknown as {
    onmessage: (event: MessageEvent<DecodeRequest>) => void;
    postMessage(message: DecodeReply, transfer: Transferable[]): void;
  };
  scope.onmessage = async ({ data: request }) => {
    const { source } = request;
    try {
      const file = typeof source === "string" ? await readPictureFile(source) : source;
      const picture = await answer(file, request);
      scope.postMessage({ picture }, [picture.data.buffer]);
    } catch (error) {
      if (error instanceof CodecError) return scope.postMessage({ failed: error.message }, []);
      // Not only our own errors: a file may be too large for the memory of WebAssembly.
      const known = error instanceof HatchlingError;
      scope.postMessage({ reason: known ? error.message : String(error) }, []);
    }
  };
  // The first message of all: whether files can be decoded here. WebP is loaded when the first one is met.
  Promise.all([loadCodec("PNG"), loadCodec("JPEG")]).then(
    () => scope.postMessage({ ready: true }, []),
    (error) => scope.postMessage({ failed: String(error.message) }, []),
  );
}
