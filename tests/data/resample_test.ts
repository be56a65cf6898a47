import assert from "node:assert/strict";
import fc from "fast-check";
import { HatchlingError } from "../../lib/errors.ts";
import type { Picture } from "../../lib/data/image.ts";
import { bicubicWeights, fitWithin, resizeBicubic } from "../../lib/data/resample.ts";
import { Rng } from "../../lib/rng.ts";
import golden from "./fixtures/resample.json" with { type: "json" };
import { difference, paint } from "./support.ts";

function fromBase64(width: number, height: number, rgb: string): Picture {
  const bytes = Uint8Array.from(atob(rgb), (c) => c.charCodeAt(0));
  assert.equal(bytes.length, 3 * width * height);
  return paint(width, height, (x, y, c) => bytes[3 * (y * width + x) + c]);
}

/** One axis in float64, straight from the definition: a filter widened by the scale, normalised. */
function naive(values: number[], nOut: number): number[] {
  const scale = values.length / nOut, wide = Math.max(1, scale);
  const keys = (t: number) => {
    t = Math.abs(t);
    return t < 1
      ? 1.5 * t ** 3 - 2.5 * t ** 2 + 1
      : t < 2
      ? -0.5 * t ** 3 + 2.5 * t ** 2 - 4 * t + 2
      : 0;
  };
  return Array.from({ length: nOut }, (_, o) => {
    const weights = values.map((_, i) => keys((i + 0.5 - (o + 0.5) * scale) / wide));
    const total = weights.reduce((a, b) => a + b);
    return values.reduce((sum, v, i) => sum + v * weights[i], 0) / total;
  });
}

Deno.test("resizeBicubic() gives Pillow's bytes when shrinking, enlarging and mixing both", () => {
  const picture = fromBase64(golden.width, golden.height, golden.rgb);
  for (const { width, height, rgb } of golden.resized) {
    const got = resizeBicubic(picture, width, height);
    assert.equal(difference(got, fromBase64(width, height, rgb)), 0, `${width} × ${height}`);
  }
});

Deno.test("resizeBicubic() agrees with a float64 reference along each axis", () => {
  const rng = new Rng(5);
  for (const [n, nOut] of [[31, 7], [64, 63], [10, 25], [100, 3], [5, 5], [2, 1]]) {
    const values = Array.from({ length: n }, () => rng.int(256));
    const want = naive(values, nOut).map((v) => Math.min(255, Math.max(0, v)));
    const row = resizeBicubic(paint(n, 1, (x) => values[x]), nOut, 1);
    const column = resizeBicubic(paint(1, n, (_, y) => values[y]), 1, nOut);
    want.forEach((v, o) => {
      // Half a level of rounding, and 2^-23 per tap and level of the fixed-point weights.
      assert.ok(
        Math.abs(row.data[4 * o] - v) <= 0.51,
        `${n} → ${nOut}, ${o}: ${row.data[4 * o]} ${v}`,
      );
      assert.equal(column.data[4 * o], row.data[4 * o]);
    });
  }
});

Deno.test("resizeBicubic() keeps constant pictures and the identity exactly", () => {
  const grey = paint(37, 20, (_x, _y, c) => [0, 128, 255][c]);
  assert.equal(
    difference(resizeBicubic(grey, 11, 29), paint(11, 29, (_x, _y, c) => [0, 128, 255][c])),
    0,
  );
  assert.equal(resizeBicubic(grey, 37, 20), grey);
  assert.throws(() => resizeBicubic(grey, 0, 5), HatchlingError);
});

Deno.test("resizeBicubic() resizes every plane of a picture by itself", () => {
  const rng = new Rng(8);
  const planes = [0, 1, 2].map(() => paint(13, 9, () => rng.int(256)));
  const data = new Uint8Array(planes.flatMap((plane) => [...plane.data]));
  for (const [w, h] of [[5, 4], [13, 4], [20, 9]]) {
    const got = resizeBicubic({ width: 13, height: 9, channels: 8, data }, w, h);
    assert.equal(got.channels, 8);
    const expected = planes.flatMap((plane) => [...resizeBicubic(plane, w, h).data]);
    assert.deepEqual([...got.data], expected);
    const odd = new Uint8Array([0, ...data]).subarray(1); // not at a multiple of four bytes
    assert.deepEqual(resizeBicubic({ width: 13, height: 9, channels: 8, data: odd }, w, h), got);
  }
});

Deno.test("bicubicWeights() stays inside the input and sums to one", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 }), (nIn, nOut) => {
      const { start, count, weights, taps } = bicubicWeights(nIn, nOut);
      for (let o = 0; o < nOut; o++) {
        assert.ok(count[o] >= 1 && count[o] <= taps && start[o] + count[o] <= nIn);
        const sum = weights.subarray(o * taps, (o + 1) * taps).reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - 2 ** 22) <= taps, `${nIn} → ${nOut}: ${sum}`);
      }
    }),
    { numRuns: 100, seed: 2 },
  );
});

Deno.test("fitWithin() never exceeds the limit, keeps the aspect ratio and uses the room", () => {
  const side = fc.integer({ min: 1, max: 20000 });
  fc.assert(
    fc.property(side, side, fc.integer({ min: 1, max: 1e6 }), (w, h, most) => {
      const { width, height } = fitWithin(w, h, most);
      assert.ok(width >= 1 && height >= 1 && width <= w && height <= h);
      assert.ok(width * height <= most);
      assert.deepEqual(fitWithin(h, w, most), { width: height, height: width });
      if (w * h <= most) assert.deepEqual([width, height], [w, h]);
      else if (width > 1 && height > 1) {
        const scale = Math.sqrt(most / (w * h));
        assert.ok(w * scale - width < 1 + 1e-9 && h * scale - height < 1 + 1e-9);
      }
    }),
    { numRuns: 500, seed: 3 },
  );
  assert.deepEqual(fitWithin(10000, 1, 100), { width: 100, height: 1 });
  assert.deepEqual(fitWithin(1600, 1200, Infinity), { width: 1600, height: 1200 });
});
