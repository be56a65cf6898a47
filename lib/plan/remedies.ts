/**
 * What makes a run smaller.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { resnetLayers } from "../config/backbones.ts";
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import { precisionOf } from "../from_config/precision.ts";
import type { PictureSizes } from "./noise.ts";
import { planStep, type StepPlan } from "./step.ts";

/** A change that makes a run smaller, and what it would then take. */
export interface Remedy {
  /** What to set. */
  change: string;
  /** What it helps: training, or evaluating. */
  helps: "training" | "evaluation";
  /** Bytes that this then takes at most. */
  bytes: number;
  /** Bytes that it takes less. */
  saves: number;
  /** Whether it then fits. */
  fits: boolean;
}

type Section = "augmentation" | "data" | "device" | "evaluation" | "loss" | "model" | "training";

/** A configuration with other values in one section. */
export function changed<S extends Section>(config: Config, section: S, values: Partial<Config[S]>) {
  return { ...config, [section]: { ...config[section], ...values } };
}

/** Half the local views, in words, with the configuration that it makes; nothing where there are fewer than two. */
export function* fewerViews(config: Config): Generator<[string, Config]> {
  const fewer = Math.floor(config.augmentation.num_local_views / 2);
  if (!fewer) return;
  const change = changed(config, "augmentation", { num_local_views: fewer });
  yield [`augmentation.num_local_views ${fewer}`, change];
}

/** Whether activations may be halves: a vision transformer's, where the GPU has them. */
export function halvable({ model }: Config, gpu: Gpu): boolean {
  return gpu.hasHalves && !resnetLayers(model.backbone);
}

/** A configuration with another batch. */
export function withBatch(config: Config, batch_size: number): Config {
  return changed(config, "data", { batch_size });
}

/** Each change by itself, in words, with the configuration that it makes. */
function* easier(
  config: Config,
  { largestPixels }: PictureSizes,
  gpu: Gpu,
): Generator<[string, Config]> {
  const { augmentation, data, loss, model, training } = config;
  if (!training.recompute && !resnetLayers(model.backbone)) {
    yield ["training.recompute true", changed(config, "training", { recompute: true })];
  }
  if (halvable(config, gpu) && precisionOf(config, gpu) === "f32") {
    yield ["device.precision f16", changed(config, "device", { precision: "f16" })];
  }
  yield* fewerViews(config);
  for (const key of ["global_crop_size", "local_crop_size"] as const) {
    if (key === "local_crop_size" && !augmentation.num_local_views) continue;
    // Three quarters of the side, in whole patches.
    const size = Math.floor(0.75 * augmentation[key] / model.patch_size) * model.patch_size;
    if (size < model.patch_size || size === augmentation[key]) continue;
    // Local views are not to be the larger ones.
    const least = augmentation.num_local_views ? augmentation.local_crop_size : 0;
    if (key === "global_crop_size" && size < least) continue;
    yield [`augmentation.${key} ${size}`, changed(config, "augmentation", { [key]: size })];
  }
  const outputs = Math.floor(model.projection_output_dim / 2);
  if (outputs) {
    yield [
      `model.projection_output_dim ${outputs}`,
      changed(config, "model", { projection_output_dim: outputs }),
    ];
  }
  const chunk = Math.ceil(model.projection_output_dim / 8 / 64) * 64;
  if (chunk < (loss.chunk_size ?? model.projection_output_dim)) {
    yield [`loss.chunk_size ${chunk}`, changed(config, "loss", { chunk_size: chunk })];
  }
  const pixels = Math.floor(Math.min(data.max_pixels, largestPixels) / 2);
  if (pixels) yield [`data.max_pixels ${pixels}`, changed(config, "data", { max_pixels: pixels })];
}

/** Bytes of the moment that evaluates. */
export const evaluationPeak = ({ evaluation }: StepPlan): number =>
  evaluation.bytes + evaluation.beside;

/**
 * What would make a run smaller, each change by itself, the one that saves most first; those that save nothing are
 * left out. Training and evaluation have their own, as they take their memory at different times.
 *
 * @param plan The run as it is; undefined where it cannot even be planned.
 * @param limit Bytes that the run may take: batches are cut until they fit.
 */
export async function remedies(
  gpu: Gpu,
  config: Config,
  sizes: PictureSizes,
  plan: StepPlan | undefined,
  limit: number,
): Promise<Remedy[]> {
  const planOf = async (config: Config): Promise<StepPlan | undefined> => {
    const largestPixels = Math.min(sizes.largestPixels, config.data.max_pixels);
    try {
      return await planStep(gpu, config, { largestPixels });
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
    }
  };
  const found: Remedy[] = [];
  const fits = (then: StepPlan) => !then.refused.length && then.total <= limit;
  const add = (change: string, then: StepPlan | undefined) => {
    if (!then) return;
    const saves = plan ? plan.total - then.total : 0;
    // What the adapter refuses now and not then is help, too.
    const binds = !then.refused.length && (!plan || plan.refused.length > 0);
    if (saves > 0 || binds) {
      found.push({ change, helps: "training", bytes: then.total, saves, fits: fits(then) });
    }
  };
  for (const [change, then] of easier(config, sizes, gpu)) add(change, await planOf(then));

  // The same step in smaller batches: as few as will do. Sinkhorn–Knopp needs the whole batch at once.
  const { data: { batch_size }, loss, training } = config;
  for (let n = 2; loss.centering !== "sinkhorn_knopp" && batch_size % n === 0; n *= 2) {
    const [batch, steps] = [batch_size / n, training.gradient_accumulation_steps * n];
    const cut = withBatch(
      changed(config, "training", { gradient_accumulation_steps: steps }),
      batch,
    );
    const then = await planOf(cut);
    const enough = then !== undefined && fits(then);
    if (!enough && batch % 2 === 0) continue;
    const change = `data.batch_size ${batch} and training.gradient_accumulation_steps ${steps}`;
    add(change, then);
    if (!enough && !training.recompute) {
      const both = await planOf(changed(cut, "training", { recompute: true }));
      add(`${change} and training.recompute true`, both);
    }
    break;
  }
  found.sort((a, b) => a.bytes - b.bytes);

  // Half of the pictures at once, until it fits; once where it does already.
  const most = Math.min(config.evaluation.max_images ?? Infinity, config.evaluation.batch_size);
  for (let n = Math.floor(most / 2); plan && n >= 1; n = Math.floor(n / 2)) {
    const then = await planOf(changed(config, "evaluation", { batch_size: n }));
    if (!then || (evaluationPeak(then) > limit && n > 1)) continue;
    const [bytes, saves] = [evaluationPeak(then), evaluationPeak(plan) - evaluationPeak(then)];
    const change = `evaluation.batch_size ${n}`;
    if (saves > 0) found.push({ change, helps: "evaluation", bytes, saves, fits: bytes <= limit });
    break;
  }
  return found;
}
