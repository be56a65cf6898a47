/** Ranks that share a step compute what one rank does. */
import assert from "node:assert/strict";
import { functionDataset, Loader } from "../../lib/data.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { DinoModel, initialize, ResNet } from "../../lib/model.ts";
import {
  Feed,
  Ranks,
  type RanksOptions,
  recordStep,
  Trainer,
  type TrainerOptions,
} from "../../lib/train.ts";
import { commsOf } from "../support/comms.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose } from "../support/numbers.ts";

const BACKBONE = { imageSize: 16, patchSize: 8, dim: 16, depth: 2, heads: 2, dropPathRate: 0.4 };
const HEAD = { outDim: 32, hiddenDim: 24, bottleneckDim: 8, normLastLayer: false };
const PICTURES = functionDataset({
  name: "waves",
  length: 24,
  maxPixels: 256,
  picture: (i) => {
    const data = Uint8Array.from({ length: 768 }, (_, j) => 128 + 127 * Math.sin((i + 1) * j / 9));
    return { width: 16, height: 16, channels: 3, data };
  },
});
const AUGMENTATION = { globalCropSize: 16, localCropSize: 8, numLocalViews: 1 };
const BATCH = 12;

interface Case {
  model: DinoModel;
  options?: Partial<TrainerOptions>;
  masked?: boolean;
}

/** As AdamW makes a step of rounding's sign where a gradient is nothing but rounding, a large eps. */
const rates = (step: number) => ({
  ...{ step, teacherTemp: 0.1, momentum: 0.9, lr: 0.01, weightDecay: 0.1 },
  freezeLastLayer: step < 1,
});

/** Trains for some steps on so many ranks; what each of them has then. */
async function train(
  gpu: Gpu,
  { model, options, masked }: Case,
  { size, accumulationSteps = 1, steps = 3, ...sending }: {
    size: number;
    accumulationSteps?: number;
    steps?: number;
  } & RanksOptions,
) {
  const ranks = commsOf(size).map((comm) => new Ranks(comm, { leastBucket: 500, ...sending }));
  const parts = [];
  for (const own of ranks) {
    const batchSize = BATCH / accumulationSteps;
    const loader = new Loader(PICTURES, { batchSize, seed: 1, accumulationSteps, ranks: own });
    const masks = masked ? { grid: [2, 2] as [number, number], maskProb: 0.5 } : undefined;
    const feed = new Feed(gpu, loader, {
      augmentation: AUGMENTATION,
      accumulationSteps,
      masks,
      seed: 1,
    });
    const trainer = new Trainer(gpu, model, {
      loss: { nCrops: 3, centerMomentum: 0.8 },
      optimizer: { eps: 0.01 },
      ...{ clip: 0.3, seed: 7, accumulationSteps, ranks: own },
      ...options,
    });
    trainer.load(initialize(model.specs(), 1));
    parts.push({ loader, feed, trainer, recorded: await recordStep(gpu, trainer, feed) });
  }
  for (let step = 0; step < steps; step++) {
    await Promise.all(parts.map(({ recorded }) => recorded.run(rates(step))));
  }
  const found = await Promise.all(parts.map(async ({ recorded, trainer }) => {
    const { metrics, pairLoss, contrastive, ibot, koleo } = recorded.outputs;
    const kept = [...trainer.buffers];
    const named = { metrics, pairLoss, ...contrastive, ...ibot && { ibot: ibot.metrics }, koleo };
    const there = [...Object.entries(named).filter(([, t]) => t), ...kept];
    const values = await gpu.read(there.map(([, t]) => t!));
    return new Map([
      ...there.map(([name], i) => [name, values[i]] as const),
      ...await trainer.student.save(),
      ...[...await trainer.teacher?.save() ?? []].map(([k, v]) => [`teacher ${k}`, v] as const),
    ]);
  }));
  const times = ranks.map((own) => ({ ...own.takeTimes(), computeMs: own.computeMs }));
  for (const { recorded, feed, trainer, loader } of parts) {
    for (const part of [recorded, feed, trainer]) part.destroy();
    loader.close();
  }
  return { found, times };
}

