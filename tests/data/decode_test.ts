import assert from "node:assert/strict";
import { decodePicture } from "../../lib/data/decode.ts";
import { type Picture, upright, withChannels } from "../../lib/data/image.ts";
import { resizeBicubic } from "../../lib/data/resample.ts";
import { HatchlingError } from "../../lib/errors.ts";
import gif from "./fixtures/animated.gif" with { type: "bytes" };
import cmyk from "./fixtures/cmyk.jpg" with { type: "bytes" };
import gray from "./fixtures/gray.jpg" with { type: "bytes" };
import jpeg from "./fixtures/rgb.jpg" with { type: "bytes" };
import progressive from "./fixtures/progressive.jpg" with { type: "bytes" };
import animated from "./fixtures/pictures/webp_animated_lossless.webp" with { type: "bytes" };
import webp from "./fixtures/pictures/webp_lossless_alpha.webp" with { type: "bytes" };
import { chunk, concat, decodeTest, difference, paint, png, type PngOptions } from "./support.ts";

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

/** An EXIF block that says an orientation. */
function exif(orientation: number): Uint8Array {
  const block = "4d4d002a00000008000101120003000000010000000000000000".match(/../g)!;
  return Uint8Array.from(block, (byte, i) => i === 19 ? orientation : parseInt(byte, 16));
}

/** The same file with an EXIF block where its format has it. */
const WITH_EXIF: [format: string, file: Uint8Array, add: (block: Uint8Array) => Uint8Array][] = [
  ["JPEG", jpeg, (block) => {
    const head = Uint8Array.of(0xff, 0xe1, 0, block.length + 8, 69, 120, 105, 102, 0, 0);
    return concat([jpeg.subarray(0, 2), head, block, jpeg.subarray(2)]);
  }],
  ["PNG", png({ width: 7, height: 5, sample: pattern }), (block) => {
    const file = png({ width: 7, height: 5, sample: pattern });
    const end = file.length - 12; // after the picture, where ImageMagick puts it
    return concat([file.subarray(0, end), chunk("eXIf", block), file.subarray(end)]);
  }],
  ["WebP", webp, (block) => {
    const head = Uint8Array.of(69, 88, 73, 70, block.length, 0, 0, 0); // "EXIF"
    const extended = Uint8Array.of(86, 80, 56, 88, 10, 0, 0, 0, 0x18, 0, 0, 0, 20, 0, 0, 16, 0, 0); // "VP8X"
    const file = concat([webp.subarray(0, 12), extended, webp.subarray(12), head, block]);
    new DataView(file.buffer).setUint32(4, file.length - 8, true);
    return file;
  }],
];

for (const [format, file, add] of WITH_EXIF) {
  decodeTest(`decodePicture() applies every EXIF orientation of a ${format}`, async () => {
    for (const channels of [3, 4] as const) {
      const stored = await decodePicture(file, Infinity, channels);
      for (let orientation = 0; orientation <= 9; orientation++) {
        const got = await decodePicture(add(exif(orientation)), Infinity, channels);
        assert.equal(
          difference(got, upright(stored, orientation)),
          0,
          `orientation ${orientation}`,
        );
        assert.equal(
          got.width,
          orientation >= 5 && orientation <= 8 ? stored.height : stored.width,
        );
      }
    }
  });
}

decodeTest("decodePicture() gives gray, colour on white, or colour and alpha", async () => {
  const [w, h] = [24, 18];
  const sample = (x: number, y: number, c: number) => [9 * x, 12 * y, 5 * (x + y), 10 * x + y][c];
  const file = png({ width: w, height: h, colour: 6, sample });
  const colour = await decodePicture(file, Infinity, 3);
  const white = paint(w, h, (x, y, c) => onWhite(sample(x, y, c), sample(x, y, 3)));
  assert.equal(difference(colour, white), 0);
  const gray = await decodePicture(file, Infinity, 1);
  assert.equal(gray.channels, 1);
  assert.equal(difference(gray, withChannels(colour, 1)), 0);
  const four = await decodePicture(file, Infinity, 4);
  assert.equal(four.channels, 4);
  const plane = (p: Picture, i: number): Picture => {
    const bytes = 4 * p.width * p.height;
    return { width: p.width, height: p.height, data: p.data.subarray(i * bytes, (i + 1) * bytes) };
  };
  const straight = paint(w, h, sample);
  const alpha = paint(w, h, (x, y, c) => c === 0 ? sample(x, y, 3) : 0);
  assert.equal(difference(plane(four, 0), straight), 0);
  assert.equal(difference(plane(four, 1), alpha), 0);
  // Reduced plane by plane.
  const small = await decodePicture(file, w * h / 4, 4);
  assert.deepEqual([small.width, small.height, small.data.length], [12, 9, 2 * 4 * 12 * 9]);
  assert.equal(difference(plane(small, 0), resizeBicubic(straight, 12, 9)), 0);
  assert.equal(difference(plane(small, 1), resizeBicubic(alpha, 12, 9)), 0);
  const opaque = await decodePicture(jpeg, Infinity, 4);
  assert.ok(plane(opaque, 1).data.every((v, i) => v === [255, 0, 0, 255][i % 4]));
});

decodeTest("decodePicture() places the first frame of an animated WebP on its canvas", async () => {
  const frame = await decodePicture(animated, Infinity, 4); // 21 × 17, fills its canvas
  const file = animated.slice();
  file.set([29, 0, 0, 19, 0, 0], 24); // canvas of 30 × 20
  const anmf = new TextDecoder("latin1").decode(file).indexOf("ANMF");
  file.set([3, 0, 0, 1, 0, 0], anmf + 8); // in units of two: column 6, row 2
  const got = await decodePicture(file, Infinity, 4);
  assert.deepEqual([got.width, got.height], [30, 20]);
  for (let y = 0; y < 20; y++) {
    for (let x = 0; x < 30; x++) {
      const inside = x >= 6 && x < 27 && y >= 2 && y < 19;
      const to = 4 * (y * 30 + x), from = 4 * ((y - 2) * 21 + x - 6);
      for (const [i, j] of [[to, from], [to + 4 * 600, from + 4 * 21 * 17]]) {
        const expected = inside ? [...frame.data.subarray(j, j + 3)] : [0, 0, 0];
        assert.deepEqual([...got.data.subarray(i, i + 3)], expected, `${x}, ${y}`);
      }
    }
  }
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

decodeTest(
  "decodePicture() says the size in the file of what it has reduced, upright",
  async () => {
    for (
      const [w, h, most] of [[3, 2, 2], [2, 3, 2], [101, 100, 1000], [100, 101, 1000], [90, 3, 30]]
    ) {
      const file = png({ width: w, height: h, sample: (x, y, c) => pattern(x, y, c) & 255 });
      const turned = concat([file.subarray(0, -12), chunk("eXIf", exif(6)), file.subarray(-12)]);
      for (const channels of [1, 3, 4] as const) {
        const { original } = await decodePicture(file, most, channels);
        assert.deepEqual(original, { width: w, height: h });
        const other = await decodePicture(turned, most, channels);
        assert.deepEqual(other.original, { width: h, height: w });
      }
      assert.equal((await decode(turned, w * h)).original, undefined);
    }
  },
);

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
      assert.match(
        error.message,
        /^damaged or truncated (PNG|JPEG|GIF) of \d+ bytes: (its|it|the) .*\(/,
        what,
      );
      return true;
    });
  }
  // What is left of one file's failure does not disturb the next.
  assert.equal((await decode(good)).width, 40);
});
