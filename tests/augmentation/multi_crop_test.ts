/** The multi-crop augmentation as training uses it. */
import assert from "node:assert/strict";
import { applyOps, type AugmentationInput, MultiCrop, sampleView } from "../../lib/augmentation.ts";
import { type Gpu, record } from "../../lib/gpu.ts";
import { Rng } from "../../lib/rng.ts";
import { gpuTest } from "../support/gpu.ts";

const OPTIONS: AugmentationInput = {
  globalCropSize: 24,
  localCropSize: 11,
  numLocalViews: 3,
  views: { global2: { solarizationProb: 0.5 } },
};
const FRAME = { seed: 11, epoch: 4 };

/** Picture i of a data set: its size and its pixels depend on i alone. */
function picture(i: number): { width: number; height: number; pixels: Uint32Array } {
  const rng = new Rng(99, i);
  const [width, height] = [20 + rng.int(30), 20 + rng.int(30)];
  return { width, height, pixels: Uint32Array.from({ length: width * height }, () => rng.u32()) };
}

/** Packs pictures behind `gap` unused pixels. */
function pack(indices: number[], gap = 0): { pixels: Uint32Array; table: Uint32Array } {
  const parts = indices.map(picture);
  const table = new Uint32Array(4 * indices.length);
  const pixels = new Uint32Array(gap + parts.reduce((sum, p) => sum + p.pixels.length, 0));
  let offset = gap;
  parts.forEach((part, b) => {
    table.set([offset, part.width, part.height], 4 * b);
    pixels.set(part.pixels, offset);
    offset += part.pixels.length;
  });
  return { pixels, table };
}

/** All views `[view][b]` of a batch, as bits. */
async function views(gpu: Gpu, indices: number[], gap = 0): Promise<string[][]> {
  const { pixels, table } = pack(indices, gap);
  const crops = new MultiCrop(gpu, OPTIONS, indices.length);
  const inputs = [gpu.tensor(pixels), gpu.tensor(table, [indices.length, 4])];
  crops.update({ ...FRAME, indices, table });
  const groups = crops.forward(inputs[0], inputs[1]);
  const values = await gpu.read(groups);
  for (const tensor of [...inputs, ...groups]) tensor.destroy();
  crops.destroy();
  return groups.flatMap(({ shape: [n, c, h, w] }, g) =>
    Array.from({ length: n / indices.length }, (_, v) =>
      indices.map((_, b) => {
        const size = c * h * w;
        const start = (v * indices.length + b) * size;
        return values[g].subarray(start, start + size).join();
      }))
  );
}

gpuTest("MultiCrop makes bit-equal views whatever the batch and the place in it", async (gpu) => {
  const batch = await views(gpu, [7, 3, 12, 5, 8]);
  const other = await views(gpu, [5, 7], 77);
  assert.equal(batch.length, 5);
  for (let view = 0; view < 5; view++) {
    const alone = await views(gpu, [12]);
    assert.equal(alone[view][0], batch[view][2]);
    assert.equal(other[view][0], batch[view][3]);
    assert.equal(other[view][1], batch[view][0]);
  }
  assert.equal(new Set(batch.flat().map((v) => v.slice(0, 200))).size, 25, "all views differ");
});

gpuTest("MultiCrop applies what sampleView() says, view-major with globals first", async (gpu) => {
  const indices = [2, 9];
  const { pixels, table } = pack(indices);
  const found = await views(gpu, indices);
  const crops = new MultiCrop(gpu, OPTIONS, 2);
  const inputs = [gpu.tensor(pixels), gpu.tensor(table, [2, 4])];
  for (let view = 0; view < 5; view++) {
    const samples = indices.map((image, b) => {
      const [width, height] = [table[4 * b + 1], table[4 * b + 2]];
      return sampleView(crops.options, { ...FRAME, image, view, width, height });
    });
    const out = applyOps(gpu, inputs[0], inputs[1], samples);
    const size = view < 2 ? 24 : 11;
    assert.deepEqual(out.shape, [2, 3, size, size]);
    const values = await out.read();
    assert.equal(values.join(), found[view].join());
    assert.deepEqual(crops.describe({ ...FRAME, ...samples[1] })[view], samples[1]);
    out.destroy();
  }
  for (const tensor of inputs) tensor.destroy();
  crops.destroy();
});

gpuTest("MultiCrop follows every update when recorded once", async (gpu) => {
  const { pixels, table } = pack([1, 2]);
  const crops = new MultiCrop(gpu, OPTIONS, 2);
  const inputs = [gpu.tensor(pixels), gpu.tensor(table, [2, 4])];
  const program = await record(gpu, () => crops.forward(inputs[0], inputs[1]));
  for (const epoch of [0, 1]) {
    crops.update({ seed: 1, epoch, indices: [1, 2], table });
    program.run();
    const replayed = await gpu.read(program.outputs);
    const eager = crops.forward(inputs[0], inputs[1]);
    assert.deepEqual(await gpu.read(eager), replayed);
    for (const tensor of eager) tensor.destroy();
  }
  program.destroy();
  crops.destroy();
  for (const tensor of inputs) tensor.destroy();
});

gpuTest("MultiCrop makes one tensor when there are no local views", (gpu) => {
  const { pixels, table } = pack([1]);
  const crops = new MultiCrop(gpu, { ...OPTIONS, numLocalViews: 0 }, 1);
  const inputs = [gpu.tensor(pixels), gpu.tensor(table, [1, 4])];
  crops.update({ ...FRAME, indices: [1], table });
  const groups = crops.forward(inputs[0], inputs[1]);
  assert.deepEqual(groups.map(({ shape }) => shape), [[2, 3, 24, 24]]);
  for (const tensor of [...inputs, ...groups]) tensor.destroy();
  crops.destroy();
});

gpuTest("MultiCrop refuses a batch of another size, and bad options", (gpu) => {
  const named = (message: RegExp) => ({ name: "HatchlingError", message });
  const crops = new MultiCrop(gpu, OPTIONS, 2);
  const table = gpu.tensor(new Uint32Array(4), [1, 4]);
  assert.throws(
    () => crops.update({ ...FRAME, indices: [1], table: [0, 1, 1, 0] }),
    named(/2 ind/),
  );
  assert.throws(() => crops.forward(table, table), named(/table \[2, 4\]/));
  assert.throws(() => new MultiCrop(gpu, OPTIONS, 0), named(/batch size/));
  assert.throws(() => new MultiCrop(gpu, { hue: 1 }, 1), named(/hue/));
  table.destroy();
  crops.destroy();
});
