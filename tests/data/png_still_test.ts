import assert from "node:assert/strict";
import { deflateSync, inflateSync } from "node:zlib";
import { decodePicture } from "../../lib/data/decode.ts";
import { chunks } from "../../lib/data/formats/png.ts";
import { plainPng, stillPng } from "../../lib/data/formats/png_still.ts";
import { chunk, concat, decodeTest, difference, png, type PngOptions } from "./support.ts";

const sample = (x: number, y: number, c: number) => (37 * x + 11 * y + 5 * c) & 255;
const KINDS: PngOptions[] = [
  { width: 7, height: 5, sample },
  { width: 7, height: 5, sample, interlaced: true },
  { width: 9, height: 3, colour: 0, depth: 1, sample: (x, y) => (x ^ y) & 1 },
  { width: 1, height: 1, colour: 4, depth: 16, sample: (_x, _y, c) => 999 * c, interlaced: true },
  {
    width: 5,
    height: 4,
    colour: 3,
    depth: 2,
    palette: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    transparency: [0, 99],
    sample: (x, y) => (x + y) & 3,
  },
];

/** The file with its IDAT changed, and more chunks before and after it. */
function changed(
  file: Uint8Array,
  data: (data: Uint8Array) => Uint8Array,
  before: Uint8Array[] = [],
  after: Uint8Array[] = [],
): Uint8Array {
  const parts = [...chunks(file)].flatMap(({ type, data: old, bytes }) =>
    type === "IDAT" ? [...before, chunk("IDAT", data(old)), ...after] : [bytes]
  );
  return concat([file.subarray(0, 8), ...parts]);
}

const numbers = (...list: number[]) => {
  const view = new DataView(new ArrayBuffer(4 * list.length));
  list.forEach((x, i) => view.setUint32(4 * i, x));
  return new Uint8Array(view.buffer);
};
const same = (data: Uint8Array) => data;
const inflated = (data: Uint8Array) => new Uint8Array(inflateSync(data));
const deflated = (...parts: Uint8Array[]) => new Uint8Array(deflateSync(concat(parts)));

/** An animation of one frame that is not the still picture. */
function animated(file: Uint8Array, width: number, height: number): Uint8Array {
  const control = concat([numbers(0, width, height, 0, 0), Uint8Array.of(0, 1, 0, 10, 0, 0)]);
  const rows = deflated(new Uint8Array((1 + 8 * width) * height));
  return changed(file, same, [chunk("acTL", numbers(1, 0))], [
    chunk("fcTL", control),
    chunk("fdAT", concat([numbers(1), rows])),
  ]);
}

decodeTest("decodePicture() shows the still picture of an APNG, as readers of PNG do", async () => {
  for (const options of KINDS) {
    const file = png(options), sound = await decodePicture(file, Infinity, 4);
    const { width, height } = options;
    for (
      const [kind, other] of [
        ["a whole frame", animated(file, width, height)],
        ["a small frame", animated(file, 1, 1)],
        ["announced and not there", changed(file, same, [chunk("acTL", numbers(5, 0))])],
      ] as const
    ) assert.equal(difference(await decodePicture(other, Infinity, 4), sound), 0, kind);
  }
  const file = png(KINDS[0]);
  assert.equal(stillPng(file), file);
});

decodeTest(
  "decodePicture() reads PNG whose rows are all there, whatever follows them",
  async () => {
    const changes: [kind: string, change: (data: Uint8Array) => Uint8Array][] = [
      ["bytes after the rows", (data) => concat([data, new TextEncoder().encode("junk")])],
      ["a row too many", (data) => deflated(inflated(data), new Uint8Array(2))],
      ["half as much again", (data) => deflated(inflated(data), inflated(data).subarray(1))],
      ["no checksum", (data) => data.subarray(0, -4)],
    ];
    for (const options of KINDS) {
      const file = png(options), sound = await decodePicture(file, Infinity, 4);
      for (const [kind, change] of changes) {
        const got = await decodePicture(changed(file, change), Infinity, 4);
        assert.equal(difference(got, sound), 0, kind);
      }
      // Damage where no pixels are.
      const comment = chunk("tEXt", new TextEncoder().encode("a\0b"));
      comment[comment.length - 1] ^= 1;
      const other = changed(file, (data) => concat([data, Uint8Array.of(0)]), [comment]);
      assert.equal(difference(await decodePicture(other, Infinity, 4), sound), 0);
    }
  },
);

Deno.test("plainPng() makes no picture of damage, and takes no memory for bombs", () => {
  const file = png(KINDS[0]);
  assert.ok(plainPng(file));
  const damaged: [string, Uint8Array][] = [
    ["too few rows", changed(file, (data) => deflated(inflated(data).subarray(1)))],
    ["a wrong checksum of the rows", changed(file, (data) => data.with(-1, data.at(-1)! ^ 1))],
    ["no rows", changed(file, () => new Uint8Array())],
    ["a bomb", changed(file, () => deflated(new Uint8Array(1e7)))],
    ["a flipped bit", file.with(45, file[45] ^ 1)],
    ["cut off", file.subarray(0, -20)],
    ["no IDAT", concat([file.subarray(0, 33), file.subarray(-12)])],
  ];
  for (const [kind, other] of damaged) assert.equal(plainPng(other), undefined, kind);
});
