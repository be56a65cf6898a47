/** Every kind of file beside what Pillow decodes from it: tests/data/fixtures/make_pictures.py. */
import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { decodePicture } from "../../lib/data/decode.ts";
import { exifOrientation } from "../../lib/data/formats/exif.ts";
import { upright } from "../../lib/data/image.ts";
import golden from "./fixtures/pictures.json" with { type: "json" };
import { decodeTest, paint, rgbAt } from "./support.ts";

const base64 = (text: string) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const hex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (s) => parseInt(s, 16));

/**
 * Most levels by which a value may differ, as measured. JPEG: the inverse DCT, the interpolation of chroma
 * and the conversion of colours may round otherwise. All else is exact.
 */
const TOLERANCES: [files: RegExp, levels: number][] = [
  [/^jpeg_gray/, 0],
  [/^jpeg_(420|422|progressive_420|ycck)\.jpg$/, 2],
  [/^jpeg/, 1],
];

for (const format of ["jpeg", "png", "gif", "webp"]) {
  decodeTest(`decodePicture() gives what Pillow gives for every kind of ${format}`, async () => {
    const files = Object.entries(golden.pictures).filter(([name]) => name.startsWith(format));
    assert.ok(files.length >= 5);
    for (const [name, deflated] of files) {
      const expected = new Uint8Array(inflateSync(base64(deflated)));
      const file = await Deno.readFile(new URL(`./fixtures/pictures/${name}`, import.meta.url));
      const got = await decodePicture(file, Infinity, 4);
      assert.deepEqual([got.width, got.height, got.channels], [golden.width, golden.height, 4]);
      const colours = got.data.subarray(0, expected.length);
      const alphas = got.data.subarray(expected.length);
      let most = 0;
      for (let i = 0; i < expected.length; i++) {
        const alpha = expected[i | 3];
        if (i % 4 === 3) assert.equal(alphas[i - 3], alpha, `${name}: alpha`);
        else if (alpha > 0) most = Math.max(most, Math.abs(colours[i] - expected[i]));
      }
      const levels = TOLERANCES.find(([files]) => files.test(name))?.[1] ?? 0;
      assert.ok(most <= levels, `${name}: differs by ${most} levels`);
    }
  });
}

Deno.test("upright() does what Pillow's exif_transpose() does", () => {
  const stored = paint(4, 3, (x, y) => 4 * y + x);
  for (const [orientation, rows] of Object.entries(golden.orientations)) {
    const picture = upright(stored, Number(orientation));
    const got = rows.map((row, y) => row.map((_, x) => rgbAt(picture, x, y)[0]));
    assert.deepEqual([picture.width, got], [rows[0].length, rows], `orientation ${orientation}`);
  }
});

Deno.test("exifOrientation() finds what Pillow finds in sound and damaged blocks", () => {
  const found = new Set<number>();
  for (const [block, orientation] of golden.exif as [string, number][]) {
    assert.equal(exifOrientation(hex(block)), orientation, block);
    found.add(orientation);
  }
  assert.ok(found.size >= 5);
});
