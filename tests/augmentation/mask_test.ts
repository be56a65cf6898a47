import assert from "node:assert/strict";
import fc from "fast-check";
import { blockMask, PatchMasks, Rng } from "../../lib/augmentation.ts";
import { maskedCounts, maskOptions, mostMasked, viewMask } from "../../lib/augmentation/mask.ts";
import { NO_ROW } from "../../lib/ops.ts";
import { gpuTest } from "../support/gpu.ts";

const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);
type Grid = [number, number];

Deno.test("blockMask() masks exactly as many patches as asked for, on any grid", () => {
  const grids = fc.tuple(fc.integer({ min: 1, max: 17 }), fc.integer({ min: 1, max: 17 }));
  const wanted = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(grids, wanted, fc.nat(), (grid, share, seed) => {
      const n = Math.round(share * grid[0] * grid[1]);
      const mask = blockMask(new Rng(seed), grid, n);
      assert.equal(mask.length, grid[0] * grid[1]);
      assert.equal(sum(mask), n);
      assert.ok(mask.every((m) => m === 0 || m === 1));
      assert.deepEqual(mask, blockMask(new Rng(seed), grid, n), "the same address, the same mask");
    }),
    { numRuns: 300, seed: 3 },
  );
  assert.equal(sum(blockMask(new Rng(0), [2, 2], 9)), 4, "no more than there are");
});

Deno.test("blockMask() masks blocks: neighbours alike, far more often than by chance", () => {
  const grid: Grid = [14, 14], n = 60;
  let alike = 0, pairs = 0, covered = new Float64Array(14 * 14);
  for (let seed = 0; seed < 200; seed++) {
    const mask = blockMask(new Rng(seed), grid, n);
    for (let i = 0; i < 14 * 14; i++) {
      covered[i] += mask[i] / 200;
      if (i % 14 === 13) continue;
      pairs += mask[i];
      alike += mask[i] * mask[i + 1];
    }
  }
  assert.ok(alike / pairs > 0.65, `${alike / pairs} of the right neighbours, 0.3 by chance`);
  covered = covered.map((share) => share * 196 / n);
  const range = [Math.min(...covered), Math.max(...covered)];
  // Blocks cover the middle more often than corners, but none is ever left out.
  assert.ok(range[0] > 0.05 && range[1] < 2.5, `places have ${range} of an even share`);
});

Deno.test("a block's aspect ratio is between 0.3 and 1 / 0.3, and both ways round are as frequent", () => {
  const ratios: number[] = [];
  for (let seed = 0; seed < 2000; seed++) {
    const mask = blockMask(new Rng(seed), [40, 40], 24);
    const at = [...mask.keys()].filter((i) => mask[i]);
    const side = (list: number[]) => Math.max(...list) - Math.min(...list) + 1;
    const [height, width] = [side(at.map((i) => Math.floor(i / 40))), side(at.map((i) => i % 40))];
    if (height * width === 24) ratios.push(height / width); // one block made the whole mask
  }
  assert.ok(ratios.length > 50, `only ${ratios.length} masks of one block`);
  // 3 × 8 is the flattest: √(24 · 0.3) = 2.7.
  assert.ok(ratios.every((ratio) => ratio >= 3 / 8 && ratio <= 8 / 3), `${new Set(ratios)}`);
  assert.equal(new Set(ratios).size, 4, "3 × 8, 4 × 6, 6 × 4, 8 × 3");
  const tall = ratios.filter((ratio) => ratio > 1).length / ratios.length;
  assert.ok(tall > 0.35 && tall < 0.65, `${tall} are tall`);
});

