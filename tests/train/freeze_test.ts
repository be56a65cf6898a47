import assert from "node:assert/strict";
import { type Gpu, record } from "../../lib/gpu.ts";
import { DinoModel, initialize, Parameters, VisionTransformer } from "../../lib/model.ts";
import { Trainer } from "../../lib/train.ts";
import { gpuTest } from "../support/gpu.ts";
import { normals } from "../support/numbers.ts";

const DEPTH = 3;

/** What two steps with so many frozen blocks leave. */
async function twoSteps(gpu: Gpu, freezeBlocks: number, feature: "class" | "mean" = "class") {
  const model = new DinoModel(
    {
      ...{ imageSize: 8, patchSize: 4, dim: 8, depth: DEPTH, heads: 2 },
      ...{ dropPathRate: 0.4, freezeBlocks },
    },
    { outDim: 100, hiddenDim: 12, bottleneckDim: 6 },
    { feature },
  );
  const before = gpu.memory.liveBytes;
  const trainer = new Trainer(gpu, model, { loss: { nCrops: 5 }, clip: 0.3, seed: 7 });
  const stateBytes = gpu.memory.liveBytes - before;
  const weights = initialize(model.specs(), 1);
  trainer.load(weights);
  const crops = [[2, 8], [3, 4]].map(([views, size], i) => {
    const shape = [views * 4, 3, size, size];
    return gpu.tensor(normals(shape.reduce((a, b) => a * b, 1), i), shape);
  });
  const program = await record(gpu, () => trainer.step(crops));
  const gradients: Map<string, Float32Array>[] = [];
  for (let step = 0; step < 2; step++) {
    const values = { teacherTemp: 0.04, momentum: 0.9, lr: 0.01, weightDecay: 0.1 };
    trainer.set({ step, ...values, freezeLastLayer: false });
    program.run();
    const trained = trainer.student.all.filter(({ grad }) => grad);
    const read = await gpu.read(trained.map(({ grad }) => grad!));
    gradients.push(new Map(trained.map(({ name }, i) => [name, read[i]])));
  }
  const student = await trainer.student.save(), teacher = await trainer.teacher!.save();
  const moments = (await trainer.optimizer.save()).get("exp_avg")!;
  const norms = program.outputs.norms.flatMap(({ names }) => names);
  const { flops, temporaryBytes } = program;
  for (const part of [program, trainer, ...crops]) part.destroy();
  return {
    ...{ weights, gradients, student, teacher, moments, norms },
    ...{ flops, temporaryBytes, stateBytes },
  };
}

const isFrozen = (name: string, n: number) =>
  /^(cls_token|pos_embed|patch_embed\.)/.test(name) ||
  Number(/^blocks\.(\d+)\./.exec(name)?.[1] ?? n) < n;

for (const n of [1, 2, DEPTH]) {
  for (const feature of ["class", "mean"] as const) {
    gpuTest(
      `${n} frozen blocks of ${DEPTH} cost nothing but their forward pass: ${feature}`,
      async (gpu) => {
        const all = await twoSteps(gpu, 0, feature), some = await twoSteps(gpu, n, feature);
        for (const [name, value] of some.weights) {
          const frozen = isFrozen(name, n), still = frozen || name.endsWith("weight_g");
          assert.equal(some.gradients[0].has(name), !still, name);
          if (!still) {
            assert.deepEqual(some.gradients[0].get(name), all.gradients[0].get(name), name);
          }
          assert.equal(some.moments.has(name), !frozen, name);
          assert.equal(some.norms.includes(name), !frozen, name);
          for (const network of [some.student, some.teacher]) {
            if (still) assert.deepEqual(network.get(name), value, name);
            else assert.notDeepEqual(network.get(name), value, name);
          }
        }
        assert.ok(some.flops < all.flops && some.stateBytes < all.stateBytes);
        assert.ok(some.temporaryBytes < all.temporaryBytes);
      },
    );
  }
}

gpuTest("the gradient of images goes through frozen blocks", async (gpu) => {
  const shape = { imageSize: 8, patchSize: 4, dim: 8, depth: 2, heads: 2 };
  const images = gpu.tensor(normals(2 * 3 * 64, 3), [2, 3, 8, 8]);
  const dy = gpu.tensor(normals(16, 4), [2, 8]);
  const found = [];
  for (const freezeBlocks of [0, 1]) {
    const vit = new VisionTransformer({ ...shape, freezeBlocks });
    const params = new Parameters(gpu, vit.specs(), { grad: true });
    params.load(initialize(vit.specs(), 5));
    const { dx } = gpu.scope(() => {
      const [dx] = vit.forward(gpu, params, [images], { inputGrad: true }).backward(dy);
      return { dx };
    });
    found.push(await dx.read());
    for (const part of [dx, params]) part.destroy();
  }
  assert.deepEqual(found[1], found[0]);
  assert.ok(found[0].some((x) => x !== 0));
  for (const part of [images, dy]) part.destroy();
});

Deno.test("VisionTransformer freezes no more blocks than it has", () => {
  for (const freezeBlocks of [-1, 1.5, 4, NaN]) {
    assert.throws(
      () =>
        new DinoModel(
          { imageSize: 8, patchSize: 4, dim: 8, depth: DEPTH, heads: 2, freezeBlocks },
          { outDim: 10 },
        ),
      /expected freezeBlocks to be whole, from 0 to depth 3, but found/,
    );
  }
});
