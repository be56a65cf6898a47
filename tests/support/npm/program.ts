/**
 * What runs on Node and Bun with the packed package, and on Deno with the source: `steps` prints the losses of ten
 * steps of training as JSON, `fixtures FOLDER` judges the cases of a folder and prints how many passed.
 */
import process from "node:process";
import { functionDataset, Loader } from "../../../lib/data.ts";
import { type Gpu, openGpu } from "../../../lib/gpu.ts";
import { DinoModel, initialize } from "../../../lib/model.ts";
import { Feed, recordStep, Trainer } from "../../../lib/train.ts";
import { readManifest } from "../../../scripts/common/golden/case.ts";
import { passes } from "../../../scripts/common/golden/compare.ts";
import { runCase } from "../../../scripts/common/golden/run.ts";

/** Ten steps of a small transformer on pictures of waves. */
async function losses(gpu: Gpu): Promise<number[]> {
  const dataset = functionDataset({
    name: "waves",
    length: 32,
    maxPixels: 32 * 32,
    picture: (i) => {
      const wave = (_: unknown, j: number) => 127.5 * (1 + Math.sin((1 + i) * j / 40));
      const data = Uint8Array.from({ length: 3 * 32 * 32 }, wave);
      return { width: 32, height: 32, channels: 3, data };
    },
  });
  const loader = new Loader(dataset, { batchSize: 8, seed: 0 });
  const augmentation = { globalCropSize: 32, localCropSize: 16, numLocalViews: 4 };
  const feed = new Feed(gpu, loader, { augmentation, seed: 0 });
  const model = new DinoModel(
    { imageSize: 32, patchSize: 8, dim: 64, depth: 2, heads: 4 },
    { outDim: 256 },
  );
  const trainer = new Trainer(gpu, model, { loss: { nCrops: 6, koleoWeight: 0.1 }, clip: 3 });
  trainer.load(initialize(model.specs(), 0));
  const recorded = await recordStep(gpu, trainer, feed);
  const found: number[] = [];
  for (let step = 0; step < 10; step++) {
    const rates = { teacherTemp: 0.04, momentum: 0.99, lr: 1e-3, weightDecay: 0.04 };
    const { metrics } = await recorded.run({ step, ...rates, freezeLastLayer: step < 2 });
    found.push((await metrics.read())[0]);
  }
  for (const part of [recorded, trainer, feed]) part.destroy();
  loader.close();
  return found;
}

async function judge(gpu: Gpu, folder: string): Promise<void> {
  let passed = 0, failed = 0;
  for (const row of await readManifest(folder)) {
    const { checks, error } = await runCase(gpu, folder, row);
    const wrong = checks.filter((check) => !passes(check));
    if (!error && !wrong.length) passed++;
    else {
      failed++;
      console.log(`${row.name}: ${error ?? wrong.map(({ what, ratio }) => `${what} ${ratio}`)}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
}

const [what, folder] = process.argv.slice(2);
const gpu = await openGpu();
if (what === "steps") console.log(JSON.stringify(await losses(gpu)));
else await judge(gpu, folder);
gpu.destroy();
