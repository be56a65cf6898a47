import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { crc32 as zlib } from "node:zlib";
import { crc32, plainCrc32, Sha256, sha256 } from "../../lib/io/digests.ts";

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * i >> 3);

Deno.test("SHA-256 in plain TypeScript is the system's, whatever the pieces", () => {
  for (let length = 0; length < 200; length++) {
    const some = bytes.subarray(0, length);
    const expected = createHash("sha256").update(some).digest("hex");
    assert.equal(new Sha256().update(some).digest("hex"), expected, `${length} bytes`);
    assert.equal(sha256().update(some).digest("hex"), expected);
  }
  const pieces = new Sha256();
  for (let at = 0, size = 1; at < bytes.length; at += size++) {
    pieces.update(bytes.subarray(at, at + size));
  }
  const expected = createHash("sha256").update(bytes).update("größer").digest("hex");
  assert.equal(pieces.update("größer").digest("hex"), expected);
});

Deno.test("CRC-32 in plain TypeScript is zlib's, whatever the pieces", () => {
  for (const length of [0, 1, 9, 1000]) {
    const some = bytes.subarray(0, length);
    assert.equal(plainCrc32(some), zlib(some));
    assert.equal(crc32(some), zlib(some));
  }
  assert.equal(plainCrc32(bytes.subarray(7), plainCrc32(bytes.subarray(0, 7))), zlib(bytes));
});
