import assert from "node:assert/strict";
import { type Gpu, record } from "../../lib/gpu.ts";
import { DinoModel, initialize } from "../../lib/model.ts";
import { type StepValues, Trainer, type TrainerOptions } from "../../lib/train.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";

const K = 100;

/** Crop sizes: pixels per side and views. */
const VIEWS = [[8, 2], [4, 3]];

interface Settings {
  /** Pictures of a step. */
  pictures?: number;
  /** Pictures that there are; those of a step go through them more than once where they are fewer. */
  distinct?: number;
  dropPathRate?: number;
  options?: Partial<TrainerOptions>;
}

/**
 * A trainer of a batch of six in some micro-batches. A large eps keeps AdamW's step proportional to the gradient:
 * else rounding decides the sign of a step whose gradient is nothing but rounding, as that of a key's bias.
 */
async function setUp(
  gpu: Gpu,
  accumulationSteps: number,
  { pictures = 6, distinct = pictures, dropPathRate = 0.4, options }: Settings = {},
) {
  const model = new DinoModel(
    { imageSize: 8, patchSize: 4, dim: 8, depth: 2, heads: 2, dropPathRate },
    { outDim: K, hiddenDim: 12, bottleneckDim: 6, normLastLayer: false },
  );
  const trainer = new Trainer(gpu, model, {
    loss: { nCrops: 5, centerMomentum: 0.8 },
    optimizer: { eps: 0.01 },
    clip: 0.3,
    seed: 7,
    accumulationSteps,
    ...options,
  });
  trainer.load(initialize(model.specs(), 1));
  const batch = pictures / accumulationSteps;
  const crops = VIEWS.map(([size, views]) => gpu.persistent([views * batch, 3, size, size]));
  const microStep = await record(gpu, () => trainer.microStep(crops));
  const update = await record(gpu, () => trainer.update());
  const state = [
    ...trainer.student.data,
    ...trainer.teacher!.data,
    ...[...trainer.optimizer.moments.values()].flat(),
    trainer.loss!.center,
  ];
  /** Runs micro-batches `from` up to, and without, `to`; `spoil` goes into a picture of one of them. */
  const run = (step: number, from: number, to: number, spoil?: { at: number; value: number }) => {
    for (let m = from; m < to; m++) {
      crops.forEach((t, i) => {
        const [size, views] = VIEWS[i];
        const pixels = 3 * size * size;
        const all = normals(views * distinct * pixels, 1000 + 2 * step + i);
        const part = new Float32Array(t.size);
        for (let row = 0; row < views * batch; row++) {
          const picture = (m * batch + row % batch) % distinct;
          const from = (Math.floor(row / batch) * distinct + picture) * pixels;
          part.set(all.subarray(from, from + pixels), row * pixels);
        }
        if (spoil?.at === m) part[5] = spoil.value;
        t.write(part);
      });
      trainer.setMicroBatch(m);
      microStep.run();
    }
  };
  return {
    trainer,
    crops,
    microStep,
    update,
    run,
    set(step: number, change: Partial<StepValues> = {}) {
      trainer.set({
        step,
        teacherTemp: 0.1,
        momentum: 0.9,
        lr: 0.01,
        weightDecay: 0.1,
        freezeLastLayer: step < 1,
        ...change,
      });
    },
    /** A whole step. */
    step(step: number, spoil?: { at: number; value: number }) {
      this.set(step);
      run(step, 0, accumulationSteps, spoil);
      update.run();
    },
    /** What a step leaves, by name. */
    async found(): Promise<Map<string, Float32Array>> {
      const { metrics, pairLoss, batchMean, koleo, norms } = update.outputs;
      const named = {
        metrics,
        pairLoss,
        batchMean: batchMean!,
        ...koleo && { koleo },
        ...Object.fromEntries(norms.map((chunk, i) => [`norms ${i}`, chunk.norms])),
        ...Object.fromEntries(trainer.student.grads.map((t, i) => [`gradients ${i}`, t])),
        ...Object.fromEntries(state.map((t, i) => [`state ${i}: ${t}`, t])),
      };
      const values = await gpu.read(Object.values(named));
      return new Map(Object.keys(named).map((name, i) => [name, values[i]]));
    },
    /** Everything that training changes, as bits: NaN compares as well. */
    async state(): Promise<Uint32Array[]> {
      return (await gpu.read(state)).map((values) => new Uint32Array(values.buffer));
    },
    destroy() {
      for (const part of [microStep, update, trainer, ...crops]) part.destroy();
    },
  };
}

for (
  const [name, loss] of Object.entries({
    "": { nCrops: 5 },
    " with logits in chunks": { nCrops: 5, chunkSize: 64 },
    " without a centre": { nCrops: 5, centering: "none" as const },
  })
) {
  gpuTest(`Trainer.microStep() adds up to the step of the whole batch${name}`, async (gpu) => {
    const options = { loss };
    const whole = await setUp(gpu, 1, { options });
    const parts = [await setUp(gpu, 2, { options }), await setUp(gpu, 6, { options })];
    for (let step = 0; step < 4; step++) {
      for (const run of [whole, ...parts]) run.step(step);
      const expected = await whole.found();
      for (const part of parts) {
        for (const [what, values] of await part.found()) {
          assertClose(values, expected.get(what)!, 1e-5, `step ${step}, ${what}`);
        }
      }
    }
    for (const run of [whole, ...parts]) run.destroy();
  });
}

