/**
 * Whether a run fits, and the largest batch that does.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { leastBytes } from "../config/rules_size.ts";
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import { evaluationPeak, remedies, type Remedy, withBatch } from "./remedies.ts";
import type { PictureSizes } from "./noise.ts";
import { planStep, type StepPlan } from "./step.ts";
import { bytesText, tensorText } from "./words.ts";

/** The most bytes that a run may take on the GPU, and who says so. */
export function memoryLimit(gpu: Gpu, { device }: Config): { bytes: number; why: string } {
  if (device.memory_bytes !== null) {
    return { bytes: device.memory_bytes, why: "device.memory_bytes" };
  }
  if (!gpu.isSoftware) return { bytes: Infinity, why: "the adapter does not tell its memory" };
  return {
    bytes: Math.floor(0.8 * Deno.systemMemoryInfo().available),
    why:
      "80 % of the machine's free memory, as a CPU plays the GPU; device.memory_bytes sets another limit",
  };
}

/** Beyond so many times the limit no single change helps, and working out a plan may itself take long. */
const FAR = 4;

/** Refuses a run that is far too large, from its shapes alone. */
function refuseFar(gpu: Gpu, config: Config): void {
  const limit = memoryLimit(gpu, config);
  const { model, views } = leastBytes(config, config.model);
  if (model + views <= FAR * limit.bytes) return;
  throw new HatchlingError(
    `Expected a run of ${
      bytesText(limit.bytes)
    } on the GPU at most (${limit.why}) but this one needs ` +
      `more than ${bytesText(model + views)}: ${
        bytesText(model)
      } for weights, gradients and moments ` +
      `(model.dim, model.depth, model.projection_*), ${
        bytesText(views)
      } for views and their tokens ` +
      "(data.batch_size, augmentation.*_crop_size)",
  );
}

/**
 * Refuses a run that cannot fit, before anything of it is allocated.
 *
 * @returns Its plan.
 * @throws {HatchlingError} Saying what is too large, with the largest tensors, and what would help.
 */
export async function checkFits(gpu: Gpu, config: Config, sizes: PictureSizes): Promise<StepPlan> {
  refuseFar(gpu, config);
  const limit = memoryLimit(gpu, config);
  let plan: StepPlan | undefined;
  let trains: string | undefined;
  try {
    plan = await planStep(gpu, config, sizes);
    if (!plan.refused.length && plan.peak <= limit.bytes) return plan;
    trains = whyNotTrained(plan, limit);
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    trains = error.message;
  }
  const evaluates = plan && evaluationPeak(plan) > limit.bytes
    ? `Expected an evaluation of ${
      bytesText(limit.bytes)
    } on the GPU at most (${limit.why}) but this one ` +
      `needs ${bytesText(plan.evaluation.bytes)} beside ${bytesText(plan.evaluation.beside)}`
    : undefined;
  const found = await remedies(gpu, config, sizes, plan, limit.bytes);
  const text = (what: string | undefined, helps: Remedy["helps"]) => {
    if (!what) return [];
    const all = found.filter((remedy) => remedy.helps === helps);
    const enough = all.filter(({ fits }) => fits);
    const lines = (enough.length ? enough : all)
      .map(({ change, bytes }) => `\n  ${change}: ${bytesText(bytes)}`);
    if (!lines.length) return [what];
    const help = enough.length
      ? "What would help, each by itself:"
      : "None of these is enough by itself; what each would leave:";
    return [`${what}. ${help}${lines.join("")}`];
  };
  throw new HatchlingError(
    [...text(trains, "training"), ...text(evaluates, "evaluation")].join("\n"),
  );
}

/** Why training does not fit; undefined where it does. */
function whyNotTrained(
  plan: StepPlan,
  limit: { bytes: number; why: string },
): string | undefined {
  const largest = plan.largest.map((tensor) => tensorText(tensor)).join(", ");
  if (plan.refused.length) {
    const [first, ...others] = plan.refused;
    const more = others.length ? `; ${others.length} more like it` : "";
    return `${first}${more}. The largest tensors are ${largest}`;
  }
  if (plan.total <= limit.bytes) return;
  const parts = plan.bytes.slice(0, 3).map(({ what, bytes }) => `${what} ${bytesText(bytes)}`);
  return `Expected a run of ${bytesText(limit.bytes)} on the GPU at most (${limit.why}) but this ` +
    `one needs ${bytesText(plan.total)}: ${parts.join(", ")}. The largest tensors are ${largest}`;
}

const SUITS = "what suits the number of pictures";

/**
 * The largest batch that fits, for `data.batch_size: auto` and `preset: auto`: the wanted one, or a power of two.
 *
 * @param most The wanted one, which suits the pictures.
 * @throws {HatchlingError} When not even a picture alone fits.
 */
export async function autoBatch(
  gpu: Gpu,
  config: Config,
  sizes: PictureSizes,
  most: number,
): Promise<{ batchSize: number; why: string }> {
  refuseFar(gpu, withBatch(config, 1));
  const limit = memoryLimit(gpu, config);
  for (let batchSize = most; batchSize > 1; batchSize = 2 ** Math.floor(Math.log2(batchSize - 1))) {
    try {
      const { peak, refused } = await planStep(gpu, withBatch(config, batchSize), sizes);
      if (refused.length || peak > limit.bytes) continue;
      const why = batchSize < most ? "the largest that fits" : SUITS;
      return { batchSize, why: `${why}: ${bytesText(peak)} on the GPU` };
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
    }
  }
  const { peak } = await checkFits(gpu, withBatch(config, 1), sizes);
  const why = most > 1 ? "the largest that fits" : SUITS;
  return { batchSize: 1, why: `${why}: ${bytesText(peak)} on the GPU` };
}
