import assert from "node:assert/strict";
import { decodePicture } from "../../lib/data/decode.ts";
import { HatchlingError } from "../../lib/errors.ts";
import gif from "./fixtures/animated.gif" with { type: "bytes" };
import cmyk from "./fixtures/cmyk.jpg" with { type: "bytes" };
import gray from "./fixtures/gray.jpg" with { type: "bytes" };
import jpeg from "./fixtures/rgb.jpg" with { type: "bytes" };
import progressive from "./fixtures/progressive.jpg" with { type: "bytes" };
import { concat, decodeTest, difference, paint, png, type PngOptions } from "./support.ts";

const W = 13, H = 9;
const decode = (file: Uint8Array, maxPixels = Infinity) => decodePicture(file, maxPixels);
/** Any pattern in which no two places and channels look alike. */
const pattern = (x: number, y: number, c: number) =>
  [19 * x, 28 * y, 250 - 11 * x - 13 * y, 255 - 20 * x][c];
const onWhite = (v: number, a: number) => Math.round((v * a + 255 * (255 - a)) / 255);

decodeTest("decodePicture() gives the exact pixels of every kind of PNG", async () => {
  const rgb = paint(W, H, pattern);
  const onePerPlace = (x: number, y: number) => y * W + x;
  const palette = rgb.data.filter((_, i) => i % 4 < 3);
  const alphas = Array.from({ length: W * H }, (_, i) => 2 * i);
  const kinds: [string, Partial<PngOptions> & Pick<PngOptions, "sample">, typeof pattern][] = [
    ["RGB", { sample: pattern }, pattern],
    ["RGB interlaced", { sample: pattern, interlaced: true }, pattern],
    ["RGB 16 bit", { depth: 16, sample: (x, y, c) => 257 * pattern(x, y, c) }, pattern],
    [
      "RGBA",
      { colour: 6, sample: pattern },
      (x, y, c) => onWhite(pattern(x, y, c), pattern(x, y, 3)),
    ],
    ["gray", { colour: 0, sample: pattern }, (x, y) => pattern(x, y, 0)],
    [
      "gray 16 bit",
      { colour: 0, depth: 16, sample: (x, y) => 257 * pattern(x, y, 0) },
      (x, y) => pattern(x, y, 0),
    ],
    [
      "gray 1 bit",
      { colour: 0, depth: 1, sample: (x, y) => (x + y) & 1 },
      (x, y) => 255 * ((x + y) & 1),
    ],
    ["gray 4 bit", { colour: 0, depth: 4, sample: (x) => x }, (x) => 17 * x],
    [
      "gray + alpha",
      { colour: 4, sample: (x, y, c) => pattern(x, y, [0, 3][c]) },
      (x, y) => onWhite(pattern(x, y, 0), pattern(x, y, 3)),
    ],
    ["palette", { colour: 3, palette: [...palette], sample: onePerPlace }, pattern],
    ["palette + alpha", {
      colour: 3,
      palette: [...palette],
      transparency: alphas,
      sample: onePerPlace,
    }, (
      x,
      y,
      c,
    ) => onWhite(pattern(x, y, c), alphas[onePerPlace(x, y)])],
    [
      "RGB + transparent colour",
      { transparency: [0, 0, 0, 0, 0, 250], sample: pattern },
      (x, y, c) => x + y === 0 ? 255 : pattern(x, y, c),
    ],
  ];
  for (const [kind, options, expected] of kinds) {
    const got = await decode(png({ width: W, height: H, ...options }));
    assert.equal(difference(got, paint(W, H, expected)), 0, kind);
  }
});

decodeTest("decodePicture() decodes RGB, progressive, gray and CMYK JPEG", async () => {
  const rgb = paint(16, 24, (x, y, c) => [10 + 12 * x, 20 + 8 * y, 230 - 5 * x - 3 * y][c]);
  // Smooth pictures saved at quality 95: a few levels of compression loss.
  assert.ok(difference(await decode(jpeg), rgb) <= 4);
  assert.ok(difference(await decode(progressive), rgb) <= 4);
  const level = paint(16, 24, (x, y) => 10 + 7 * x + 4 * y);
  assert.ok(difference(await decode(gray), level) <= 3);
  const light = paint(16, 24, (x, y, c) => {
    const ink = [5 * x, 6 * y, 3 * x + 2 * y][c], black = 2 * x + 4 * y;
    return (255 - ink) * (255 - black) / 255;
  });
  assert.ok(difference(await decode(cmyk), light) <= 5);
});

decodeTest("decodePicture() applies the EXIF orientation of a JPEG", async () => {
  const exif = "4578696600004d4d002a00000008000101120003000000010006000000000000".match(/../g)!;
  const body = Uint8Array.from(exif, (byte) => parseInt(byte, 16));
  const head = Uint8Array.of(0xff, 0xe1, 0, body.length + 2);
  const turned = await decode(concat([jpeg.subarray(0, 2), head, body, jpeg.subarray(2)]));
  const stored = await decode(jpeg); // 16 × 24; orientation 6: turn clockwise
  const expected = paint(24, 16, (x, y, c) => stored.data[4 * ((23 - x) * 16 + y) + c]);
  assert.equal(difference(turned, expected), 0);
});

decodeTest(
  "decodePicture() takes the first frame of a GIF, wherever it lies, on white",
  async () => {
    const frame = (x: number, y: number, c: number) => {
      const i = 6 * y + x;
      return i === 5 ? 255 : [10 * i, 250 - 9 * i, 3 * i][c]; // colour 5 is transparent
    };
    assert.equal(difference(await decode(gif), paint(6, 4, frame)), 0);
    // The same frame at column 2, row 1 of a screen of 10 × 7.
    const moved = gif.slice();
    moved.set([10, 0, 7, 0], 6);
    const descriptor = moved.findIndex((byte, i) =>
      byte === 0x2c && moved[i + 5] === 6 && moved[i + 7] === 4
    );
    moved.set([2, 0, 1, 0], descriptor + 1);
    const inside = (x: number, y: number) => x >= 2 && x < 8 && y >= 1 && y < 5;
    const expected = paint(10, 7, (x, y, c) => inside(x, y) ? frame(x - 2, y - 1, c) : 255);
    assert.equal(difference(await decode(moved), expected), 0);
  },
);

decodeTest("decodePicture() reduces to maxPixels and leaves smaller pictures alone", async () => {
  const file = png({ width: 40, height: 20, sample: (x, y, c) => 5 * x + 2 * y + c });
  const { width, height } = await decode(file, 200);
  assert.deepEqual([width, height], [20, 10]);
  assert.equal((await decode(file, 800)).width, 40);
});

decodeTest("decodePicture() throws with the reason when a file is damaged anywhere", async () => {
  const good = png({ width: 40, height: 40, sample: (x, y, c) => (x * y * (c + 7)) & 255 });
  const flipped = good.slice();
  flipped[good.length >> 1] ^= 1;
  const broken: [string, Uint8Array][] = [
    ["half a PNG", good.subarray(0, good.length >> 1)],
    ["a PNG with a flipped bit", flipped],
    ["half a JPEG", jpeg.subarray(0, 600)],
    ["half a GIF", gif.subarray(0, 805)],
  ];
  for (const [what, file] of broken) {
    await assert.rejects(decode(file), (error: Error) => {
      assert.ok(error instanceof HatchlingError, what);
      assert.match(error.message, /^damaged or truncated (PNG|JPEG|GIF) of \d+ bytes \(/, what);
      return true;
    });
  }
  // What is left of one file's failure does not disturb the next.
  assert.equal((await decode(good)).width, 40);
});
