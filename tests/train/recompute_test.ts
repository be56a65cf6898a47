import assert from "node:assert/strict";
import { type Gpu, record } from "../../lib/gpu.ts";
import { DinoModel, initialize } from "../../lib/model.ts";
import { Trainer, type TrainerOptions } from "../../lib/train.ts";
import { gpuTest, halvesTest } from "../support/gpu.ts";
import { normals } from "../support/numbers.ts";

/** All bits that two steps leave, gradients included, and what they took. */
async function twoSteps(gpu: Gpu, batch: number, options: Partial<TrainerOptions>) {
  const model = new DinoModel(
    { imageSize: 8, patchSize: 4, dim: 8, depth: 4, heads: 2, dropPathRate: 0.4 },
    { outDim: 100, hiddenDim: 12, bottleneckDim: 6 },
  );
  const loss = { nCrops: 5, koleoWeight: 0.1 };
  const trainer = new Trainer(gpu, model, { loss, clip: 0.3, seed: 7, ...options });
  trainer.load(initialize(model.specs(), 1));
  const crops = [[2, 8], [3, 4]].map(([views, size], i) => {
    const shape = [views * batch, 3, size, size];
    return gpu.tensor(normals(shape.reduce((a, b) => a * b, 1), i), shape);
  });
  const microStep = await record(gpu, () => trainer.microStep(crops));
  const update = await record(gpu, () => trainer.update());
  for (let step = 0; step < 2; step++) {
    const values = { teacherTemp: 0.04, momentum: 0.9, lr: 0.01, weightDecay: 0.1 };
    trainer.set({ step, ...values, freezeLastLayer: false });
    for (let m = 0; m < trainer.accumulationSteps; m++) {
      trainer.setMicroBatch(m);
      microStep.run();
    }
    update.run();
  }
  const { student, teacher, optimizer } = trainer;
  const arenas = [student.grads, student.data, teacher!.data, ...optimizer.moments.values()].flat();
  const { metrics, koleo } = update.outputs;
  const read = await gpu.read([...arenas, trainer.loss!.center, metrics, koleo!]);
  const bits = read.map((values) => new Uint32Array(values.buffer));
  const { flops, temporaryBytes } = microStep;
  for (const part of [microStep, update, trainer, ...crops]) part.destroy();
  return { bits, flops, temporaryBytes };
}

/** Batches whose crop sizes run as one matrix where 256 bytes are the alignment, and apart. */
for (const [batch, layout] of [[4, "one matrix"], [3, "a matrix for each crop size"]] as const) {
  for (const accumulationSteps of [1, 2]) {
    const how = `${layout}, ${accumulationSteps} micro-batches`;
    gpuTest(
      `Trainer makes activations again to the same bits, in less memory: ${how}`,
      async (gpu) => {
        const kept = await twoSteps(gpu, batch, { accumulationSteps });
        const again = await twoSteps(gpu, batch, { accumulationSteps, recompute: true });
        assert.deepEqual(again.bits, kept.bits);
        assert.ok(kept.bits.every((bits) => bits.some((x) => x !== 0)), "nothing but zeros");
        const ratio = again.temporaryBytes / kept.temporaryBytes;
        assert.ok(
          ratio < 0.7,
          `${again.temporaryBytes} bytes, not far below ${kept.temporaryBytes}`,
        );
        assert.ok(again.flops > kept.flops);
      },
    );
  }
}

halvesTest("Trainer makes halves again to the same bits", async (gpu) => {
  const kept = await twoSteps(gpu, 4, { precision: "f16" });
  const again = await twoSteps(gpu, 4, { precision: "f16", recompute: true });
  assert.deepEqual(again.bits, kept.bits);
  assert.ok(again.temporaryBytes < kept.temporaryBytes);
});
