/**
 * The decoding worker: one file at a time, see {@linkcode DecodeRequest} and {@linkcode DecodeReply}.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { decodePicture, loadCodecs } from "./decode.ts";
import type { DecodeReply, DecodeRequest } from "./decoder.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<DecodeRequest>) => void;
  postMessage(message: DecodeReply, transfer: Transferable[]): void;
};

scope.onmessage = async ({ data: { source, maxPixels } }) => {
  try {
    const file = typeof source === "string" ? await Deno.readFile(source) : source;
    const picture = await decodePicture(file, maxPixels);
    scope.postMessage({ picture }, [picture.data.buffer]);
  } catch (error) {
    // Not only our own errors: a file may be unreadable, or too large for the memory of WebAssembly.
    const known = error instanceof HatchlingError;
    scope.postMessage({ reason: known ? error.message : String(error) }, []);
  }
};

// The first message of all: whether files can be decoded here.
loadCodecs().then(
  () => scope.postMessage({ ready: true }, []),
  (error) => scope.postMessage({ failed: String(error.message) }, []),
);
