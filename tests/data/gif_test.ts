import assert from "node:assert/strict";
import { decodePicture } from "../../lib/data/decode.ts";
import { gifFrame, gifSize } from "../../lib/data/formats/gif.ts";
import { lzwDecode } from "../../lib/data/formats/lzw.ts";
import { Rng } from "../../lib/rng.ts";
import { text } from "./damage/files.ts";
import { concat } from "./support.ts";

/** Codes of given widths, the lowest bit first. */
function pack(codes: readonly (readonly [code: number, bits: number])[]): Uint8Array {
  const bits = codes.flatMap(([code, n]) => Array.from({ length: n }, (_, i) => code >> i & 1));
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, i) => bytes[i >> 3] |= bit << (i & 7));
  return bytes;
}

/** Data in blocks. */
function blocks(data: Uint8Array, size = 255): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += size) {
    const part = data.subarray(at, at + size);
    parts.push(Uint8Array.of(part.length), part);
  }
  return concat([...parts, Uint8Array.of(0)]);
}

const COLOURS = [0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255]; // black, red, green, blue
const CLEAR = 4, END = 5;

/** A GIF of 2 × 2 pixels and four colours. */
function gif(data: Uint8Array, before = "", packed = 0): Uint8Array {
  return concat([
    text("GIF89a"),
    Uint8Array.of(2, 0, 2, 0, 0x81, 0, 0, ...COLOURS),
    text(before),
    Uint8Array.of(0x2c, 0, 0, 0, 0, 2, 0, 2, 0, packed, 2),
    blocks(data),
    text(";"),
  ]);
}

/** Red, green, blue, black. */
const ROWS = [[1, 3], [2, 3], [3, 3], [0, 4], [END, 4]] as const;
const SOUND = gif(pack([[CLEAR, 3], ...ROWS]));
const PIXELS = [255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 0, 0, 0, 255];

Deno.test("decodePicture() reads GIF as the format allows and as people write it", async () => {
  const files: [kind: string, file: Uint8Array][] = [
    ["sound", SOUND],
    ["an empty comment", gif(pack([[CLEAR, 3], ...ROWS]), "!\xfe\0")],
    [
      "a graphic control of 5 bytes",
      gif(pack([[CLEAR, 3], ...ROWS]), "!\xf9\x05\0\0\0\0\0\0"),
    ],
    ["an unknown extension", gif(pack([[CLEAR, 3], ...ROWS]), "!\x2a\x02hi\0")],
    ["stray ends of blocks", gif(pack([[CLEAR, 3], ...ROWS]), "!\xfe\x01a\0\0\0")],
    ["no clear code first", gif(pack(ROWS))],
    ["two clear codes in a row", gif(pack([[CLEAR, 3], [CLEAR, 3], ...ROWS]))],
    [
      "two clear codes after every pixel",
      gif(pack([1, 2, 3, 0, END].flatMap((c) => [[c, 3], [CLEAR, 3], [CLEAR, 3]] as const))),
    ],
    ["no end code", gif(pack(ROWS.slice(0, -1)))],
    ["more pixels than it has", gif(pack([...ROWS.slice(0, -1), [2, 4], [2, 4], [END, 4]]))],
    ["no end marker", SOUND.subarray(0, -1)],
  ];
  for (const [kind, file] of files) {
    const { width, height, data } = await decodePicture(file, Infinity);
    assert.deepEqual([width, height, [...data]], [2, 2, PIXELS], kind);
  }
});

