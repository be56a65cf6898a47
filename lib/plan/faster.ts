/**
 * What makes a run faster.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { BACKBONES, resnetLayers } from "../config/backbones.ts";
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import type { PictureSizes } from "./noise.ts";
import { changed, fewerViews } from "./remedies.ts";
import { planStep, type StepPlan } from "./step.ts";

/** A change that makes a run faster, and by how much. */
export interface Faster {
  /** What to set. */
  change: string;
  /** Floating-point operations of a step with it. */
  flops: number;
  /** How many times as fast a step is by them. */
  times: number;
}

/** A change below this is not worth its words. */
const LEAST = 1.1;

/** Each change by itself, in words, with the configuration that it makes. */
function* lighter(config: Config): Generator<[string, Config]> {
  const { augmentation: a, model } = config, patch = model.patch_size;
  const locals = a.num_local_views;
  const smaller = (side: number) => Math.max(patch, Math.floor(0.75 * side / patch) * patch);
  const [global, local] = [smaller(a.global_crop_size), smaller(a.local_crop_size)];
  const sides = { global_crop_size: global, local_crop_size: Math.min(global, local) };
  yield [
    `augmentation.global_crop_size ${global}` +
    (locals ? ` and augmentation.local_crop_size ${sides.local_crop_size}` : ""),
    changed(config, "augmentation", sides),
  ];
  const larger = [2 * patch, 3 * patch].find((side) =>
    [a.global_crop_size, ...locals ? [a.local_crop_size] : []].every((view) => view % side === 0)
  );
  if (larger && !resnetLayers(model.backbone)) {
    yield [`model.patch_size ${larger}`, changed(config, "model", { patch_size: larger })];
  }
  yield* fewerViews(config);
  yield* smallerModels(config);
  const outputs = Math.floor(model.projection_output_dim / 2);
  if (outputs >= 2) {
    yield [
      `model.projection_output_dim ${outputs}`,
      changed(config, "model", { projection_output_dim: outputs }),
    ];
  }
}

/** The next smaller of the named backbones; of another one half of its blocks, or fewer heads. */
function* smallerModels(config: Config): Generator<[string, Config]> {
  const { backbone, dim, depth, heads } = config.model;
  const names = Object.keys(BACKBONES) as (keyof typeof BACKBONES)[];
  const next = backbone === "custom" ? undefined : names[names.indexOf(backbone) - 1];
  if (next && !resnetLayers(next) === !resnetLayers(backbone)) {
    const shape = { backbone: next, ...BACKBONES[next] };
    yield [`model.backbone ${next}`, changed(config, "model", shape)];
  }
  if (backbone !== "custom") return;
  const blocks = Math.floor(depth / 2);
  if (blocks >= config.evaluation.last_blocks) {
    yield [`model.depth ${blocks}`, changed(config, "model", { depth: blocks })];
  }
  const fewer = Math.max(1, Math.floor(0.75 * heads)), width = dim / heads * fewer;
  const { mlp_ratio: ratio, mlp_hidden_dim: hidden } = config.model;
  if (fewer < heads && (hidden !== null || Number.isInteger(width * ratio))) {
    yield [
      `model.dim ${width} and model.heads ${fewer}`,
      changed(config, "model", { dim: width, heads: fewer }),
    ];
  }
}

/**
 * What would make a step faster, each change by itself, the one that helps most first: by floating-point operations,
 * as a step is bound by them.
 *
 * @param plan The run as it is.
 */
export async function faster(
  gpu: Gpu,
  config: Config,
  sizes: PictureSizes,
  { flops }: Pick<StepPlan, "flops">,
): Promise<Faster[]> {
  const found: Faster[] = [];
  for (const [change, then] of lighter(config)) {
    try {
      const plan = await planStep(gpu, then, sizes);
      found.push({ change, flops: plan.flops, times: flops / plan.flops });
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
    }
  }
  return found.filter(({ times }) => times >= LEAST).sort((a, b) => b.times - a.times);
}
