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
  "of many blocks": { vit: { ...vit, depth: 8 }, head, batch: 16, views: [global, local] },
  "of crop sizes that run apart": {
    vit: { imageSize: 64, patchSize: 4, dim: 48, depth: 6, heads: 3 },
    head,
    batch: 4,
    views: [{ size: 64, count: 2 }, { size: 32, count: 4 }],
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

/** How a batch is brought through: in micro-batches, with activations kept or made again. */
const WAYS = {
  "": {},
  ", made again": { recompute: true },
  ", in micro-batches": { accumulation: 4 },
  ", in micro-batches, made again": { accumulation: 4, recompute: true },
};

for (const [name, { vit, head, batch: whole, views }] of Object.entries(STEPS)) {
  for (const [way, how] of Object.entries(WAYS)) {
    gpuTest(
      `stepCost() is within 10 % of what is recorded for a step ${name}${way}`,
      async (gpu) => {
        const { accumulation = 1 } = how as { accumulation?: number };
        const model = new DinoModel(vit, head);
        const batch = whole / accumulation;
        const crops = views.map(({ size, count }) =>
          gpu.persistent([count * batch, 3, size, size])
        );
        const before = gpu.memory.liveBytes;
        const nCrops = views.reduce((sum, { count }) => sum + count, 0);
        const trainer = new Trainer(gpu, model, { loss: { nCrops }, clip: 3, ...how });
        const state = gpu.memory.liveBytes - before;
        const micro = await record(gpu, () => trainer.micro(crops));
        const apply = await record(gpu, () => trainer.apply());
        const predicted = stepCost(model, { batch, views, ...how });
        const near = (found: number, expected: number, what: string) =>
          assert.ok(Math.abs(found / expected - 1) < 0.1, `${what}: ${found}, not ${expected}`);
        near(predicted.flops, accumulation * micro.flops + apply.flops, "FLOPs");
        near(predicted.stateBytes, state, "bytes of state");
        near(
          predicted.temporaryBytes,
          micro.temporaryBytes + apply.temporaryBytes,
          "temporary bytes",
        );
        if (accumulation === 1) {
          const program = await record(gpu, () => trainer.step(crops));
          near(predicted.flops, program.flops, "FLOPs of one program");
          near(predicted.temporaryBytes, program.temporaryBytes, "temporary bytes of one program");
          program.destroy();
        }
        for (const t of [micro, apply, trainer, ...crops]) t.destroy();
      },
    );
  }
}
