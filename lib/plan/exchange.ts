/**
 * What ranks exchange in a step: it is recorded on a GPU that computes nothing.
 *
 * @module
 */
import type { Comm } from "../comm.ts";
import type { Config } from "../config.ts";
import { feedOptionsOf, modelOf, trainerOptionsOf } from "../from_config.ts";
import { hasContrastive } from "../from_config/model.ts";
import { DryGpu } from "../gpu/dry.ts";
import { type Gpu, record } from "../gpu.ts";
import { Ranks, Trainer } from "../train.ts";
import { Feed } from "../train/feed.ts";
import { bucketsOf } from "../train/ranks/buckets.ts";
import { noise, type PictureSizes } from "./noise.ts";

/** What ranks exchange in a step. */
export interface Exchange {
  /**
   * Gradients that are added up together, in the order in which they are there: their bytes, and how much of a step's
   * work is left then until the next ones are.
   */
  buckets: readonly { bytes: number; work: number }[];
  /** Bytes of features of all ranks' pictures, for each time that a micro-batch gathers some. */
  rows: readonly number[];
  /** Bytes that are told at the end of a step: sums of losses, notes. */
  small: number;
  /** Micro-batches of a step. */
  microBatches: number;
  /** Floating-point operations of a rank's step. */
  flops: number;
  /** The same of one rank by itself, which has only its own pictures to compare. */
  ownFlops: number;
}

/**
 * What `ranks` ranks exchange.
 *
 * @param config With the batch of one of them.
 * @param ownFlops Floating-point operations of that by itself, as `planStep` tells.
 * @throws {HatchlingError} When there is something in it that several ranks cannot train.
 */
export async function exchangeOf(
  gpu: Gpu,
  config: Config,
  { sizes, ranks: size, ownFlops }: { sizes: PictureSizes; ranks: number; ownFlops: number },
): Promise<Exchange> {
  const dry = new DryGpu(gpu);
  // Nothing is sent while a step is recorded.
  const ranks = new Ranks({ rank: 0, size } as Comm);
  const trainer = new Trainer(dry, modelOf(config), { ...trainerOptionsOf(config, dry), ranks });
  const feed = new Feed(dry, noise(config, sizes), feedOptionsOf(config));
  const micro = await record(dry, () => trainer.microStep(feed.views(), feed.masks));
  const update = await record(dry, () => trainer.update());
  const { gradient_accumulation_steps: microBatches } = config.training;
  const flops = microBatches * micro.flops + update.flops;

  const buckets = bucketsOf(trainer.student, micro, ranks.leastBucket);
  const between = (from: number, to: number) => {
    let sum = 0;
    for (let i = from; i < to; i++) sum += micro.part(i).dispatch.flops;
    return sum;
  };
  const { koleo_weight, objective } = config.loss;
  const gathers = +hasContrastive(config.loss) + +(koleo_weight > 0 && objective === "dino");
  const rows = [...dry.allocations].filter(({ label }) => label === "rows of all ranks")
    .reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    buckets: buckets.map(({ at, size }, i) => ({
      bytes: 4 * size,
      work: between(at, buckets[i + 1]?.at ?? at) / flops,
    })),
    rows: new Array(gathers).fill(rows / gathers),
    small: 4 * trainer.reductionOf(micro)!.small,
    microBatches,
    flops,
    ownFlops,
  };
}
