/** A step as one call does what its pieces do, in one batch and in several. */
import assert from "node:assert/strict";
import { functionDataset, Loader } from "../../lib/data.ts";
import { type Gpu, record } from "../../lib/gpu.ts";
import { DinoModel, initialize } from "../../lib/model.ts";
import { Feed, recordStep, Trainer } from "../../lib/train.ts";
import { gpuTest } from "../support/gpu.ts";

const MODEL = new DinoModel({ imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2 }, {
  outDim: 32,
});
const DATASET = functionDataset({
  name: "waves",
  length: 8,
  maxPixels: 256,
  picture: (i) => {
    const data = Uint8Array.from({ length: 768 }, (_, j) => 128 + 127 * Math.sin((i + 1) * j / 9));
    return { width: 16, height: 16, channels: 3, data };
  },
});
const rates = (step: number) => {
  return {
    step,
    teacherTemp: 0.04,
    momentum: 0.9,
    lr: 1e-3,
    weightDecay: 0.04,
    freezeLastLayer: false,
  };
};

function make(gpu: Gpu, accumulationSteps: number) {
  const loader = new Loader(DATASET, {
    batchSize: 4 / accumulationSteps,
    seed: 1,
    accumulationSteps,
  });
  const augmentation = { globalCropSize: 16, localCropSize: 8, numLocalViews: 1 };
  const feed = new Feed(gpu, loader, { augmentation, accumulationSteps, seed: 1 });
  const trainer = new Trainer(gpu, MODEL, { loss: { nCrops: 3 }, clip: 3, accumulationSteps });
  trainer.load(initialize(MODEL.specs(), 0));
  return { loader, feed, trainer };
}

for (const accumulationSteps of [1, 2]) {
  gpuTest(
    `recordStep() with ${accumulationSteps} micro-batches is the trainer's own step`,
    async (gpu) => {
      const one = make(gpu, accumulationSteps), other = make(gpu, accumulationSteps);
      const recorded = await recordStep(gpu, one.trainer, one.feed);
      const [micro, update] = [
        await record(gpu, () => other.trainer.microStep(other.feed.views())),
        await record(gpu, () => other.trainer.update()),
      ];
      for (let step = 0; step < 3; step++) {
        const { metrics, features } = await recorded.run(rates(step));
        other.trainer.set(rates(step));
        for (let m = 0; m < accumulationSteps; m++) {
          await other.feed.microBatch(step, m);
          other.trainer.setMicroBatch(m);
          micro.run();
        }
        update.run();
        assert.deepEqual(await metrics.read(), await update.outputs.metrics.read());
        assert.deepEqual(await features.read(), await micro.outputs.features.read());
      }
      assert.deepEqual(await one.trainer.teacher!.save(), await other.trainer.teacher!.save());
      const before = initialize(MODEL.specs(), 0).get("cls_token");
      assert.notDeepEqual((await one.trainer.teacher!.save()).get("cls_token"), before);
      for (const part of [recorded, micro, update]) part.destroy();
      for (const { loader, feed, trainer } of [one, other]) {
        loader.close();
        feed.destroy();
        trainer.destroy();
      }
    },
  );
}

gpuTest("recordStep() refuses a feed with another number of micro-batches", async (gpu) => {
  const one = make(gpu, 1), two = make(gpu, 2);
  await assert.rejects(
    recordStep(gpu, two.trainer, one.feed),
    /expected a feed with the trainer's 2 accumulationSteps but found 1/,
  );
  for (const { loader, feed, trainer } of [one, two]) {
    loader.close();
    for (const part of [feed, trainer]) part.destroy();
  }
});
