import assert from "node:assert/strict";
import { type DType, type Gpu, openGpu, record } from "../../lib/gpu.ts";
import { parseConfig } from "../../lib/config.ts";
import { precisionOf } from "../../lib/from_config.ts";
import { DinoModel, initialize, ResNet } from "../../lib/model.ts";
import { PRECISION, precisionTask } from "../../lib/ops/precision_task.ts";
import { firstNonFinite, Trainer, type TrainerOptions } from "../../lib/train.ts";
import { asGpu, gpuTest, halvesTest } from "../support/gpu.ts";
import { normals } from "../support/numbers.ts";

const VIT = { imageSize: 16, patchSize: 4, dim: 32, depth: 3, heads: 2 };
const HEAD = { outDim: 64, hiddenDim: 32, bottleneckDim: 16 };
const VALUES = { teacherTemp: 0.04, momentum: 0.99, lr: 1e-3, weightDecay: 0.04 };

function cropsOf(gpu: Gpu) {
  return [[2, 16], [3, 8]].map(([views, size], i) => {
    const shape = [views * 8, 3, size, size];
    return gpu.tensor(normals(shape.reduce((a, b) => a * b, 1), i), shape);
  });
}

/** The loss and the gradients of a step, and what its temporaries take. */
async function step(gpu: Gpu, precision: DType, vit = {}, options: Partial<TrainerOptions> = {}) {
  const model = new DinoModel({ ...VIT, ...vit }, HEAD);
  const trainer = new Trainer(gpu, model, {
    ...{ loss: { nCrops: 5 }, clip: 0, precision },
    ...options,
  });
  // As far from uniform as a teacher is that has learned something.
  const weights = initialize(model.specs(), 1);
  for (const [name, values] of weights) {
    if (/weight$/.test(name) && !/norm/.test(name)) values.forEach((v, i) => values[i] = 5 * v);
  }
  trainer.load(weights);
  const crops = cropsOf(gpu);
  const program = await record(gpu, () => trainer.step(crops));
  trainer.set({ step: 0, ...VALUES, freezeLastLayer: false });
  program.run();
  const [loss, flag, ...grads] = await gpu.read([
    ...[program.outputs.loss, trainer.flag],
    ...trainer.student.grads,
  ]);
  const bytes = program.temporaryBytes;
  for (const part of [program, trainer, ...crops]) part.destroy();
  return { loss: loss[0], flag: flag[0], grads: grads.flatMap((g) => Array.from(g)), bytes };
}

const KINDS = {
  plain: {},
  "layer scale, registers": { layerScale: 0.5, registers: 2 },
  "SwiGLU, rotated": { mlp: "swiglu", posEmbed: "rope" },
  "drop path": { dropPathRate: 0.3 },
  "odd width": { dim: 30, heads: 3 },
} as const;

for (const [kind, vit] of Object.entries(KINDS)) {
  halvesTest(
    `Trainer's gradients of halves are those of f32 but for rounding: ${kind}`,
    async (gpu) => {
      for (const profile of ["software", "GPU"]) {
        const both = async () => [await step(gpu, "f32", vit), await step(gpu, "f16", vit)];
        const [full, halves] = profile === "GPU" ? await asGpu(gpu, both) : await both();
        const norm = (x: readonly number[]) => Math.hypot(...x);
        const off = norm(full.grads.map((g, i) => g - halves.grads[i])) / norm(full.grads);
        // A number is rounded some ten times a block, by 2⁻¹¹ each, and the teacher's temperature makes 25 of 1.
        const bound = Math.sqrt(10 * VIT.depth) * 2 ** -11 * 25;
        assert.ok(off > 0 && off < bound, `${profile}: gradients are off by ${off}, not ${bound}`);
        assert.ok(Math.abs(full.loss - halves.loss) < bound, `${full.loss}, ${halves.loss}`);
        assert.ok(halves.bytes < 0.75 * full.bytes, `${halves.bytes} of ${full.bytes} bytes`);
        assert.deepEqual([full.flag, halves.flag], [0, 0]);
      }
    },
  );
}

