/**
 * (seed, epoch, image, view) fixes a crop and its colours bit for bit: whatever the batch size, the number of
 * workers, the cache, the point where a run goes on and the order of requests. From files to views.
 */
import assert from "node:assert/strict";
import { type AugmentationInput, MultiCrop } from "../lib/augmentation.ts";
import { openFolder } from "../lib/data/folder.ts";
import { Loader } from "../lib/data/loader.ts";
import type { Gpu } from "../lib/gpu.ts";
import { png, put } from "./data/support.ts";
import { gpuTest } from "./support/gpu.ts";
import { withFolder } from "./support/permissions.ts";

const OPTIONS: AugmentationInput = {
  globalCropSize: 16,
  localCropSize: 9,
  numLocalViews: 2,
  views: { global2: { solarizationProb: 0.5 } },
};
const PICTURES = 13, SEED = 42;

/** Views by address, "epoch/image/view", as text of their bits. */
type Views = Map<string, string>;

interface Way {
  batchSize: number;
  numWorkers?: number;
  cacheBytes?: number;
  /** Steps to ask for, in this order; by default those of two epochs, in order. */
  steps?: (perEpoch: number) => number[];
}

async function collect(gpu: Gpu, folder: string, way: Way): Promise<Views> {
  const { batchSize, numWorkers = 1, cacheBytes = 2 ** 20 } = way;
  const dataset = await openFolder(folder, { numWorkers, cacheBytes, maxPixels: 600 });
  const loader = new Loader(dataset, { batchSize, seed: SEED });
  const crops = new MultiCrop(gpu, OPTIONS, batchSize);
  const pixels = gpu.persistent([loader.capacityPixels]), table = gpu.persistent([batchSize, 4]);
  const steps = way.steps?.(loader.stepsPerEpoch) ??
    Array.from({ length: 2 * loader.stepsPerEpoch }, (_, step) => step);
  const views: Views = new Map();
  for (const step of steps) {
    const batch = await loader.batch(step);
    const { epoch, indices } = batch;
    pixels.view([batch.usedPixels]).write(batch.pixels.subarray(0, batch.usedPixels));
    table.write(batch.table);
    crops.update({ seed: SEED, epoch, indices, table: batch.table });
    const groups = crops.forward(pixels, table);
    const values = await gpu.read(groups);
    let view = 0;
    groups.forEach(({ shape: [n, ...size] }, g) => {
      const floats = size.reduce((a, b) => a * b);
      for (let i = 0; i < n; i++) {
        const bits = values[g].subarray(i * floats, (i + 1) * floats).join();
        views.set(
          `${epoch}/${dataset.id(indices[i % batchSize])}/${view + Math.floor(i / batchSize)}`,
          bits,
        );
      }
      view += n / batchSize;
    });
    for (const tensor of groups) tensor.destroy();
    loader.release(batch);
  }
  loader.close();
  for (const part of [crops, pixels, table]) part.destroy();
  dataset.close?.();
  return views;
}

/** Every view that both know is the same; at least `least` are shared. */
function same(found: Views, expected: Views, least: number): void {
  let shared = 0;
  for (const [address, bits] of found) {
    const other = expected.get(address);
    if (other === undefined) continue;
    shared++;
    assert.equal(bits, other, address);
  }
  assert.ok(shared >= least, `only ${shared} views in common`);
}

/** Small pictures of different sizes, one of them damaged where its header does not show it. */
async function fill(folder: string): Promise<void> {
  for (let i = 0; i < PICTURES; i++) {
    const [width, height] = [20 + i, 40 - i];
    const sample = (x: number, y: number, c: number) => (x * y + 31 * c * x + 17 * i * y) & 255;
    const picture = png({ width, height, sample });
    if (i === 5) picture[picture.length - 20] ^= 1; // the next one takes its place
    await put(folder, `${i}.png`, picture);
  }
}

let base: Promise<Views> | undefined;

function wayTest(name: string, way: Way, least: number): void {
  gpuTest(`a view is the same bit for bit with ${name}`, async (gpu) => {
    await withFolder(async (folder) => {
      await fill(folder);
      const expected = await (base ??= collect(gpu, folder, { batchSize: 6 }));
      assert.equal(new Set(expected.values()).size, expected.size, "all views differ");
      same(await collect(gpu, folder, way), expected, least);
    });
  }, ["read", "write", "env"]);
}

const BOTH = 2 * 4 * 11; // epochs, views, pictures: at most two of them may differ between the ways

wayTest("the same settings once more", { batchSize: 6 }, BOTH);
wayTest("4 workers", { batchSize: 6, numWorkers: 4 }, BOTH);
wayTest("no cache", { batchSize: 6, numWorkers: 2, cacheBytes: 0 }, BOTH);
wayTest("batches of one", { batchSize: 1 }, BOTH);
wayTest("one batch for all", { batchSize: PICTURES, numWorkers: 3 }, BOTH);
wayTest("a run that goes on within an epoch", { batchSize: 6, steps: () => [1, 2, 3] }, 60);
wayTest("steps asked for backwards", { batchSize: 6, steps: (n) => [2 * n - 1, n, 1, 0] }, BOTH);
