/** What the data tests share: files made on the spot, and tests that decode them. */
import { crc32, deflateSync } from "node:zlib";
import { dirname, join } from "node:path";
import type { Picture } from "../../lib/data/image.ts";
import { folderTest, permissionTest } from "../support/permissions.ts";

/** A test that decodes; the codecs need read and env permission. */
export function decodeTest(name: string, fn: () => Promise<void>): void {
  permissionTest(["read", "env"], name, fn);
}

/** A test that decodes files which it puts into a temporary folder. */
export function filesTest(name: string, fn: (folder: string) => Promise<void>): void {
  folderTest(name, fn, ["env"]);
}

/** A test with a temporary folder, whose files are indexed in a cache folder of its own. */
export function indexTest(
  name: string,
  fn: (folder: string, cache: string) => Promise<void>,
  more: readonly Deno.PermissionName[] = [],
): void {
  folderTest(name, async (root) => {
    const folder = join(root, "pictures"), cache = join(root, "cache");
    await Deno.mkdir(folder);
    // The environment belongs to the process, in which other test files may run at the same time.
    const all = Deno.env.toObject;
    Deno.env.toObject = () => ({ ...all.call(Deno.env), HATCHLING_CACHE: cache });
    try {
      await fn(await Deno.realPath(folder), cache);
    } finally {
      Deno.env.toObject = all;
    }
  }, ["env", ...more]);
}

/** Writes a file and the folders above it; returns its path. */
export async function put(folder: string, id: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, id);
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeFile(path, bytes);
  return path;
}

/** How to write a PNG. */
export interface PngOptions {
  width: number;
  height: number;
  /** 0 gray, 2 RGB, 3 palette, 4 gray + alpha, 6 RGBA. */
  colour?: 0 | 2 | 3 | 4 | 6;
  /** Bits per sample: 1, 2, 4, 8, 16. */
  depth?: number;
  /** Adam7. */
  interlaced?: boolean;
  palette?: number[];
  transparency?: number[];
  /** Sample of a channel at a place, `depth` bits. */
  sample: (x: number, y: number, channel: number) => number;
}

/** A PNG file by W3C's specification, written without the codec under test. */
export function png(options: PngOptions): Uint8Array {
  const { width, height, colour = 2, depth = 8, interlaced = false, sample } = options;
  const channels = [1, 0, 3, 1, 2, 0, 4][colour];
  const passes = interlaced
    ? [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [
      0,
      1,
      1,
      2,
    ]]
    : [[0, 0, 1, 1]];
  const raw: number[] = [];
  for (const [x0, y0, dx, dy] of passes) {
    for (let y = y0; y < height && x0 < width; y += dy) {
      let bits = "";
      for (let x = x0; x < width; x += dx) {
        for (let c = 0; c < channels; c++) bits += sample(x, y, c).toString(2).padStart(depth, "0");
      }
      raw.push(0, ...(bits.match(/.{1,8}/g) ?? []).map((byte) => parseInt(byte.padEnd(8, "0"), 2)));
    }
  }
  const head = new Uint8Array(13);
  new DataView(head.buffer).setUint32(0, width);
  new DataView(head.buffer).setUint32(4, height);
  head.set([depth, colour, 0, 0, Number(interlaced)], 8);
  const parts = [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10), chunk("IHDR", head)];
  if (options.palette) parts.push(chunk("PLTE", Uint8Array.from(options.palette)));
  if (options.transparency) parts.push(chunk("tRNS", Uint8Array.from(options.transparency)));
  parts.push(chunk("IDAT", deflateSync(Uint8Array.from(raw))), chunk("IEND", new Uint8Array()));
  return concat(parts);
}

/** A chunk of a PNG with its length and checksum. */
export function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = concat([new TextEncoder().encode(type), data]);
  const out = new Uint8Array(body.length + 8);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(body, 4);
  view.setUint32(4 + body.length, crc32(body));
  return out;
}

/** All parts after one another. */
export function concat(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** An RGB PNG of one colour. */
export function plain(width: number, height: number, rgb: number[]): Uint8Array {
  return png({ width, height, sample: (_x, _y, c) => rgb[c] });
}

/** Red, green, blue at a place. */
export function rgbAt({ width, data }: Picture, x: number, y: number): number[] {
  const at = 4 * (y * width + x);
  return [...data.subarray(at, at + 3)];
}

/** A picture by a formula per place and channel, opaque. */
export function paint(
  width: number,
  height: number,
  value: (x: number, y: number, channel: number) => number,
): Picture {
  const data = new Uint8Array(4 * width * height).fill(255);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      for (let c = 0; c < 3; c++) data[i + c] = value(x, y, c);
    }
  }
  return { width, height, data };
}

/** Largest difference of two pictures of the same size over red, green, blue and alpha. */
export function difference(a: Picture, b: Picture): number {
  if (a.width !== b.width || a.height !== b.height) return Infinity;
  return a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i])), 0);
}