Deno.test("gifFrame() takes the last graphic control, the local colours and the order of rows", () => {
  const controls = "!\xf9\x04\x01\0\0\x01\0!\xf9\x04\x01\0\0\x02\0"; // red, then green is transparent
  const { buffer } = gifFrame(gif(pack(ROWS), controls));
  assert.deepEqual([3, 7, 11, 15].map((at) => buffer[at]), [255, 0, 255, 255]);
  const off = gifFrame(gif(pack(ROWS), controls + "!\xf9\x04\0\0\0\x02\0"));
  assert.ok(off.buffer.every((value, i) => i % 4 < 3 || value === 255));
  // Two colours of its own: of the others nothing is said, they are black.
  const file = gif(pack(ROWS), "", 0x80);
  const local = concat([file.subarray(0, 35), Uint8Array.of(9, 9, 9, 7, 8, 9), file.subarray(35)]);
  assert.deepEqual([...gifFrame(local).buffer], [
    ...[7, 8, 9, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9, 255],
  ]);
  // 1 × 9, interlaced: rows 0 and 8 first, then 4, then 2 and 6.
  const nine = [1, 2, 3, 0, 1, 2, 3, 0, 1];
  const tall = gif(pack(nine.flatMap((c) => [[c, 3], [CLEAR, 3]] as const)), "", 0x40);
  tall.set([1, 0, 9, 0], 30);
  assert.deepEqual(gifSize(tall), { width: 2, height: 9 });
  const reds = Array.from({ length: 9 }, (_, y) => gifFrame(tall).buffer[4 * y] === 255);
  assert.deepEqual(
    reds,
    [0, 5, 3, 6, 2, 7, 4, 8, 1].map((place) => nine[place] === 1),
  );
});

/** Codes of values; `clears` says when the table is dropped, which the format leaves to the writer. */
function lzwEncode(values: readonly number[], bits: number, clears: () => boolean): Uint8Array {
  const clear = 1 << bits, codes: [number, number][] = [];
  let table = new Map<string, number>(), next = clear + 2, width = bits + 1, word = "";
  const codeOf = (word: string) => word.length === 1 ? word.charCodeAt(0) : table.get(word);
  /** Readers learn a code one code later. */
  const grow = () => {
    if (next - 1 >= 1 << width && width < 12) width++;
  };
  const reset = () => {
    codes.push([clear, width]);
    [table, next, width, word] = [new Map(), clear + 2, bits + 1, ""];
  };
  for (const value of values) {
    const longer = word + String.fromCharCode(value);
    if (codeOf(longer) !== undefined) {
      word = longer;
      continue;
    }
    codes.push([codeOf(word)!, width]);
    if (next < 4096) table.set(longer, next++);
    grow();
    word = String.fromCharCode(value);
    if (!clears()) continue;
    codes.push([codeOf(word)!, width]);
    if (next < 4096) next++;
    grow();
    reset();
  }
  codes.push([codeOf(word)!, width]);
  return pack(codes);
}

Deno.test("lzwDecode() gives back what was encoded, whenever codes are cleared", () => {
  const rng = new Rng(3);
  for (let n = 0; n < 60; n++) {
    const bits = 2 + n % 7,
      often = [0, 0.001, 0.1][n % 3],
      length = n < 6 ? 40_000 : 1 + rng.int(900);
    let value = 0;
    const values = Array.from({ length }, () => {
      if (rng.int(4) === 0) value = rng.int(1 << bits);
      return value;
    });
    const data = lzwEncode(values, bits, () => rng.int(1000) < 1000 * often);
    assert.deepEqual([...lzwDecode(data, bits, length)], values, `${n}`);
    assert.throws(() => lzwDecode(data.subarray(0, data.length >> 1), bits, length));
  }
});

Deno.test("lzwDecode() says what is wrong, before it takes memory for nothing", () => {
  const fails = (codes: [number, number][], message: RegExp, length = 4) =>
    assert.throws(() => lzwDecode(pack(codes), 2, length), message);
  fails([[1, 3], [2, 3]], /^Error: 2 of 4 pixels/);
  fails([[1, 3], [END, 3]], /^Error: its end after 1 of 4 pixels/);
  fails([[1, 3], [7, 3]], /^Error: code 7 after 1 of 4 pixels/);
  fails([[CLEAR, 3], [6, 3]], /^Error: code 6 after 0 of 4 pixels/);
  fails([[1, 3]], /^Error: 1 bytes of data/, 1e8);
  assert.throws(() => lzwDecode(pack([[1, 10]]), 9, 4), /codes of 9 bits/);
});