Deno.test("a share of the views is masked, by shares that spread evenly over their range", () => {
  for (const [maskProb, views] of [[0.5, 2], [0.3, 2], [1, 3], [0.05, 1], [0.5, 1], [1 / 3, 3]]) {
    const options = maskOptions({ maskProb }), patches = 1000, pictures = 2000;
    const bins = new Float64Array(8);
    let masked = 0;
    for (let image = 0; image < pictures; image++) {
      const counts = maskedCounts(options, patches, views, { seed: 1, epoch: 2, image });
      const n = counts.filter((count) => count > 0).length;
      assert.ok(n >= Math.floor(views * maskProb) && n <= Math.ceil(views * maskProb));
      masked += n;
      for (const count of counts.filter((count) => count > 0)) {
        assert.ok(count >= 100 && count <= 500, `${count}`);
        bins[Math.min(7, Math.floor((count - 100) / 50))]++;
      }
    }
    const expected = maskProb * views * pictures;
    assert.ok(Math.abs(masked - expected) <= 4 * Math.sqrt(pictures / 4), `${masked}, ${expected}`);
    bins.forEach((n) => {
      assert.ok(Math.abs(n - masked / 8) <= 4.5 * Math.sqrt(masked / 8), `${bins}`);
    });
  }
});

Deno.test("each view of a picture is masked equally often, and with 0.5 one of two", () => {
  const options = maskOptions(), first = [0, 0];
  for (let image = 0; image < 1000; image++) {
    const counts = maskedCounts(options, 49, 2, { seed: 5, epoch: 0, image });
    assert.equal(counts.filter((count) => count > 0).length, 1);
    first[counts[0] > 0 ? 0 : 1]++;
  }
  assert.ok(Math.abs(first[0] - 500) < 65, `${first}`);
});

Deno.test("masks differ between seeds, epochs, pictures and views", () => {
  const address = { seed: 1, epoch: 1, image: 1 };
  const masks = [
    viewMask([16, 16], 100, address, 0),
    viewMask([16, 16], 100, address, 1),
    viewMask([16, 16], 100, { ...address, seed: 2 }, 0),
    viewMask([16, 16], 100, { ...address, epoch: 2 }, 0),
    viewMask([16, 16], 100, { ...address, image: 2 }, 0),
  ];
  assert.equal(new Set(masks.map((mask) => mask.join())).size, masks.length);
});

Deno.test("mask options out of range are named", () => {
  for (const maskProb of [0, -0.1, 1.1, NaN]) {
    assert.throws(
      () => maskOptions({ maskProb }),
      /maskProb to be above 0 and at most 1 but found/,
    );
  }
  for (const [maskRatioMin, maskRatioMax] of [[-0.1, 0.5], [0.5, 0.4], [0.1, 1.1], [NaN, 0.5]]) {
    assert.throws(
      () => maskOptions({ maskRatioMin, maskRatioMax }),
      /0 ≤ maskRatioMin ≤ maskRatioMax ≤ 1/,
    );
  }
});

/** What the buffers of masks say, read from the GPU. */
async function read(masks: PatchMasks) {
  const [mask, rows] = [await masks.mask.readU32(), await masks.rows.readU32()];
  return { mask, rows, weights: await masks.weights.read() };
}

for (const grid of [[1, 1], [2, 2], [3, 5], [14, 14]] as Grid[]) {
  gpuTest(
    `PatchMasks gives mask, rows and weights of one batch on a grid of ${grid}`,
    async (gpu) => {
      // Registers before the patches, as many as there are rows of patches, or no token at all.
      const patches = grid[0] * grid[1], batchSize = 6, prefix = grid[0] > 1 ? grid[0] : 0;
      const masks = new PatchMasks(gpu, { grid, batchSize, prefix });
      const empty = await read(masks);
      assert.ok(empty.rows.every((row) => row === NO_ROW) && sum(empty.weights) === 0);
      for (let epoch = 0; epoch < 3; epoch++) {
        masks.update({ seed: 3, epoch, indices: [4, 8, 15, 16, 23, 42] });
        const { mask, rows, weights } = await read(masks);
        const named = [...rows.slice(0, masks.count)];
        const found = Array.from(mask, (_, i) => i).filter((i) => mask[i])
          .map((i) => Math.floor(i / patches) * (prefix + patches) + prefix + i % patches);
        assert.deepEqual(named, found, "rows are those of the mask, in order");
        assert.ok(rows.slice(masks.count).every((row) => row === NO_ROW));
        assert.ok(weights.slice(masks.count).every((weight) => weight === 0));
        assert.ok(Math.abs(sum(weights) - 1) < 1e-6, "with 0.5 of two views, exactly B are masked");
        for (let sample = 0; sample < 12; sample++) {
          const own = sum(mask.subarray(sample * patches, (sample + 1) * patches));
          const share = sum(
            weights.filter((_, m) => Math.floor(rows[m] / (prefix + patches)) === sample),
          );
          assert.ok(own === 0 ? share === 0 : Math.abs(share - 1 / batchSize) < 1e-6);
          assert.ok(own <= Math.max(1, patches / 2), `${own} of ${patches}`);
        }
      }
      masks.destroy();
    },
  );
}