const contrastive = { feature: "mean" as const, outDim: 12, hiddenDim: 20 };
const CASES: Record<string, Case> = {
  "DINO with KoLeo": {
    model: new DinoModel(BACKBONE, HEAD),
    options: { loss: { nCrops: 3, koleoWeight: 0.1 } },
  },
  "DINO with InfoNCE of the teacher's keys": {
    model: new DinoModel(BACKBONE, HEAD, { contrastive }),
    options: { contrastive: { weight: 0.7, teacherKeys: true } },
  },
  "InfoNCE with a learned temperature": {
    model: new DinoModel(BACKBONE, null, {
      contrastive: { ...contrastive, learnedTemperature: 0.2 },
    }),
  },
  "DINO with masked patches and Gram anchoring": {
    model: new DinoModel(BACKBONE, HEAD, { ibot: "shared" }),
    options: { gram: { weight: 0.5 } },
    masked: true,
  },
};

for (const [name, what] of Object.entries(CASES)) {
  gpuTest(`${name}: two and three ranks compute what one does`, async (gpu) => {
    for (const accumulationSteps of [1, 2]) {
      // Neighbours and negatives are those of a micro-batch.
      const { found: [one] } = await train(gpu, what, { size: 1, accumulationSteps });
      for (const size of [2, 3]) {
        const { found } = await train(gpu, what, { size, accumulationSteps });
        for (const own of found) {
          assert.deepEqual([...own.keys()], [...one.keys()]);
          for (const [key, values] of own) assert.deepEqual(values, found[0].get(key), key);
        }
        for (const [key, values] of one) assertClose(found[0].get(key)!, values, 2e-5, key);
      }
    }
  });
}

gpuTest("two runs of one layout have the same bits, and tell what they cost", async (gpu) => {
  const [what] = Object.values(CASES);
  const [a, b] = [await train(gpu, what, { size: 2 }), await train(gpu, what, { size: 2 })];
  assert.deepEqual(a.found, b.found);
  const bytes = 4 * what.model.specs().reduce((sum, { shape }) => {
    return sum + shape.reduce((product, n) => product * n, 1);
  }, 0);
  for (const { comm_bytes, comm_ms, comm_wait_ms, comm_hidden_ms, computeMs } of a.times) {
    assert(comm_bytes >= bytes && comm_bytes < 3 * bytes, `${comm_bytes} of ${bytes}`);
    assert(comm_ms > 0 && comm_wait_ms > 0 && comm_hidden_ms > 0 && comm_hidden_ms <= comm_ms);
    assert(computeMs.length === 2 && computeMs.every((ms) => ms > 0));
  }
  const { found: [whole] } = await train(gpu, what, { size: 2, leastBucket: 1e6 });
  assert.deepEqual(whole, a.found[0], "two numbers have one sum, however they are sent");
});

gpuTest("gradients sent as halves take half the bytes and lead to nearly the same", async (gpu) => {
  const [what] = Object.values(CASES);
  const [whole, half] = [
    await train(gpu, what, { size: 2, steps: 1 }),
    await train(gpu, what, { size: 2, steps: 1, communication: "f16" }),
  ];
  for (const own of half.found) assert.deepEqual(own, half.found[0]);
  for (const [key, values] of whole.found[0]) {
    assertClose(half.found[0].get(key)!, values, 5e-3, key);
  }
  assert(half.times[0].comm_bytes < 0.8 * whole.times[0].comm_bytes);
});

gpuTest("what needs the whole batch on one rank is refused", (gpu) => {
  const [ranks] = commsOf(2).map((comm) => new Ranks(comm));
  const make = (model: DinoModel, loss = {}) =>
    new Trainer(gpu, model, { loss: { nCrops: 3, ...loss }, clip: 3, ranks });
  assert.throws(
    () => make(new DinoModel(BACKBONE, HEAD), { centering: "sinkhorn_knopp" }),
    /expected one rank with centering sinkhorn_knopp but found 2.*centering: center/,
  );
  const resnet = new DinoModel(new ResNet({ layers: 18, imageSize: 32, width: 4 }), HEAD);
  assert.throws(() => make(resnet), /expected one rank with a ResNet-18 but found 2.*batch norms/);
  assert.throws(
    () => new Loader(PICTURES, { batchSize: 9, seed: 0, ranks }),
    /Expected data.batch_size to divide among 2 ranks but found 9.*use 10/,
  );
});