halvesTest("what a half has no room for sets the flag, and is named", async (gpu) => {
  const model = new DinoModel(VIT, HEAD);
  const trainers = (["f32", "f16"] as const).map((precision) => {
    const trainer = new Trainer(gpu, model, { loss: { nCrops: 5 }, clip: 0, precision });
    trainer.load(initialize(model.specs(), 1));
    const bias = trainer.student.get("patch_embed.proj.bias").data;
    bias.write(new Float32Array(VIT.dim).fill(0).fill(1e5, 3, 4));
    return trainer;
  });
  const crops = cropsOf(gpu);
  const flags = [];
  for (const trainer of trainers) {
    const program = await record(gpu, () => trainer.step(crops));
    trainer.set({ step: 6, ...VALUES, freezeLastLayer: false });
    program.run();
    flags.push((await trainer.flag.readU32())[0]);
    program.destroy();
  }
  assert.deepEqual(flags, [0, 7]);
  const { student, teacher } = trainers[1];
  const inputs = { model, student, teacher, crops };
  assert.equal(await firstNonFinite(gpu, inputs), undefined);
  const found = await firstNonFinite(gpu, { ...inputs, precision: "f16" });
  assert.match(
    found!.text,
    /^student\.tokens \(16×16\): (Infinity|65504) at \[0, 1, 3\], the first of 256 in 8704 numbers, beyond what a half holds: device\.precision f32 has room for it$/,
  );
  for (const part of [...trainers, ...crops]) part.destroy();
});

halvesTest("precisionOf() takes halves by auto where they were tried alone", (gpu) => {
  const before = gpu.choices;
  const of = (text: string) => precisionOf(parseConfig(text), gpu);
  assert.equal(of("{}"), "f32");
  gpu.choices = new Map([[PRECISION, "f16"]]);
  assert.equal(of("{}"), "f16");
  assert.equal(of("device: {precision: f32}"), "f32");
  assert.equal(
    of(
      "model: {backbone: resnet18, patch_size: 32}\naugmentation: {global_crop_size: 64, local_crop_size: 32}",
    ),
    "f32",
  );
  gpu.choices = new Map([[PRECISION, "f32"]]);
  assert.deepEqual(["auto", "f16"].map((word) => of(`device: {precision: ${word}}`)), [
    "f32",
    "f16",
  ]);
  gpu.choices = before;
});

gpuTest("halves are refused where there are none, and for ResNets", async (gpu) => {
  const portable = await openGpu({ limits: "portable" });
  try {
    const config = parseConfig("device: {precision: f16, limits: portable}");
    assert.throws(
      () => precisionOf(config, portable),
      /Expected an adapter with shader-f16 for device\.precision f16 but .* has none with device\.limits portable: use auto or f32/,
    );
    portable.choices = new Map([[PRECISION, "f16"]]);
    assert.equal(precisionOf(parseConfig("{}"), portable), "f32");
  } finally {
    portable.destroy();
  }
  const resnet = new DinoModel(new ResNet({ layers: 18, imageSize: 32, width: 4 }), HEAD);
  assert.throws(
    () => new Trainer(gpu, resnet, { loss: { nCrops: 2 }, clip: 0, precision: "f16" }),
    /expected precision f32 as the backbone is a ResNet-18 but found f16: its maps are f32/,
  );
});

halvesTest("precisionTask() computes the same with halves, within its tolerance", async (gpu) => {
  const { candidates, tolerance, usual, prepare } = precisionTask(gpu);
  assert.deepEqual([candidates, usual], [["f32", "f16"], "f32"]);
  const work = gpu.detached(() => gpu.scope(() => prepare()));
  const results = [];
  for (const run of [() => work.reference(), () => work.run("f16")]) {
    work.output.write(new Float32Array(work.output.size).fill(NaN));
    gpu.scope(run);
    results.push(await work.output.read());
  }
  const [full, halves] = results;
  const top = full.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const off = full.reduce((most, x, i) => Math.max(most, Math.abs(x - halves[i])), 0) / top;
  // Far within it, and not nothing.
  assert.ok(off > 1e-6 && off < tolerance / 10, `${off}`);
  for (const tensor of work.tensors) tensor.destroy();
});
