/** Damaged and hostile PNG. */
import { crc32, deflateSync } from "node:zlib";
import { chunk, concat } from "../support.ts";
import { cut, type Damage, edit, find, good, insert, paletted, text } from "./files.ts";

/** The PNG with another header, its checksum right. */
function header(file: Uint8Array, at: number, bytes: number[]): Uint8Array {
  const out = edit(file, 16 + at, bytes);
  new DataView(out.buffer).setUint32(29, crc32(out.subarray(12, 29)));
  return out;
}

/** The PNG with other compressed data. */
function withData(file: Uint8Array, data: Uint8Array): Uint8Array {
  const from = find(file, "IDAT") - 4;
  return concat([file.subarray(0, from), chunk("IDAT", data), chunk("IEND", new Uint8Array())]);
}

/** Begins to inflate to 200 MB. */
const bomb = () => deflateSync(new Uint8Array(2e8), { level: 9 });

export function pngDamage(): Damage[] {
  const idat = find(good, "IDAT"), iend = find(good, "IEND") - 4;
  const plte = find(paletted, "PLTE") - 4;
  return [
    ["PNG: bit depth 7", header(good, 8, [7]), /bit depth 7, colour type 2.* does not allow/],
    ["PNG: colour type 5", header(good, 9, [5]), /colour type 5.* does not allow/],
    ["PNG: 16-bit palette", header(paletted, 8, [16]), /bit depth 16, colour type 3/],
    ["PNG: unknown compression", header(good, 10, [1]), /compression 1/],
    ["PNG: unknown interlacing", header(good, 12, [2]), /interlace 2/],
    ["PNG: width 0", header(good, 0, [0, 0, 0, 0]), /its size is 0 × 40/],
    ["PNG: 60000 × 60000", header(good, 0, [0, 0, 234, 96, 0, 0, 234, 96]), /more than the limit/],
    ["PNG: header says more rows", header(good, 4, [0, 0, 0, 80]), /^damaged or truncated PNG/],
    ["PNG: header says 10000 × 9999", header(good, 0, [0, 0, 39, 16, 0, 0, 39, 15]), /^damaged/],
    ["PNG: header with a wrong checksum", edit(good, 29, [1]), /^damaged or truncated PNG/],
    [
      "PNG: another chunk first",
      edit(good, 12, [...text("gAMA")]),
      /IHDR of 13 bytes first but found "gAMA" of 13/,
    ],
    ["PNG: no IDAT", cut(good, idat - 4, iend), /^damaged or truncated PNG/],
    ["PNG: no IEND", good.subarray(0, iend), good],
    ["PNG: palette missing", cut(paletted, plte, plte + 18), /^damaged or truncated PNG/],
    ["PNG: wrong checksum", edit(good, iend - 4, [1, 2, 3, 4]), /^damaged or truncated PNG/],
    ["PNG: a flipped bit", edit(good, idat + 90, [good[idat + 90] ^ 4]), /^damaged or truncated/],
    [
      "PNG: chunk beyond the end",
      edit(good, idat - 4, [0, 127, 0, 0]),
      /^damaged or truncated PNG/,
    ],
    ["PNG: chunk of 2^32 - 1", edit(good, idat - 4, [255, 255, 255, 255]), /^damaged or truncated/],
    ["PNG: data that inflate to 200 MB", withData(good, bomb()), /^damaged or truncated PNG/],
    [
      "PNG: data that are not zlib",
      withData(good, text("no zlib data")),
      /^damaged or truncated PNG/,
    ],
    [
      "PNG: too few data",
      withData(good, deflateSync(new Uint8Array(9))),
      /^damaged or truncated PNG/,
    ],
    [
      "PNG: a text that inflates to 200 MB",
      insert(good, 33, chunk("zTXt", concat([text("a\0\0"), bomb()]))),
      good,
    ],
    ["PNG: senseless EXIF", insert(good, 33, chunk("eXIf", text("MM\0*\xff\xff\xff\xff"))), good],
    ["PNG: garbage after its end", concat([good, new Uint8Array(999).fill(88)]), good],
    ["PNG: another PNG after its end", concat([good, paletted]), good],
  ];
}
