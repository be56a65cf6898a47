/** iBOT and Gram anchoring in a trainer's step. */
import assert from "node:assert/strict";
import { PatchMasks } from "../../lib/augmentation.ts";
import { type Gpu, record } from "../../lib/gpu.ts";
import { DinoModel, initialize } from "../../lib/model.ts";
import { type StepValues, Trainer } from "../../lib/train.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";

const VIT = { imageSize: 12, patchSize: 4, dim: 8, depth: 2, heads: 2, initStd: 0.3 };
const HEAD = { outDim: 70, hiddenDim: 12, bottleneckDim: 6 };
const BATCH = 4, SIZES = [[12, 2], [8, 1]];
const MASKED = { grid: [3, 3], maskProb: 0.5 } as const;
const STILL = { teacherTemp: 0.04, momentum: 0.9, lr: 0.01, weightDecay: 0.1 };
const ON = { on: true, refresh: false };

/** A trainer of four pictures in some micro-batches, and what runs its steps. */
async function setUp(gpu: Gpu, accumulationSteps = 1, ibot: "shared" | "separate" = "shared") {
  // Tokens before the patches are other ones beside a head of its own.
  const parts = ibot === "separate" ? { registers: 2, layerScale: 0.5 } : {};
  const model = new DinoModel({ ...VIT, ...parts }, HEAD, { ibot });
  // A large eps keeps AdamW's step proportional to the gradient, rounding included.
  const trainer = new Trainer(gpu, model, {
    loss: { nCrops: 3 },
    ibot: { weight: 0.5, chunkSize: 64 },
    gram: { weight: 2 },
    optimizer: { eps: 0.01 },
    clip: 3,
    accumulationSteps,
  });
  trainer.load(initialize(model.specs(), 1));
  const batch = BATCH / accumulationSteps;
  const crops = SIZES.map(([size, views]) => gpu.persistent([views * batch, 3, size, size]));
  const { prefix } = model.backbone;
  const masks = new PatchMasks(gpu, { ...MASKED, batchSize: batch, prefix });
  const microStep = await record(gpu, () => trainer.microStep(crops, masks));
  const update = await record(gpu, () => trainer.update());
  const step = (n: number, change: Partial<StepValues> = {}, spoil?: number) => {
    trainer.set({ step: n, freezeLastLayer: false, gram: ON, ...STILL, ...change });
    for (let m = 0; m < accumulationSteps; m++) {
      crops.forEach((t, i) => {
        const [size, views] = SIZES[i];
        const pixels = 3 * size * size;
        const all = normals(views * BATCH * pixels, 100 + 2 * n + i);
        const rows = Array.from({ length: views * batch }, (_, row) => {
          const from = Math.floor(row / batch) * BATCH + m * batch + row % batch;
          return all.subarray(from * pixels, (from + 1) * pixels);
        });
        const values = Float32Array.from(rows.flatMap((row) => [...row]));
        if (spoil !== undefined && i === 0) values[7] = spoil;
        t.write(values);
      });
      const indices = Array.from({ length: batch }, (_, b) => m * batch + b);
      masks.update({ seed: 3, epoch: n, indices });
      trainer.setMicroBatch(m);
      microStep.run();
    }
    update.run();
  };
  return {
    trainer,
    step,
    outputs: update.outputs,
    /** Everything that a step leaves and that lasts, by name. */
    async found(): Promise<Map<string, Float32Array>> {
      const { ibot, gram, metrics } = update.outputs;
      const named = new Map([
        ...[["ibot", ibot!.metrics], ["gram", gram!], ["metrics", metrics]] as const,
        ...trainer.buffers,
        ...trainer.student.grads.map((t, i) => [`gradients ${i}`, t] as const),
        ...trainer.student.data.map((t, i) => [`student ${i}`, t] as const),
        ...trainer.teacher!.data.map((t, i) => [`teacher ${i}`, t] as const),
      ]);
      const values = await gpu.read([...named.values()]);
      return new Map([...named.keys()].map((name, i) => [name, values[i]]));
    },
    destroy() {
      for (const part of [microStep, update, trainer, masks, ...crops]) part.destroy();
    },
  };
}

for (const ibot of ["shared", "separate"] as const) {
  gpuTest(`a step with a ${ibot} head in micro-batches is that of the whole batch`, async (gpu) => {
    const [whole, two] = [await setUp(gpu, 1, ibot), await setUp(gpu, 2, ibot)];
    for (let n = 0; n < 3; n++) {
      const gram = { on: n > 0, refresh: n === 1 };
      for (const run of [whole, two]) run.step(n, { gram });
      const expected = await whole.found(), found = await two.found();
      assert.equal(found.get("ibot")![4], expected.get("ibot")![4], "masked tokens");
      assert.equal(found.get("gram")![0] > 0, n > 0, "0 until there is an anchor");
      for (const [name, values] of expected) {
        const floor = name === "gram" || name === "ibot" ? 1 : 0;
        assertClose([floor, ...found.get(name)!], [floor, ...values], 2e-5, `step ${n}, ${name}`);
      }
    }
    for (const run of [whole, two]) run.destroy();
  });
}

