/**
 * What a run will need, before it takes anything: its step is recorded on a GPU that computes nothing.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { planesOf } from "../../lib/data/image.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { DryGpu } from "../../lib/gpu/dry.ts";
import type { Gpu } from "../../lib/gpu/mod.ts";
import { Trainer } from "../../lib/train_step.ts";
import { Feed } from "./feed.ts";
import { modelOf, trainerOptionsOf } from "./settings.ts";
import { Stepper } from "./stepper.ts";

/** What the pictures decide. */
export interface PictureSizes {
  /** Pixels of the largest one. */
  largestPixels: number;
}

/** What a step needs. */
export interface StepPlan {
  /** Numbers of the backbone and of the head of one network. */
  parameters: { backbone: number; head: number };
  /** Floating-point operations of a step. */
  flops: number;
  /** Dispatches of a step. */
  dispatches: number;
  /** Bytes on the GPU by what they are for, largest first. */
  bytes: { what: string; bytes: number }[];
  /** All of them together. */
  total: number;
  /** The largest single buffer. */
  largest: { what: string; bytes: number };
  /** Bytes of a checkpoint. */
  checkpoint: number;
}

/** What the labels of allocations stand for; all others are small tables. */
const KINDS: [RegExp, string][] = [
  [/^parameters/, "weights of student and teacher"],
  [/^gradients/, "gradients"],
  [/^exp_avg/, "moments of AdamW"],
  [/^slot/, "activations, logits and other temporaries"],
  [/^pixels/, "pictures of a batch"],
];
const kindOf = (label: string) =>
  KINDS.find(([name]) => name.test(label))?.[1] ?? "tables and parameters";

/**
 * Works out a step, exactly as training records it, in a few milliseconds and without memory.
 *
 * @throws {HatchlingError} When a tensor is larger than the adapter binds or allocates at once.
 */
export async function planStep(
  gpu: Gpu,
  config: Config,
  { largestPixels }: PictureSizes,
): Promise<StepPlan> {
  const dry = new DryGpu(gpu);
  const model = modelOf(config);
  const { batch_size: batchSize } = config.data;
  const capacityPixels = batchSize * largestPixels * planesOf(config.model.in_chans);
  const trainer = new Trainer(dry, model, trainerOptionsOf(config));
  const feed = new Feed(dry, { loader: { batchSize, capacityPixels } }, config);
  const { flops, dispatches } = (await Stepper.record(dry, trainer, feed)).cost;

  const byKind = new Map<string, number>();
  let largest = { what: "", bytes: 0 };
  for (const { label, bytes } of dry.allocations) {
    const what = kindOf(label);
    byKind.set(what, (byKind.get(what) ?? 0) + bytes);
    if (bytes > largest.bytes) largest = { what, bytes };
  }
  let [backbone, head] = [0, 0];
  for (const { name, shape } of model.specs()) {
    const size = shape.reduce((a, b) => a * b, 1);
    if (name.startsWith("head.")) head += size;
    else backbone += size;
  }
  return {
    parameters: { backbone, head },
    flops,
    dispatches,
    bytes: [...byKind].map(([what, bytes]) => ({ what, bytes })).sort((a, b) => b.bytes - a.bytes),
    total: dry.memory.liveBytes,
    largest,
    checkpoint: 4 * (4 * (backbone + head) + model.head.config.outDim),
  };
}

/** The most bytes that a run may take on the GPU, and who says so. */
export function memoryLimit(gpu: Gpu, { device }: Config): { bytes: number; why: string } {
  if (device.memory_bytes !== null) {
    return { bytes: device.memory_bytes, why: "device.memory_bytes" };
  }
  if (!gpu.isSoftware) return { bytes: Infinity, why: "the adapter does not tell its memory" };
  return {
    bytes: Math.floor(0.8 * Deno.systemMemoryInfo().available),
    why:
      "80 % of the machine's free memory, as a CPU plays the GPU (device.memory_bytes sets another limit)",
  };
}

/** A change that makes a run smaller, and what it would then take. */
export interface Remedy {
  /** What to set. */
  change: string;
  /** Bytes on the GPU then; undefined where it still does not fit into a binding. */
  total?: number;
}

const EASIER: [string, (config: Config) => Config | undefined][] = [
  [
    "training.recompute true",
    (config) =>
      config.training.recompute
        ? undefined
        : { ...config, training: { ...config.training, recompute: true } },
  ],
  [
    "half of augmentation.num_local_views",
    (config) =>
      config.augmentation.num_local_views < 2 ? undefined : {
        ...config,
        augmentation: {
          ...config.augmentation,
          num_local_views: Math.floor(config.augmentation.num_local_views / 2),
        },
      },
  ],
  ["half of model.projection_output_dim", (config) => ({
    ...config,
    model: {
      ...config.model,
      projection_output_dim: Math.floor(config.model.projection_output_dim / 2),
    },
  })],
  ["half of data.max_pixels", (config) => ({
    ...config,
    data: { ...config.data, max_pixels: Math.floor(config.data.max_pixels / 2) },
  })],
];

