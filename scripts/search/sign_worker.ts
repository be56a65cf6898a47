/**
 * A worker of `Decoder` that answers with a picture's size, its signature and the hash of its file.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { CodecError, loadCodec } from "../../lib/data/codecs.ts";
import { decodePicture } from "../../lib/data/decode.ts";
import type { DecodeReply, DecodeRequest } from "../../lib/data/decoder.ts";
import type { Picture } from "../../lib/data/image.ts";
import { readPictureFile } from "../../lib/data/picture_file.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { signatureOf } from "./signature.ts";

/** What the worker gives in the place of a picture: `data` is the signature. */
export interface Signed extends Picture {
  /** SHA-256 of the file. */
  sha256: string;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<DecodeRequest>) => void;
  postMessage(message: DecodeReply): void;
};

scope.onmessage = async ({ data: { source } }) => {
  try {
    const file = typeof source === "string" ? await readPictureFile(source) : source;
    const picture = await decodePicture(file, Infinity);
    const { width, height } = picture;
    const sha256 = createHash("sha256").update(file).digest("hex");
    const signed: Signed = { width, height, data: signatureOf(picture), sha256 };
    scope.postMessage({ picture: signed });
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
