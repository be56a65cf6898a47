/**
 * Looks at a picture file as closely as a check does: decodes it, and tells it from others.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { decodePicture } from "../../lib/data/decode.ts";
import { readHeader, readOrientation } from "../../lib/data/header.ts";
import type { Picture } from "../../lib/data/image.ts";
import { factsOf, type FileFacts } from "./facts.ts";

/** What a check knows of a sound file. The data of the picture are not kept. */
export interface Examined extends Picture, FileFacts {
  /** Format by its contents. */
  format: "PNG" | "JPEG" | "GIF" | "WebP";
  /** Whether EXIF says that it is to be turned or mirrored. */
  turned: boolean;
  /** SHA-256 of the file. */
  sha256: string;
  /** SHA-256 of its size and pixels, when they were asked for. */
  pixels?: string;
  /** Whether red, green and blue are the same everywhere. */
  gray: boolean;
  /** Whether all of its pixels are the same. */
  flat: boolean;
}

/**
 * Decodes a file at its full size.
 *
 * @param file Its contents.
 * @param deep Whether to hash the pixels too.
 * @throws {HatchlingError} with the reason when it is damaged.
 */
export async function examine(file: Uint8Array, deep: boolean): Promise<Examined> {
  const { format } = readHeader(file, true)!;
  const { width, height, data } = await decodePicture(file, Infinity);
  return {
    ...factsOf(file, format),
    format,
    width,
    height,
    turned: readOrientation(file, format) > 1,
    sha256: hash(file),
    pixels: deep ? hash(Uint32Array.of(width, height), data) : undefined,
    gray: isGray(data),
    flat: isFlat(data),
    data: new Uint8Array(),
  };
}

function hash(...parts: (Uint8Array | Uint32Array)[]): string {
  const all = createHash("sha256");
  for (const part of parts) all.update(part);
  return all.digest("base64");
}

/** Ends at the first colour, which in a photograph is almost at once. */
function isGray(rgba: Uint8Array): boolean {
  for (let i = 0; i < rgba.length; i += 4) {
    if (rgba[i] !== rgba[i + 1] || rgba[i] !== rgba[i + 2]) return false;
  }
  return true;
}

function isFlat(rgba: Uint8Array): boolean {
  for (let i = 4; i < rgba.length; i++) if (rgba[i] !== rgba[i - 4]) return false;
  return true;
}
