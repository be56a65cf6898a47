import assert from "node:assert/strict";
import { stepCost } from "../lib/cost.ts";
import { record } from "../lib/gpu/mod.ts";
import { DinoModel } from "../lib/model/mod.ts";
import { Trainer } from "../lib/train_step.ts";
import { gpuTest } from "./support/gpu.ts";

const vit = { imageSize: 32, patchSize: 8, dim: 64, depth: 3, heads: 2 };
const head = { outDim: 1024, hiddenDim: 256, bottleneckDim: 64 };
const global = { size: 32, count: 2 }, local = { size: 16, count: 4 };

const STEPS = {
  "of configs/small.yaml": { vit, head, batch: 32, views: [global, local] },
  "of few pictures, without local views": { vit, head, batch: 4, views: [global] },
  "of many tokens": {
    vit: { imageSize: 48, patchSize: 4, dim: 96, depth: 2, heads: 3 },
    head: { ...head, outDim: 256, layers: 2 },
    batch: 8,
    views: [{ size: 48, count: 2 }, { size: 24, count: 2 }],
  },
  "of many outputs, in chunks": {
    vit: { ...vit, depth: 2, dim: 96 },
    head: { ...head, outDim: 32768, bottleneckDim: 256 },
    batch: 8,
    views: [global, { ...local, count: 8 }],
  },
  "of many outputs at once": {
    vit,
    head: { ...head, outDim: 65536 },
    batch: 8,
    views: [global, { ...local, count: 2 }],
  },
};

for (const [name, { vit, head, batch, views }] of Object.entries(STEPS)) {
  gpuTest(`stepCost() is within 10 % of what is recorded for a step ${name}`, async (gpu) => {
    const model = new DinoModel(vit, head);
    const crops = views.map(({ size, count }) => gpu.persistent([count * batch, 3, size, size]));
    const before = gpu.memory.liveBytes;
    const nCrops = views.reduce((sum, { count }) => sum + count, 0);
    const trainer = new Trainer(gpu, model, { loss: { nCrops }, clip: 3 });
    const state = gpu.memory.liveBytes - before;
    const program = await record(gpu, () => trainer.step(crops));
    const predicted = stepCost(model, { batch, views });
    const near = (found: number, expected: number, what: string) =>
      assert.ok(Math.abs(found / expected - 1) < 0.1, `${what}: ${found}, not ${expected}`);
    near(predicted.flops, program.flops, "FLOPs");
    near(predicted.stateBytes, state, "bytes of state");
    near(predicted.temporaryBytes, program.temporaryBytes, "bytes of temporaries");
    for (const t of [program, trainer, ...crops]) t.destroy();
  });
}
