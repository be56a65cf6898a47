/**
 * How long a step will take: its pieces are measured at the run's own shapes, and added up.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { resnetLayers } from "../config/backbones.ts";
import { DryGpu } from "../gpu/dry.ts";
import { type Gpu, type Program, record, sizeOf } from "../gpu.ts";
import type { ParameterSpec } from "../model.ts";
import { Trainer } from "../train.ts";
import { Feed } from "../train/feed.ts";
import { feedOptionsOf, modelOf, scheduleOf, trainerOptionsOf } from "../from_config.ts";
import { blockPass } from "./block.ts";
import { noise, type PictureSizes } from "./noise.ts";

/** Seconds that measuring may take, compiling apart; a single picture may take longer. */
const PATIENCE = 6;
/** Runs that are timed, of which the fastest counts. */
const RUNS = 3;
/** Seconds that a timed run lasts at least, in repetitions: waiting for the GPU alone takes 0.01. */
const LEAST = 0.2;

/** Where the time of a step goes, in seconds. */
export interface StepTime {
  /** All of it. */
  seconds: number;
  /** Making the views. */
  views: number;
  /** The blocks of both networks but the last. */
  blocks: number;
  /** Embedding, last block, head, loss, for all micro-batches. */
  rest: number;
  /** Clipping, AdamW, moving average. */
  update: number;
  /** The longest submission of all that was measured, in milliseconds. */
  longestSubmitMs: number | null;
  /** Pictures that pieces were measured with; fewer than a batch where that would take long. */
  measuredWith: number;
}

/**
 * Seconds of a step.
 *
 * Measured are a micro-batch through a model of one block, one block by itself, the making of the views and the
 * update. All blocks but the last cost the same. Where a batch takes too long, fewer pictures are measured and
 * told from there by FLOPs; the update follows the number of parameters.
 *
 * @param onProgress Says what is measured.
 */
export async function stepTime(
  gpu: Gpu,
  config: Config,
  sizes: PictureSizes,
  onProgress: (what: string) => void = () => {},
): Promise<StepTime> {
  const { batch_size: batch } = config.data;
  const { gradient_accumulation_steps: micros } = config.training;
  const { depth } = config.model;
  onProgress("measuring a step of one picture");
  let pieces = await measure(gpu, atBatch(config, 1), sizes, batch > 1 ? 1 : RUNS);
  let measuredWith = 1;
  if (batch > 1) {
    const one = await flopsOf(gpu, atBatch(config, 1), sizes);
    // The largest batch whose pieces, once to compile and then in runs, take no longer than there is patience for.
    for (let b = batch; b > 1; b = Math.ceil(b / 2)) {
      const many = await flopsOf(gpu, atBatch(config, b), sizes);
      const likely = pieces.micro * many.micro / one.micro + pieces.block * many.block / one.block +
        pieces.frozen * many.block / one.block;
      if (likely * (RUNS + 1) > PATIENCE) continue;
      onProgress(`measuring a step of ${b} pictures`);
      pieces = await measure(gpu, atBatch(config, b), sizes, RUNS);
      measuredWith = b;
      break;
    }
  }
  if (measuredWith < batch) {
    const [few, all] = [
      await flopsOf(gpu, atBatch(config, measuredWith), sizes),
      await flopsOf(gpu, config, sizes),
    ];
    pieces.micro *= all.micro / few.micro;
    pieces.block *= all.block / few.block;
    pieces.frozen *= all.block / few.block;
    pieces.views *= batch / measuredWith;
  }
  const shares = parametersOf(modelOf(config)) / parametersOf(modelOf(shallow(config)));
  const views = micros * pieces.views;
  const frozen = Math.min(depth - 1, config.model.freeze_blocks);
  const blocks = micros * (frozen * pieces.frozen + (depth - 1 - frozen) * pieces.block);
  const rest = Math.max(0, micros * pieces.micro - views);
  const update = pieces.update * shares;
  return {
    seconds: views + blocks + rest + update,
    views,
    blocks,
    rest,
    update,
    longestSubmitMs: gpu.pace.longest?.ms ?? null,
    measuredWith,
  };
}

