/**
 * A worker of `Decoder` that answers with a picture's size, its signature and the hash of its file.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { decodePicture } from "../data/decode.ts";
import { serveDecoding } from "../data/decode_server.ts";
import type { Picture } from "../data/image.ts";
import { signatureOf } from "./signature.ts";

/** What the worker gives in the place of a picture: `data` is the signature. */
export interface Signed extends Picture {
  /** SHA-256 of the file. */
  sha256: string;
}

serveDecoding(async (file): Promise<Signed> => {
  const picture = await decodePicture(file, Infinity);
  const { width, height } = picture;
  const sha256 = createHash("sha256").update(file).digest("hex");
  return { width, height, data: signatureOf(picture), sha256 };
});
