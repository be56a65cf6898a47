import assert from "node:assert/strict";
import { compositeOnWhite, upright } from "../../lib/data/image.ts";
import { paint, rgbAt } from "./support.ts";

Deno.test("compositeOnWhite() rounds c·a + 255·(1 − a) for every colour and alpha", () => {
  for (let a = 0; a < 256; a++) {
    const rgba = new Uint8Array(4 * 256);
    for (let c = 0; c < 256; c++) rgba.set([c, 255 - c, 7, a], 4 * c);
    compositeOnWhite(rgba);
    for (let c = 0; c < 256; c++) {
      const want = [c, 255 - c, 7].map((v) => Math.round((v * a + 255 * (255 - a)) / 255));
      assert.deepEqual([...rgba.subarray(4 * c, 4 * c + 4)], [...want, 255]);
    }
  }
});

Deno.test("upright() puts the top left corner where each EXIF orientation says", () => {
  // Stored 3 × 2; red numbers the pixels 0 1 2 / 3 4 5. Expected rows as EXIF 2.3 draws them.
  const stored = paint(3, 2, (x, y, c) => c === 0 ? 3 * y + x : 0);
  const expected: Record<number, number[][]> = {
    1: [[0, 1, 2], [3, 4, 5]],
    2: [[2, 1, 0], [5, 4, 3]],
    3: [[5, 4, 3], [2, 1, 0]],
    4: [[3, 4, 5], [0, 1, 2]],
    5: [[0, 3], [1, 4], [2, 5]],
    6: [[3, 0], [4, 1], [5, 2]],
    7: [[5, 2], [4, 1], [3, 0]],
    8: [[2, 5], [1, 4], [0, 3]],
  };
  for (const [orientation, rows] of Object.entries(expected)) {
    const picture = upright(stored, Number(orientation));
    assert.equal(picture.height, rows.length);
    const got = rows.map((row, y) => row.map((_, x) => rgbAt(picture, x, y)[0]));
    assert.deepEqual(got, rows, `orientation ${orientation}`);
  }
  assert.equal(upright(stored, 9), stored);
});
