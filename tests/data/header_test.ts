import assert from "node:assert/strict";
import { HatchlingError } from "../../lib/errors.ts";
import { MAX_DECODED_PIXELS, readHeader, readOrientation, sniff } from "../../lib/data/header.ts";
import gif from "./fixtures/animated.gif" with { type: "bytes" };
import animated from "./fixtures/pictures/webp_animated_lossy.webp" with { type: "bytes" };
import lossless from "./fixtures/pictures/webp_lossless.webp" with { type: "bytes" };
import lossy from "./fixtures/pictures/webp_lossy.webp" with { type: "bytes" };
import extended from "./fixtures/pictures/webp_profile.webp" with { type: "bytes" };
import jpeg from "./fixtures/rgb.jpg" with { type: "bytes" };
import progressive from "./fixtures/progressive.jpg" with { type: "bytes" };
import { concat, plain } from "./support.ts";

/** The JPEG with an EXIF segment after SOI that says `orientation`, in either byte order. */
function withOrientation(orientation: number, little: boolean): Uint8Array {
  const tiff = new DataView(new ArrayBuffer(8 + 2 + 24));
  tiff.setUint16(0, little ? 0x4949 : 0x4d4d);
  tiff.setUint16(2, 42, little);
  tiff.setUint32(4, 8, little);
  tiff.setUint16(8, 2, little);
  const entry = (at: number, tag: number, value: number) => {
    tiff.setUint16(at, tag, little);
    tiff.setUint16(at + 2, 3, little);
    tiff.setUint32(at + 4, 1, little);
    tiff.setUint16(at + 8, value, little);
  };
  entry(10, 0x0100, 99);
  entry(22, 0x0112, orientation);
  const body = concat([new TextEncoder().encode("Exif\0\0"), new Uint8Array(tiff.buffer)]);
  const marker = Uint8Array.of(0xff, 0xe1, 0, body.length + 2);
  return concat([jpeg.subarray(0, 2), marker, body, jpeg.subarray(2)]);
}

const reason = (bytes: Uint8Array, pattern: RegExp) =>
  assert.throws(() => readHeader(bytes, true), (error: Error) => {
    assert.ok(error instanceof HatchlingError);
    assert.match(error.message, pattern);
    return true;
  });

Deno.test("readHeader() reads format and size of PNG, JPEG, GIF and WebP", () => {
  const size = (bytes: Uint8Array) => {
    const { format, width, height } = readHeader(bytes, true)!;
    return [format, width, height];
  };
  assert.deepEqual(size(plain(300, 7, [1, 2, 3])), ["PNG", 300, 7]);
  assert.deepEqual(size(jpeg), ["JPEG", 16, 24]);
  assert.deepEqual(size(progressive), ["JPEG", 16, 24]);
  assert.deepEqual(size(gif), ["GIF", 6, 4]);
  for (const webp of [lossy, lossless, extended, animated]) {
    assert.deepEqual(size(webp), ["WebP", 21, 17]);
  }
});

Deno.test("readOrientation() reads the EXIF orientation in both byte orders", () => {
  for (let orientation = 1; orientation <= 8; orientation++) {
    for (const little of [true, false]) {
      const file = withOrientation(orientation, little);
      assert.equal(readOrientation(file, "JPEG"), orientation);
    }
  }
  assert.equal(readOrientation(withOrientation(9, true), "JPEG"), 1);
  assert.equal(readOrientation(withOrientation(0, false), "JPEG"), 1);
});

Deno.test("readHeader() asks for more only when the given beginning is not the whole file", () => {
  for (
    const file of [plain(3, 3, [0, 0, 0]), withOrientation(6, true), gif, lossy, lossless, extended]
  ) {
    let needed = 12;
    for (; readHeader(file.subarray(0, needed), false) === undefined; needed++);
    assert.ok(needed > 12 && needed < 800, `${needed} bytes`);
    reason(file.subarray(0, needed - 1), /file ends before its size is stated/);
  }
});

Deno.test("readHeader() says what is wrong when this is no picture", () => {
  reason(new Uint8Array(), /empty \(0 bytes\)/);
  reason(new TextEncoder().encode("hello, I am a text"), /starts with "hello, I am "/);
  reason(new TextEncoder().encode("BM12345678901234"), /BMP/);
  const bad = jpeg.slice();
  bad.set([0, 1], bad.indexOf(0xdb) + 1); // the length of the first quantisation table
  reason(bad, /damaged JPEG: a segment of length 1 at byte 20/);
  const flat = plain(1, 1, [0, 0, 0]);
  flat.fill(0, 16, 20);
  reason(flat, /its size is 0 × 1/);
  assert.equal(sniff(new Uint8Array(3)), undefined);
});

Deno.test("readHeader() refuses a bomb by what its header states", () => {
  const bomb = plain(1, 1, [0, 0, 0]);
  new DataView(bomb.buffer).setUint32(16, 60000);
  new DataView(bomb.buffer).setUint32(20, 60000);
  const strip = plain(1, 1, [0, 0, 0]);
  new DataView(strip.buffer).setUint32(16, 10_000_001);
  reason(strip, /10000001 × 1 pixels, and a side may have 10000000 at most/);
  reason(bomb, new RegExp(`60000 × 60000 pixels, more than the limit of ${MAX_DECODED_PIXELS}`));
});
