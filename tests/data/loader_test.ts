import assert from "node:assert/strict";
import { DamagedPictureError, type Dataset } from "../../lib/data/dataset.ts";
import { type Batch, Loader } from "../../lib/data/loader.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { paint } from "./support.ts";

/** Pictures of different sizes whose red is their index; `delay` shuffles the order of arrival. */
function numbered(length: number, damaged: number[] = [], delay = (_: number) => 0): Dataset {
  return {
    name: "numbered",
    length,
    largestPixels: 12,
    picture: async (i) => {
      for (let turns = delay(i); turns > 0; turns--) await Promise.resolve();
      if (damaged.includes(i)) throw new DamagedPictureError(`picture ${i}`);
      return paint(1 + i % 4, 1 + i % 3, (x, y, c) => [i, x, y][c]);
    },
    id: (i) => `picture ${i}`,
    skipped: [],
  };
}

const plainBatch = ({ pixels, usedPixels, table, step, epoch, indices }: Batch) => ({
  step,
  epoch,
  indices,
  pixels: [...pixels.subarray(0, usedPixels)],
  table: [...table],
});

Deno.test("Loader.batch() packs every picture at its offset", async () => {
  const loader = new Loader(numbered(20), { batchSize: 6, seed: 1 });
  assert.deepEqual([loader.stepsPerEpoch, loader.capacityPixels], [3, 72]);
  const { pixels, table, indices, usedPixels, epoch, step } = await loader.batch(4);
  assert.deepEqual([epoch, step, pixels.length], [1, 4, 72]);
  let offset = 0;
  indices.forEach((index, b) => {
    const [width, height] = [1 + index % 4, 1 + index % 3];
    assert.deepEqual([...table.subarray(4 * b, 4 * b + 4)], [offset, width, height, 0]);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const pixel = pixels[offset + y * width + x];
        assert.equal(pixel, (0xff000000 | y << 16 | x << 8 | index) >>> 0); // red is lowest
      }
    }
    offset += width * height;
  });
  assert.equal(usedPixels, offset);
  loader.close();
});

Deno.test("Loader shows every picture once per epoch but for the remainder, in a new order", () => {
  const loader = new Loader(numbered(23), { batchSize: 5, seed: 7 });
  const epoch = (e: number) =>
    Array.from({ length: 4 }, (_, s) => [...loader.indices(4 * e + s)]).flat();
  for (const e of [0, 1, 5]) assert.equal(new Set(epoch(e)).size, 20);
  assert.notDeepEqual(epoch(0), epoch(1));
  assert.deepEqual(epoch(1), epoch(1));
  const other = new Loader(numbered(23), { batchSize: 5, seed: 8 });
  assert.notDeepEqual([...other.indices(0)], [...loader.indices(0)]);
  const whole = new Loader(numbered(23), { batchSize: 10, seed: 7 });
  assert.deepEqual([...whole.indices(0)], epoch(0).slice(0, 10)); // the order ignores the batch size
});

Deno.test("Loader.batch() depends on the step only, not on speed, prefetch or history", async () => {
  const slow = numbered(23, [4, 5, 11], (i) => (i * 37) % 11);
  const first = new Loader(slow, { batchSize: 5, seed: 3, prefetch: 3 });
  const inOrder = [];
  for (let step = 0; step < 9; step++) {
    const batch = await first.batch(step);
    inOrder.push(plainBatch(batch));
    first.release(batch);
  }
  const second = new Loader(numbered(23, [4, 5, 11]), { batchSize: 5, seed: 3, prefetch: 0 });
  for (const step of [8, 0, 3, 3, 7, 1]) {
    assert.deepEqual(plainBatch(await second.batch(step)), inOrder[step]);
  }
  for (const step of [2, 6, 5]) {
    assert.deepEqual(plainBatch(await first.batch(step)), inOrder[step]);
  }
  first.close();
  second.close();
});

