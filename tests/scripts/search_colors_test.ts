/** Pictures without structure: compared by their colour. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import jpeg from "jpeg-js";
import type { Picture } from "../../lib/data/image.ts";
import { resizeBicubic } from "../../lib/data/resample.ts";
import { toneOf, WHOLE } from "../../lib/search/compare.ts";
import { findGroups, similarityOf, THRESHOLD } from "../../lib/search/duplicates.ts";
import type { SignedPicture } from "../../lib/search/sign.ts";
import { signatureOf } from "../../lib/search/signature.ts";
import { paint } from "../data/support.ts";

type Color = readonly number[];

const flat = (color: Color, width = 64, height = 48) =>
  paint(width, height, (_x, _y, c) => color[c]);
const gray = (level: number) => [level, level, level];
/** A slope from one level to another. */
const slope = (from: number, to: number, down = false) =>
  paint(64, 64, (x, y) => Math.round(from + (to - from) * (down ? y : x) / 63));
/** Levels around a mean, another one for each pixel. */
const noisy = (mean: number, by: number, seed: number) =>
  paint(64, 64, (x, y) => {
    const draw = Math.imul(x * 8191 + y * 131 + seed, 0x9e3779b1) >>> 16;
    return mean + Math.round((2 * draw / 65535 - 1) * by);
  });
const recompressed = ({ width, height, data }: Picture, quality: number): Picture =>
  jpeg.decode(jpeg.encode({ width, height, data: Buffer.from(data) }, quality).data, {
    useTArray: true,
  });

const similarity = (a: Picture, b: Picture) => similarityOf(signatureOf(a), signatureOf(b), WHOLE);

async function groupsOf(
  pictures: Record<string, Picture>,
  threshold = THRESHOLD,
  mirrored = false,
): Promise<string[]> {
  const signed = Object.entries(pictures).map(([id, picture]): SignedPicture => {
    const { width, height } = picture;
    const [sha256] = id.split(" "); // "a again" has the bytes of "a"
    return { id, width, height, bytes: 100, sha256, signature: signatureOf(picture) };
  });
  const groups = await findGroups(signed, { threshold, mirrored });
  return groups.map((group) => group.map(({ picture: { id } }) => id).sort().join(", ")).sort();
}

Deno.test("flat pictures of other colours are no copies, whatever the threshold", async () => {
  const pictures = Object.fromEntries([9, 128, 250].map((level) => [level, flat(gray(level))]));
  for (const threshold of [0.01, 0.5, 0.8, 1]) {
    assert.deepEqual(await groupsOf(pictures, threshold), []);
    assert.deepEqual(await groupsOf(pictures, threshold, true), []);
  }
});

Deno.test("copies of a flat picture are copies: the file, another size, compressed again", async () => {
  const red = [200, 30, 60], other = [200, 60, 60], white = gray(255);
  assert.deepEqual(
    await groupsOf({
      red: flat(red),
      "red again": flat(red),
      small: flat(red, 20, 20),
      strip: flat(red, 2000, 2),
      jpeg85: recompressed(flat(red), 85),
      jpeg40: recompressed(flat(red, 50, 50), 40),
      other: flat(other),
      white: flat(white),
      paper: recompressed(flat(white, 300, 200), 30),
      black: flat(gray(0)),
      "black again": flat(gray(0)),
    }),
    ["black, black again", "jpeg40, jpeg85, red, red again, small, strip", "paper, white"],
  );
});

Deno.test("two flat colours are the less alike the further they are apart", () => {
  const color = fc.tuple(...Array.from({ length: 3 }, () => fc.integer({ min: 0, max: 255 })));
  fc.assert(fc.property(color, color, (from, to) => {
    const steps = [0, 0.25, 0.5, 0.75, 1].map((share) =>
      from.map((x, c) => Math.round(x + share * (to[c] - x)))
    );
    const found = steps.map((step) => similarity(flat(from, 9, 9), flat(step, 9, 9)));
    assert.equal(found[0], 1);
    found.forEach((value, i) => {
      assert.ok(value >= 0 && value <= 1);
      // Signatures hold whole levels.
      if (i > 0) assert.ok(value <= found[i - 1] + 2 / 24, `${steps[i]} is more like ${from}`);
    });
    const levels = Math.max(...from.map((x, c) => Math.abs(to[c] - x)));
    const luma = from.reduce((sum, x, c) => sum + [0.299, 0.587, 0.114][c] * (to[c] - x), 0);
    if (Math.abs(luma) > 25) assert.equal(found[4], 0);
    if (levels > 90) assert.ok(found[4] < THRESHOLD);
    assert.equal(found[4], similarity(flat(to, 9, 9), flat(from, 9, 9)), "either way");
  }));
});

Deno.test("nearly flat pictures are compared by their colour too", async () => {
  assert.deepEqual(
    await groupsOf({
      dark: noisy(60, 3, 1),
      dark2: recompressed(noisy(60, 3, 1), 90),
      middle: noisy(120, 3, 2),
      light: noisy(240, 3, 3),
      lightest: flat(gray(241)),
    }),
    ["dark, dark2", "light, lightest"],
  );
  const low = slope(100, 104), high = slope(200, 204);
  assert.ok(toneOf(signatureOf(low)).contrast < 2);
  assert.equal(similarity(low, high), 0);
  assert.ok(similarity(slope(100, 110), slope(160, 170)) < THRESHOLD);
});

Deno.test("slopes are compared by their shape", async () => {
  assert.deepEqual(
    await groupsOf({
      right: slope(20, 230),
      small: resizeBicubic(slope(20, 230), 40, 40),
      darker: slope(17, 196),
      down: slope(20, 230, true),
      left: slope(230, 20),
    }),
    ["darker, right, small"],
  );
});

Deno.test("all copies of a flat picture are in its group, however many there are", async () => {
  const pictures = Object.fromEntries(
    Array.from({ length: 700 }, (_, i) => [`p${i}`, flat(gray(i < 400 ? 255 : 40), 8 + i, 8)]),
  );
  const groups = await groupsOf(pictures);
  assert.deepEqual(groups.map((group) => group.split(", ").length).sort(), [300, 400]);
});