/** What would make a run smaller, each change by itself, the one that saves most first. */
export async function remedies(gpu: Gpu, config: Config, sizes: PictureSizes): Promise<Remedy[]> {
  const totalOf = async (config: Config) => {
    const largestPixels = Math.min(sizes.largestPixels, config.data.max_pixels);
    try {
      return (await planStep(gpu, config, { largestPixels })).total;
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
    }
  };
  const found: Remedy[] = [];
  for (const [change, apply] of EASIER) {
    const easier = apply(config);
    if (easier) found.push({ change, total: await totalOf(easier) });
  }
  // The same step in smaller batches: halved until it fits.
  const limit = memoryLimit(gpu, config).bytes;
  const { data: { batch_size }, training: { gradient_accumulation_steps } } = config;
  for (let parts = 2; batch_size % parts === 0; parts *= 2) {
    const [batch, steps] = [batch_size / parts, gradient_accumulation_steps * parts];
    const training = { ...config.training, gradient_accumulation_steps: steps };
    const total = await totalOf({ ...withBatch(config, batch), training });
    if ((total === undefined || total > limit) && batch % 2 === 0) continue;
    found.push({
      change: `data.batch_size ${batch} and training.gradient_accumulation_steps ${steps}`,
      total,
    });
    break;
  }
  return found.sort((a, b) => (a.total ?? Infinity) - (b.total ?? Infinity));
}

/** "1.5 GiB", "27 MiB". */
export function bytesText(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib >= 1024 ? `${(mib / 1024).toFixed(2)} GiB` : `${mib.toFixed(mib < 10 ? 1 : 0)} MiB`;
}

/**
 * Refuses a run that cannot fit, before anything of it is allocated.
 *
 * @returns Its plan.
 * @throws {HatchlingError} Saying what is too large, and what would help.
 */
export async function checkFits(gpu: Gpu, config: Config, sizes: PictureSizes): Promise<StepPlan> {
  const limit = memoryLimit(gpu, config);
  let what: string;
  try {
    const plan = await planStep(gpu, config, sizes);
    if (plan.total <= limit.bytes) return plan;
    const parts = plan.bytes.slice(0, 3).map(({ what, bytes }) => `${what} ${bytesText(bytes)}`);
    what =
      `Expected a run of ${
        bytesText(limit.bytes)
      } on the GPU at most (${limit.why}) but this one needs ` +
      `${bytesText(plan.total)}: ${parts.join(", ")}`;
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    what = error.message;
  }
  const help = (await remedies(gpu, config, sizes)).map(({ change, total }) => {
    if (total === undefined) return `\n  ${change}: not enough`;
    return `\n  ${change}: ${bytesText(total)}${total <= limit.bytes ? "" : ", not enough"}`;
  });
  throw new HatchlingError(`${what}. What would help, each by itself:${help.join("")}`);
}

/**
 * The largest batch that fits, for `data.batch_size: auto`: a power of two up to 64, or all pictures.
 *
 * @param pictures Number of pictures.
 * @throws {HatchlingError} When not even a picture alone fits.
 */
export async function autoBatch(
  gpu: Gpu,
  config: Config,
  sizes: PictureSizes,
  pictures: number,
): Promise<{ batchSize: number; why: string }> {
  const limit = memoryLimit(gpu, config).bytes;
  const { gradient_accumulation_steps: steps } = config.training;
  const most = Math.max(1, Math.min(64, Math.floor(pictures / steps)));
  for (let batchSize = most; batchSize > 1; batchSize = 2 ** Math.floor(Math.log2(batchSize - 1))) {
    try {
      const { total } = await planStep(gpu, withBatch(config, batchSize), sizes);
      if (total > limit) continue;
      const why = batchSize < most
        ? "the largest that fits"
        : most < 64
        ? "all pictures"
        : "the most it takes";
      return { batchSize, why: `${why}: ${bytesText(total)} on the GPU` };
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
    }
  }
  await checkFits(gpu, withBatch(config, 1), sizes);
  return { batchSize: 1, why: "the largest that fits" };
}

/** A configuration with another batch. */
export function withBatch(config: Config, batch_size: number): Config {
  return { ...config, data: { ...config.data, batch_size } };
}
