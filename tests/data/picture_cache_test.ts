import assert from "node:assert/strict";
import type { Picture } from "../../lib/data/image.ts";
import { PictureCache } from "../../lib/data/picture_cache.ts";
import { Rng } from "../../lib/rng.ts";

const picture = (bytes: number): Picture => ({
  width: bytes / 4,
  height: 1,
  data: new Uint8Array(bytes),
});

Deno.test("PictureCache keeps what fits, stays within its bytes and pushes nothing out", async () => {
  const loads: number[] = [];
  const cache = new PictureCache(100, (i) => {
    loads.push(i);
    return Promise.resolve(picture(i === 9 ? 200 : i === 5 ? 20 : 40));
  });
  for (const i of [9, 0, 1, 2, 2, 0, 1]) await cache.get(i); // 9 never fits, 2 no more after 0 and 1
  assert.deepEqual(loads, [9, 0, 1, 2, 2]);
  assert.equal(cache.bytes, 80);
  await cache.get(5); // a small one still does, to the last byte
  await cache.get(5);
  assert.deepEqual(loads, [9, 0, 1, 2, 2, 5]);
  assert.equal(cache.bytes, 100);
  assert.equal((await cache.get(9)).data.length, 200);
  assert.equal(cache.bytes, 100);
  cache.clear();
  assert.equal(cache.bytes, 0);
});

Deno.test("PictureCache of half the pictures answers half of every epoch in random order", async () => {
  const n = 400;
  let loads = 0;
  const cache = new PictureCache(4 * n / 2, () => {
    loads++;
    return Promise.resolve(picture(4));
  });
  for (let epoch = 0; epoch < 4; epoch++) {
    loads = 0;
    for (const i of new Rng(1, epoch, 0).permutation(n)) {
      await cache.get(i);
      assert.ok(cache.bytes <= 4 * n / 2);
    }
    assert.equal(loads, epoch === 0 ? n : n / 2);
  }
});

Deno.test("PictureCache asks once for concurrent requests and again after a failure", async () => {
  let loads = 0;
  const cache = new PictureCache(100, () => {
    loads++;
    return loads === 1 ? Promise.reject(new Error("first")) : Promise.resolve(picture(4));
  });
  const both = await Promise.allSettled([cache.get(0), cache.get(0)]);
  assert.deepEqual(both.map(({ status }) => status), ["rejected", "rejected"]);
  assert.equal(loads, 1);
  assert.equal((await cache.get(0)).width, 1);
  assert.equal(loads, 2);
});
