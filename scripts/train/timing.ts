/**
 * How long a step will take: measured on models of one and of two blocks, which cost little, and told from there.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import type { Batch } from "../../lib/data/loader.ts";
import { packPictures, planesOf } from "../../lib/data/image.ts";
import type { Gpu } from "../../lib/gpu/mod.ts";
import { initialize } from "../../lib/model/mod.ts";
import { Trainer } from "../../lib/train_step.ts";
import { Feed } from "./feed.ts";
import type { PictureSizes } from "./plan.ts";
import { Progress } from "./progress.ts";
import { modelOf, scheduleOf, trainerOptionsOf } from "./settings.ts";
import { Stepper } from "./stepper.ts";

/** Steps that are timed, fewer where one takes long. */
const STEPS = 5, LONG_MS = 10_000;

/**
 * Seconds of a step. All blocks but the last cost the same, so two depths tell those of any other.
 *
 * @param onProgress Says what is measured.
 */
export async function secondsPerStep(
  gpu: Gpu,
  config: Config,
  sizes: PictureSizes,
  onProgress: (what: string) => void = () => {},
): Promise<number> {
  const { depth } = config.model;
  const measure = (depth: number) => {
    onProgress(`measuring a step with ${depth} block${depth > 1 ? "s" : ""}`);
    return stepTime(
      gpu,
      { ...config, model: { ...config.model, backbone: "custom", depth } },
      sizes,
    );
  };
  if (depth <= 2) return await measure(depth);
  const [one, two] = [await measure(1), await measure(2)];
  return one + (depth - 1) * Math.max(0, two - one);
}

/** Seconds of a step on noise: the median of a few, after one that compiles. */
async function stepTime(gpu: Gpu, config: Config, sizes: PictureSizes): Promise<number> {
  const model = modelOf(config);
  const trainer = new Trainer(gpu, model, trainerOptionsOf(config));
  trainer.load(initialize(model.specs(), 0));
  const feed = new Feed(gpu, { loader: noise(config, sizes) }, config);
  const stepper = await Stepper.record(gpu, trainer, feed);
  const quiet = new Progress({ isTerminal: () => false, writeSync: (bytes) => bytes.length });
  const values = scheduleOf(config, 1)(0);
  const run = async () => {
    const start = performance.now();
    await stepper.run(values, () => true, quiet);
    await gpu.idle();
    return performance.now() - start;
  };
  await run();
  const times = [await run()];
  while (times.length < STEPS && times[0] < LONG_MS) times.push(await run());
  for (const part of [stepper, feed, trainer]) part.destroy();
  times.sort((a, b) => a - b);
  return times[times.length >> 1] / 1000;
}

/** Batches of noise in pictures of the largest size. */
function noise(config: Config, { largestPixels }: PictureSizes) {
  const { batch_size: batchSize } = config.data;
  const { in_chans: channels } = config.model;
  const side = Math.max(1, Math.floor(Math.sqrt(largestPixels)));
  const data = new Uint8Array(4 * side * side * planesOf(channels));
  for (let i = 0; i < data.length; i++) data[i] = i * 2654435761 >>> 24;
  const picture = { width: side, height: side, channels, data };
  const packed = packPictures(new Array(batchSize).fill(picture));
  const indices = Uint32Array.from({ length: batchSize }, (_, i) => i);
  const batch: Batch = { step: 0, epoch: 0, indices, ...packed, buildTime: 0 };
  return {
    batchSize,
    capacityPixels: batchSize * largestPixels * planesOf(channels),
    batch: () => Promise.resolve(batch),
    release: () => {},
  };
}
