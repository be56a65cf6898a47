/**
 * The decoding worker: one file at a time, see {@linkcode DecodeRequest} and {@linkcode DecodeReply}.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { CodecError, loadCodec } from "./codecs.ts";
import { decodePicture } from "./decode.ts";
import type { DecodeReply, DecodeRequest } from "./decoder.ts";
import { readPictureFile } from "./picture_file.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<DecodeRequest>) => void;
  postMessage(message: DecodeReply, transfer: Transferable[]): void;
};

scope.onmessage = async ({ data: { source, maxPixels, channels } }) => {
  try {
    const file = typeof source === "string" ? await readPictureFile(source) : source;
    const picture = await decodePicture(file, maxPixels, channels);
    scope.postMessage({ picture }, [picture.data.buffer]);
  } catch (error) {
    if (error instanceof CodecError) return scope.postMessage({ failed: error.message }, []);
    // Not only our own errors: a file may be unreadable, or too large for the memory of WebAssembly.
    const known = error instanceof HatchlingError;
    scope.postMessage({ reason: known ? error.message : String(error) }, []);
  }
};

// The first message of all: whether files can be decoded here. WebP is loaded when the first one is met.
Promise.all([loadCodec("PNG"), loadCodec("JPEG"), loadCodec("GIF")]).then(
  () => scope.postMessage({ ready: true }, []),
  (error) => scope.postMessage({ failed: String(error.message) }, []),
);