gpuTest(
  "the anchor is the teacher of the moment when it was made, and nothing until then",
  async (gpu) => {
    const run = await setUp(gpu);
    const { trainer } = run;
    const name = "blocks.1.mlp.fc1.weight";
    const anchor = trainer.buffers.get(`gram_anchor.${name}`)!;
    run.step(0, { gram: { on: false, refresh: false } });
    assert.ok((await anchor.read()).every((x) => x === 0));
    const before = await trainer.teacher!.get(name).data.read();
    run.step(1, { gram: { on: true, refresh: true } });
    assert.deepEqual(await anchor.read(), before);
    run.step(2);
    assert.deepEqual(await anchor.read(), before, "later steps leave it");
    assert.notDeepEqual(await trainer.teacher!.get(name).data.read(), before);
    assert.ok(
      [...trainer.buffers.keys()].every((key) => !key.includes("head.")),
      "a backbone alone",
    );
    run.destroy();
  },
);

gpuTest("Gram anchoring that is off changes no gradient", async (gpu) => {
  const [off, on] = [await setUp(gpu), await setUp(gpu)];
  const model = new DinoModel(VIT, HEAD, { ibot: "shared" });
  const plain = new Trainer(gpu, model, {
    loss: { nCrops: 3 },
    ibot: { weight: 0.5, chunkSize: 64 },
    clip: 3,
  });
  assert.deepEqual([...plain.buffers.keys()], ["center", "ibot_center"]);
  off.step(0, { gram: { on: false, refresh: true } });
  on.step(0, { gram: { on: false, refresh: false } });
  const [a, b] = [await off.found(), await on.found()];
  assert.deepEqual(a.get("gradients 0"), b.get("gradients 0"), "whatever the anchor");
  assert.deepEqual([...a.get("gram")!, ...b.get("gram")!], [0, 0]);
  for (const part of [off, on, plain]) part.destroy();
});

gpuTest(
  "NaN in a step leaves the patch centre, the anchor and both networks alone",
  async (gpu) => {
    const run = await setUp(gpu);
    run.step(0);
    const keep = (found: Map<string, Float32Array>) =>
      [...found].filter(([name]) => /center|anchor|student|teacher/.test(name));
    const before = keep(await run.found());
    run.step(1, {}, NaN);
    assert.deepEqual(keep(await run.found()), before);
    assert.equal((await run.trainer.flag.readU32())[0], 2);
    run.trainer.clearFlag();
    run.step(2);
    const { ibot } = run.outputs;
    assert.ok(Number.isFinite((await ibot!.loss.read())[0]));
    run.destroy();
  },
);

gpuTest(
  "iBOT's head is DINO's or its own, and both last layers are frozen together",
  async (gpu) => {
    for (const [ibot, own] of [["shared", 0], ["separate", 8]] as const) {
      const run = await setUp(gpu, 1, ibot);
      const heads = run.trainer.student.all.filter(({ name }) => name.startsWith("ibot_head."));
      assert.equal(heads.length, own);
      const names = ["head.last_layer.weight_v", "head.mlp.0.weight", "mask_token"];
      if (own) names.push("ibot_head.last_layer.weight_v", "ibot_head.mlp.0.weight");
      const read = () =>
        Promise.all(names.map((name) => run.trainer.student.get(name).data.read()));
      const before = await read();
      assert.ok(before[2].every((x) => x === 0), "the mask token begins with zeros");
      run.step(0, { freezeLastLayer: true });
      (await read()).forEach((values, i) => {
        const frozen = names[i].includes("last_layer");
        if (frozen) assert.deepEqual(values, before[i], names[i]);
        else assert.notDeepEqual(values, before[i], names[i]);
      });
      run.destroy();
    }
  },
);

gpuTest("masks, heads and settings belong together", (gpu) => {
  const crops = [gpu.persistent([4, 3, 12, 12])];
  const masks = new PatchMasks(gpu, { ...MASKED, batchSize: 2 });
  const loss = { nCrops: 2 };
  const with_ = new Trainer(gpu, new DinoModel(VIT, HEAD, { ibot: "shared" }), { loss, clip: 0 });
  const without = new Trainer(gpu, new DinoModel(VIT, HEAD), { loss, clip: 0 });
  const more = new DinoModel({ ...VIT, registers: 2 }, HEAD, { ibot: "shared" });
  const registered = new Trainer(gpu, more, { loss, clip: 0 });
  gpu.scope(() => {
    assert.throws(
      () => with_.microStep(crops),
      /expected masks, as the model learns masked patches, but found none/,
    );
    assert.throws(() => without.microStep(crops, masks), /expected no masks but found some/);
    assert.throws(
      () => registered.microStep(crops, masks),
      /masks of patches after 3 tokens, the class token and registers, but found 1: make them with prefix 3/,
    );
  });
  assert.throws(
    () => new Trainer(gpu, new DinoModel(VIT, HEAD), { loss, clip: 0, ibot: {} }),
    /expected a model with a head for masked patches/,
  );
  const alone = new DinoModel(VIT, null, { contrastive: {} });
  assert.throws(
    () => new Trainer(gpu, alone, { loss, clip: 0, gram: { weight: 1 } }),
    /expected DINO's head beside the settings in gram/,
  );
  assert.throws(
    () => new DinoModel(VIT, null, { contrastive: {}, ibot: "separate" }),
    /expected DINO's head with ibot separate but found none/,
  );
  assert.throws(
    () => new DinoModel(VIT, HEAD, { feature: "quad", ibot: "shared" }),
    /expected a feature as wide as a token \(8\) with ibot shared but found quad \(32\)/,
  );
  assert.ok(new DinoModel(VIT, HEAD, { feature: "quad", ibot: "separate" }).patchHead);
  for (const part of [with_, without, registered, masks, ...crops]) part.destroy();
});