gpuTest(
  "PatchMasks are the same whatever the batch, and micro-batches add up to it",
  async (gpu) => {
    const indices = [3, 1, 4, 15, 9, 26, 5, 35], grid: Grid = [5, 4], patches = 20;
    const of = async (size: number) => {
      const masks = new PatchMasks(gpu, { grid, batchSize: size, maskProb: 0.3 });
      const views = new Map<string, string>();
      let total = 0;
      for (let at = 0; at < indices.length; at += size) {
        const batch = indices.slice(at, at + size);
        masks.update({ seed: 2 ** 40, epoch: 7, indices: batch });
        const { mask, weights } = await read(masks);
        total += sum(weights) * size / indices.length;
        batch.forEach((image, b) => {
          for (const view of [0, 1]) {
            const from = (view * size + b) * patches;
            views.set(`${image}/${view}`, mask.slice(from, from + patches).join());
          }
        });
      }
      masks.destroy();
      return { views, total };
    };
    const whole = await of(8);
    for (const size of [1, 2, 4]) {
      const { views, total } = await of(size);
      assert.deepEqual(
        views,
        new Map([...whole.views].map(([key]) => [key, whole.views.get(key)!])),
      );
      assert.ok(Math.abs(total - whole.total) < 1e-6);
    }
  },
);

Deno.test("no batch has more masked patches than were made room for", () => {
  const settings = fc.record({
    maskProb: fc.double({ min: 0.01, max: 1, noNaN: true }),
    maskRatioMin: fc.double({ min: 0, max: 0.5, noNaN: true }),
    maskRatioMax: fc.double({ min: 0.5, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(
      settings,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 50 }),
      fc.nat(),
      (given, views, patches, seed) => {
        const options = maskOptions(given), batch = 5;
        let masked = 0;
        for (let image = 0; image < batch; image++) {
          const counts = maskedCounts(options, patches, views, { seed, epoch: 0, image });
          assert.ok(counts.every((count) => count <= patches));
          masked += sum(counts);
        }
        assert.ok(masked <= mostMasked(options, { views, batch, patches }));
      },
    ),
    { numRuns: 500, seed: 5 },
  );
});

gpuTest("PatchMasks says which option or batch does not fit", (gpu) => {
  const grid: Grid = [3, 3];
  assert.throws(
    () => new PatchMasks(gpu, { grid, batchSize: 1, prefix: -1 }),
    /expected prefix to be whole and at least 0 but found -1/,
  );
  assert.throws(
    () => new PatchMasks(gpu, { grid: [3, 0], batchSize: 1 }),
    /expected cols .* found 0/,
  );
  assert.throws(
    () => new PatchMasks(gpu, { grid, batchSize: 1.5 }),
    /expected batchSize .* found 1\.5/,
  );
  const masks = new PatchMasks(gpu, { grid, batchSize: 2 });
  assert.throws(
    () => masks.update({ seed: 0, epoch: 0, indices: [1] }),
    /expected 2 indices but found 1/,
  );
  masks.destroy();
});