const atBatch = (config: Config, batch_size: number): Config => ({
  ...config,
  data: { ...config.data, batch_size },
});

/** The same model with its last block alone. */
const shallow = ({ model, ...config }: Config): Config => ({
  ...config,
  // The blocks of a ResNet differ, so it is measured whole.
  model: resnetLayers(model.backbone) ? model : {
    ...model,
    backbone: "custom",
    depth: 1,
    freeze_blocks: model.freeze_blocks < model.depth ? 0 : 1,
  },
});

/** Numbers that an update walks. */
const parametersOf = (model: { specs(): ParameterSpec[] }) =>
  model.specs().reduce(
    (sum, { shape, trainable }) => sum + (trainable === false ? 0 : sizeOf(shape)),
    0,
  );

/** The pieces, recorded on any GPU. */
async function piecesOf(gpu: Gpu, config: Config, sizes: PictureSizes) {
  const one = shallow(config);
  const model = modelOf(one);
  const trainer = new Trainer(gpu, model, trainerOptionsOf(one, gpu));
  const feed = new Feed(gpu, noise(config, sizes), feedOptionsOf(one));
  const views = await record(gpu, () => ({ views: feed.views() }));
  const micro = await record(gpu, () => trainer.microStep(feed.views(), feed.masks));
  const isResNet = resnetLayers(config.model.backbone) !== undefined;
  const block = isResNet ? undefined : await blockPass(gpu, config, model, trainer);
  const frozen = config.model.freeze_blocks > 0
    ? await blockPass(gpu, config, model, trainer, true)
    : undefined;
  const update = await record(gpu, () => trainer.update());
  const destroy = () => {
    for (const part of [views, micro, block, frozen, update, feed, trainer]) part?.destroy();
  };
  return { model, trainer, feed, views, micro, block, frozen, update, destroy };
}

/** FLOPs of the pieces that are scaled by them. */
async function flopsOf(gpu: Gpu, config: Config, sizes: PictureSizes) {
  const { micro, block } = await piecesOf(new DryGpu(gpu), config, sizes);
  return { micro: micro.flops, block: block?.flops ?? 1 };
}

/** Seconds of every piece. */
async function measure(gpu: Gpu, config: Config, sizes: PictureSizes, runs: number) {
  const { model, trainer, feed, destroy, ...programs } = await piecesOf(gpu, config, sizes);
  trainer.load(weightsOf(model.specs()));
  trainer.set(scheduleOf(shallow(config), 1)(0));
  trainer.setMicroBatch(0);
  await feed.microBatch(0, 0);
  const timed = (program: Program<unknown>, before?: () => Promise<void>) =>
    fastest(gpu, runs, async () => {
      await before?.();
      program.run();
    });
  try {
    return {
      views: await timed(programs.views),
      micro: await timed(programs.micro, () => feed.microBatch(0, 0)),
      block: programs.block && config.model.depth > Math.max(1, config.model.freeze_blocks)
        ? await timed(programs.block)
        : 0,
      frozen: programs.frozen ? await timed(programs.frozen) : 0,
      update: await timed(programs.update),
    };
  } finally {
    destroy();
  }
}

/** Seconds of some work, the fastest of a few, after a run that compiles. */
async function fastest(gpu: Gpu, runs: number, run: () => Promise<void>): Promise<number> {
  const seconds = async (times: number) => {
    const start = performance.now();
    for (let i = 0; i < times; i++) await run();
    await gpu.idle();
    return (performance.now() - start) / 1000 / times;
  };
  await seconds(1);
  let best = await seconds(1);
  const times = Math.ceil(LEAST / Math.max(best, 1e-4));
  for (let i = times > 1 ? 0 : 1; i < runs; i++) best = Math.min(best, await seconds(times));
  return best;
}

/** Small numbers of any kind: only their time counts, but an update leaves out what is not finite. */
function weightsOf(specs: readonly ParameterSpec[]): Map<string, Float32Array> {
  return new Map(specs.map(({ name, shape }) => {
    const values = new Float32Array(sizeOf(shape));
    for (let i = 0; i < values.length; i++) values[i] = 0.04 * (i * 0.6180339887 % 1 - 0.5);
    return [name, values];
  }));
}