gpuTest(
  "Trainer.microStep() changes nothing that lasts: a step may be left and begun anew",
  async (gpu) => {
    const [straight, leaving] = [await setUp(gpu, 3), await setUp(gpu, 3)];
    for (const run of [straight, leaving]) run.step(0);
    const before = await leaving.state();
    assert.deepEqual(before, await straight.state());
    for (const done of [1, 3]) {
      leaving.set(7); // other pictures, of a step that comes to nothing
      leaving.run(7, 0, done, { at: done - 1, value: NaN });
      assert.deepEqual(await leaving.state(), before);
      assert.deepEqual([...await leaving.trainer.flag.readU32()], [0, 0, 0]);
    }
    leaving.trainer.setCounts({ done: 1, frozen: 1 });
    for (const run of [straight, leaving]) run.step(1);
    assert.deepEqual(await leaving.state(), await straight.state());
    assert.notDeepEqual(await leaving.state(), before);
    for (const run of [straight, leaving]) run.destroy();
  },
);

for (const value of [NaN, Infinity]) {
  gpuTest(
    `Trainer.update() undoes a step with ${value} in a micro-batch and names it`,
    async (gpu) => {
      const run = await setUp(gpu, 3);
      run.step(0);
      const before = await run.state();
      run.step(1, { at: 1, value });
      assert.deepEqual(await run.state(), before);
      const flag = [...await run.trainer.flag.readU32()];
      assert.deepEqual(flag, [2, 1, 2], "step 1, the loss, micro-batch 1");
      run.step(2); // sound pictures again, but nobody has looked at the flag
      run.step(3, { at: 2, value });
      assert.deepEqual(await run.state(), before);
      assert.deepEqual([...await run.trainer.flag.readU32()], flag);
      run.trainer.clearFlag();
      run.step(4);
      assert.deepEqual([...await run.trainer.flag.readU32()], [0, 0, 0]);
      assert.notDeepEqual(await run.state(), before);
      run.step(5, { at: 0, value });
      assert.deepEqual([...await run.trainer.flag.readU32()], [6, 1, 1], "micro-batch 0");
      run.destroy();
    },
  );
}

gpuTest(
  "Trainer.update() names the gradient that is not finite, of any micro-batch",
  async (gpu) => {
    const run = await setUp(gpu, 2, { options: { loss: { nCrops: 5, studentTemp: 1e-4 } } });
    // As in trainer_test.ts: the loss is finite, the gradient of v over its length is not.
    const weights = await run.trainer.student.save();
    weights.get("head.last_layer.weight_v")!.fill(2e-38);
    run.trainer.student.load(weights);
    const before = await run.state();
    run.step(0);
    const names = run.update.outputs.norms.flatMap((chunk) => chunk.names);
    const [step, culprit, microBatch] = await run.trainer.flag.readU32();
    assert.deepEqual([step, names[culprit - 2], microBatch], [1, "head.last_layer.weight_v", 0]);
    assert.ok(Number.isFinite((await run.update.outputs.metrics.read())[0]), "the loss is finite");
    assert.deepEqual(await run.state(), before);
    run.destroy();
  },
);

gpuTest("Trainer adds KoLeo of every micro-batch by itself, as a mean", async (gpu) => {
  // Three pictures, and twice the same three: then both halves are what the whole is.
  const same = { dropPathRate: 0, options: { loss: { nCrops: 5, koleoWeight: 0.5 } } };
  const once = await setUp(gpu, 1, { ...same, pictures: 3 });
  const twice = await setUp(gpu, 2, { ...same, pictures: 6, distinct: 3 });
  for (const run of [once, twice]) run.step(0);
  const [expected, found] = [await once.found(), await twice.found()];
  assert.ok(expected.get("koleo")![0] !== 0);
  for (const [what, values] of found) assertClose(values, expected.get(what)!, 1e-5, what);
  for (const run of [once, twice]) run.destroy();
});

gpuTest("Trainer refuses parts of a step that it was not made for", async (gpu) => {
  const { trainer, crops, destroy } = await setUp(gpu, 2);
  assert.throws(
    () => trainer.step(crops),
    /expected a step in 2 micro-batches but found one in a single batch: record microStep\(\) and update\(\)/,
  );
  for (const microBatch of [-1, 2, 0.5, NaN]) {
    assert.throws(
      () => trainer.setMicroBatch(microBatch),
      /expected a micro-batch from 0 to 1 but found/,
    );
  }
  for (const [done, frozen] of [[1, 2], [-1, 0], [1.5, 0], [2, NaN]]) {
    assert.throws(
      () => trainer.setCounts({ done, frozen }),
      /expected whole counts with 0 ≤ frozen/,
    );
  }
  const make = (options: Partial<TrainerOptions>) => setUp(gpu, 1, { options });
  for (const accumulationSteps of [0, 1.5, NaN]) {
    await assert.rejects(
      make({ accumulationSteps }),
      /expected accumulationSteps to be whole and at least 1/,
    );
  }
  const loss = { nCrops: 5, centering: "sinkhorn_knopp" as const };
  await assert.rejects(
    make({ loss, accumulationSteps: 2 }),
    /expected accumulationSteps 1 with centering sinkhorn_knopp but found 2/,
  );
  destroy();
});

gpuTest("Trainer.setCounts() goes on with the optimiser's counts", async (gpu) => {
  const [straight, restored] = [await setUp(gpu, 1), await setUp(gpu, 1)];
  for (const run of [straight, restored]) {
    for (let step = 0; step < 3; step++) run.step(step);
  }
  assert.deepEqual(straight.trainer.optimizer.counts, [3, 2, 3], "the last layer was frozen once");
  restored.trainer.optimizer.counts.fill(0);
  restored.trainer.setCounts({ done: 3, frozen: 1 });
  for (const run of [straight, restored]) run.step(3);
  assert.deepEqual(await restored.state(), await straight.state());
  for (const run of [straight, restored]) run.destroy();
});
