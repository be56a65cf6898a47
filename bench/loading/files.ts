/**
 * A folder of photo-like JPEG files.
 *
 * @module
 */
import { join } from "node:path";
import { photo } from "../photo.ts";

/** Size of every file's picture in pixels. */
export const FILE_WIDTH = 500, FILE_HEIGHT = 375;

/** mozjpeg, pinned in bench/deno.lock. */
const ENCODER = "npm:@jsquash/jpeg@1.6.0/codec/enc/mozjpeg_enc.js";

interface Encoder {
  encode(rgba: Uint8ClampedArray, width: number, height: number, settings: unknown): Uint8Array;
}

/** As most cameras and editors write them: baseline, quality 90, colours at half the resolution. */
const SETTINGS = {
  quality: 90,
  baseline: true,
  progressive: false,
  arithmetic: false,
  optimize_coding: true,
  smoothing: 0,
  color_space: 3, // YCbCr
  quant_table: 0, // that of the JPEG standard, Annex K
  trellis_multipass: false,
  trellis_opt_zero: false,
  trellis_opt_table: false,
  trellis_loops: 1,
  auto_subsample: false,
  chroma_subsample: 2,
  separate_chroma_quality: false,
  chroma_quality: 90,
};

/**
 * Writes pictures into one sub-folder of a folder.
 *
 * @returns Paths, and bytes of all files together.
 */
export async function writePhotos(
  folder: string,
  count: number,
): Promise<{ paths: string[]; bytes: number }> {
  const specifier = ENCODER; // not a literal: only this benchmark needs it
  const { default: make } = await import(specifier);
  const encoder: Encoder = await make({ noInitialRun: true });
  await Deno.mkdir(join(folder, "photos"), { recursive: true });
  const paths: string[] = [];
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const data = new Uint8ClampedArray(photo(FILE_WIDTH, FILE_HEIGHT, i).data);
    const file = new Uint8Array(encoder.encode(data, FILE_WIDTH, FILE_HEIGHT, SETTINGS));
    const path = join(folder, "photos", `${`${i}`.padStart(5, "0")}.jpg`);
    await Deno.writeFile(path, file);
    paths.push(path);
    bytes += file.length;
  }
  return { paths, bytes };
}