Deno.test("Loader puts the next sound picture in the place of a damaged one", async () => {
  const loader = new Loader(numbered(8, [6, 7, 2]), { batchSize: 8, seed: 2, prefetch: 0 });
  const wanted = loader.indices(0);
  const { indices } = await loader.batch(0);
  assert.deepEqual([...indices], [...wanted].map((i) => i === 6 || i === 7 ? 0 : i === 2 ? 3 : i));
  const none = new Loader(numbered(3, [0, 1, 2]), { batchSize: 2, seed: 2 });
  await assert.rejects(none.batch(0), /Every one of the 3 pictures of numbered is damaged/);
});

Deno.test("Loader prepares the next batches ahead and never hands a buffer out twice", async () => {
  const asked: number[] = [];
  const data = numbered(40);
  const loader = new Loader({
    ...data,
    picture: (i) => {
      asked.push(i);
      return data.picture(i);
    },
  }, { batchSize: 4, seed: 9, prefetch: 2 });
  const batches = [await loader.batch(0)];
  assert.equal(asked.length, 12); // the step itself and two ahead
  for (let step = 1; step < 5; step++) batches.push(await loader.batch(step));
  assert.equal(new Set(batches.map(({ pixels }) => pixels)).size, 5);
  // Given back, even twice by mistake, a buffer is used again, but by one batch at a time.
  const seen = new Set<Uint32Array>();
  for (let step = 5; step < 30; step++) {
    const [batch, held] = [await loader.batch(step), await loader.batch(step + 1)];
    assert.notEqual(batch.pixels, held.pixels);
    for (const { pixels } of [batch, held]) seen.add(pixels);
    for (const done of [batch, batch, held]) loader.release(done);
  }
  assert.ok(seen.size <= 6, `${seen.size} buffers: two in use, two ahead, two being dropped`);
  loader.close();
  await assert.rejects(loader.batch(0), /closed/);
});

Deno.test("Loader reports other failures for the step that is asked for, not before", async () => {
  const data = numbered(8);
  const bad = new Loader(data, { batchSize: 4, seed: 1 }).indices(1)[0];
  const loader = new Loader({
    ...data,
    picture: (i) => i === bad ? Promise.reject(new HatchlingError("disk gone")) : data.picture(i),
  }, { batchSize: 4, seed: 1 });
  assert.equal((await loader.batch(0)).step, 0);
  await assert.rejects(loader.batch(1), /disk gone/);
  loader.close();
});

Deno.test("Loader.batch() gives the pictures of one large batch in several when they accumulate", async () => {
  const whole = new Loader(numbered(26), { batchSize: 8, seed: 3 });
  const parts = new Loader(numbered(26), { batchSize: 2, accumulationSteps: 4, seed: 3 });
  assert.deepEqual([parts.stepsPerEpoch, parts.batchesPerEpoch], [3, 12]);
  for (const step of [0, 2, 3, 7]) {
    const { indices, epoch } = await whole.batch(step);
    const found = await Promise.all([0, 1, 2, 3].map((m) => parts.batch(4 * step + m)));
    assert.deepEqual(found.flatMap((batch) => [...batch.indices]), [...indices]);
    assert.ok(found.every((batch) => batch.epoch === epoch));
  }
  assert.throws(
    () => new Loader(numbered(7), { batchSize: 2, accumulationSteps: 4, seed: 0 }),
    /batch of 2 × 4 .* lower data\.batch_size to 1 or less/,
  );
});

Deno.test("Loader throws when the numbers cannot work", async () => {
  const make = (batchSize: number, seed = 0, prefetch = 2) => () =>
    new Loader(numbered(8), { batchSize, seed, prefetch });
  assert.throws(
    make(9),
    /batch of 9 pictures but numbered has only 8: lower data\.batch_size to 8/,
  );
  assert.throws(make(0), /data\.batch_size of at least 1/);
  assert.throws(make(2, -1), /seed/);
  assert.throws(make(2, 0, -1), /prefetch/);
  const loader = make(2)();
  await assert.rejects(loader.batch(-1), HatchlingError);
  await assert.rejects(loader.batch(0.5), HatchlingError);
  const small = new Loader({ ...numbered(8), largestPixels: 3 }, { batchSize: 8, seed: 0 });
  await assert.rejects(small.batch(0), /at most 3 pixels of 3 channels, 4 bytes each, but found/);
});
