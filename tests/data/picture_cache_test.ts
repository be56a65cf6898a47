import assert from "node:assert/strict";
import type { Picture } from "../../lib/data/image.ts";
import { PictureCache } from "../../lib/data/picture_cache.ts";

const picture = (bytes: number): Picture => ({
  width: bytes / 4,
  height: 1,
  data: new Uint8Array(bytes),
});

Deno.test("PictureCache stays within its bytes and drops the least recently used first", async () => {
  const loads: number[] = [];
  const cache = new PictureCache(100, (i) => {
    loads.push(i);
    return Promise.resolve(picture(i === 9 ? 200 : 40));
  });
  for (const i of [0, 1, 0, 2, 0, 1]) await cache.get(i); // 2 pushes 1 out, 1 pushes 2 out
  assert.deepEqual(loads, [0, 1, 2, 1]);
  assert.equal(cache.bytes, 80);
  assert.equal((await cache.get(9)).data.length, 200); // too large to keep, and pushes nothing out
  assert.equal(cache.bytes, 80);
  await cache.get(0);
  assert.deepEqual(loads, [0, 1, 2, 1, 9]);
  cache.clear();
  assert.equal(cache.bytes, 0);
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
