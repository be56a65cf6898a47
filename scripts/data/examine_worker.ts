/**
 * A worker of `Decoder` that answers with facts instead of pixels; with "?deep" behind its URL it compares
 * pixels too.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { CodecError, loadCodec } from "../../lib/data/codecs.ts";
import type { DecodeReply, DecodeRequest } from "../../lib/data/decoder.ts";
import { readPictureFile } from "../../lib/data/picture_file.ts";
import { examine } from "./examine.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<DecodeRequest>) => void;
  postMessage(message: DecodeReply): void;
};
const deep = new URL(import.meta.url).search === "?deep";

scope.onmessage = async ({ data: { source } }) => {
  try {
    const file = typeof source === "string" ? await readPictureFile(source) : source;
    scope.postMessage({ picture: await examine(file, deep) });
  } catch (error) {
    if (error instanceof CodecError) return scope.postMessage({ failed: error.message });
    const known = error instanceof HatchlingError;
    scope.postMessage({ reason: known ? error.message : String(error) });
  }
};

Promise.all([loadCodec("PNG"), loadCodec("JPEG"), loadCodec("GIF")]).then(
  () => scope.postMessage({ ready: true }),
  (error) => scope.postMessage({ failed: String(error.message) }),
);
