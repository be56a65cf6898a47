/**
 * The lines of metrics.jsonl.
 *
 * @module
 */

/**
 * One logged step. All but `step` may be missing: older runs wrote fewer keys, and a number that is not
 * finite becomes null in JSON.
 */
export interface MetricLine {
  /** Steps done. */
  step: number;
  /** Epochs begun before the step, with their fraction. */
  epoch?: number | null;
  /** The objective's own loss in nats: DINO's, or InfoNCE where that is the objective. */
  loss?: number | null;
  /** Loss / ln K. */
  loss_over_ln_k?: number | null;
  /** Mean entropy of the teacher's distributions in nats. */
  teacher_entropy?: number | null;
  /** Entropy of their mean over the batch in nats. */
  teacher_entropy_of_mean?: number | null;
  /** Mean KL(teacher ‖ student) in nats. */
  kl_teacher_student?: number | null;
  /** The longest submission to the GPU since the line before, in milliseconds. */
  longest_submit_ms?: number | null;
  /** Learning rate. */
  lr?: number | null;
  /** Weight decay. */
  weight_decay?: number | null;
  /** Momentum of the teacher's moving average. */
  teacher_momentum?: number | null;
  /** Teacher temperature. */
  teacher_temp?: number | null;
  /** L2 norm of the loss's centre. */
  center_norm?: number | null;
  /** Spread of the teacher's normalised features: 0 collapsed, about 1 even. */
  feature_std?: number | null;
  /** Effective rank of the teacher's features (RankMe). */
  feature_rank?: number | null;
  /** L2 norm of the whole gradient before clipping. */
  gradient_norm?: number | null;
  /** The same by part of the model (`patch_embed`, `blocks.0`, …, `norm`, `head`); not read back. */
  gradient_norms?: Readonly<Record<string, number>>;
  /** KoLeo times its weight, where it is on. */
  koleo?: number | null;
  /** InfoNCE in nats, not weighted, where it is on. */
  contrastive?: number | null;
  /** Share of its queries whose nearest key is their own, from 0 to 1. */
  contrastive_accuracy?: number | null;
  /** Loss of masked patches (iBOT) in nats, where it is on. */
  ibot?: number | null;
  /** Mean entropy of the teacher's distributions of masked patches in nats. */
  ibot_teacher_entropy?: number | null;
  /** Entropy of their mean over the batch in nats. */
  ibot_teacher_entropy_of_mean?: number | null;
  /** Gram anchoring's loss, where it is on. */
  gram?: number | null;
  /** Speed since the run or its last part began. */
  images_per_second?: number | null;
  /** Milliseconds per step that training waited for its pictures, since the line before. */
  data_wait_ms?: number | null;
  /** Milliseconds from the beginning of a batch until it was complete, mostly in the background. */
  data_build_ms?: number | null;
  /** Bytes of the buffers alive on the GPU. */
  gpu_bytes?: number | null;
  /** Bytes of memory that the process holds. */
  process_bytes?: number | null;
  /** Bytes that a rank gave to communication per step, since the line before; of several ranks alone, as all below. */
  comm_bytes?: number | null;
  /** Milliseconds per step that gradients took to be added up over ranks. */
  comm_ms?: number | null;
  /** Those of them in which the GPU worked. */
  comm_hidden_ms?: number | null;
  /** Milliseconds per step, beside those, that it waited for the slowest rank. */
  comm_wait_ms?: number | null;
  /** By rank the milliseconds per step that it worked on its part, up to the gradients, without what it waited for. */
  rank_compute_ms?: readonly (number | null)[];
  /** What held the first NaN or infinity; such a line ends a run. */
  non_finite?: string;
  /** The first tensor of that step's forward pass that held one, in words. */
  first_non_finite?: string;
}

/** The keys of a line that hold numbers. */
export type MetricKey = Exclude<
  keyof MetricLine,
  "gradient_norms" | "rank_compute_ms" | "non_finite" | "first_non_finite"
>;

/** All keys of numbers; the compiler asks for a new one here. */
export const NUMBERS = Object.keys(
  {
    step: 0,
    epoch: 0,
    loss: 0,
    loss_over_ln_k: 0,
    teacher_entropy: 0,
    teacher_entropy_of_mean: 0,
    kl_teacher_student: 0,
    lr: 0,
    weight_decay: 0,
    teacher_momentum: 0,
    teacher_temp: 0,
    center_norm: 0,
    feature_std: 0,
    feature_rank: 0,
    gradient_norm: 0,
    koleo: 0,
    contrastive: 0,
    contrastive_accuracy: 0,
    ibot: 0,
    ibot_teacher_entropy: 0,
    ibot_teacher_entropy_of_mean: 0,
    gram: 0,
    images_per_second: 0,
    data_wait_ms: 0,
    data_build_ms: 0,
    gpu_bytes: 0,
    longest_submit_ms: 0,
    process_bytes: 0,
    comm_bytes: 0,
    comm_ms: 0,
    comm_hidden_ms: 0,
    comm_wait_ms: 0,
  } satisfies Record<MetricKey, number>,
) as readonly MetricKey[];

/** Keys of texts. */
const TEXTS = ["non_finite", "first_non_finite"] as const;

/** Largest size of a number: beyond it, differences and squares are no numbers any more. No run comes near. */
const LARGEST = 1e100;

/** Most characters of a text that are kept, and most ranks. */
const LONGEST = 300, MOST_RANKS = 4096;

/**
 * Reads one line of a metrics.jsonl: keys that are not known are left out.
 *
 * @returns Undefined when it is no JSON object, `step` is no whole number from 0 on, or a known key holds
 * something else than its kind of value.
 *
 * @example
 * ```ts
 * import { parseMetricLine } from "@hatchling/hatchling/diagnosis";
 *
 * console.assert(parseMetricLine('{"step":10,"loss":6.9}')?.loss === 6.9);
 * console.assert(parseMetricLine('{"step":10,"loss":"6.9"}') === undefined);
 * ```
 */
export function parseMetricLine(text: string): MetricLine | undefined {
  let found: Record<string, unknown>;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  const step = found?.step;
  if (!Number.isSafeInteger(step) || step as number < 0) return undefined;
  const line: MetricLine = { step: step as number };
  for (const key of NUMBERS) {
    const value = found[key];
    if (value === undefined) continue;
    if (!isNumber(value)) return undefined;
    line[key] = value as number;
  }
  const { rank_compute_ms: times } = found;
  if (times !== undefined) {
    if (!Array.isArray(times) || !times.every(isNumber)) return undefined;
    line.rank_compute_ms = times.slice(0, MOST_RANKS);
  }
  for (const key of TEXTS) {
    const value = found[key];
    if (value === undefined) continue;
    if (typeof value !== "string") return undefined;
    line[key] = value.slice(0, LONGEST);
  }
  return line;
}

/** Null stands for one that is not finite. */
function isNumber(value: unknown): value is number | null {
  return value === null || typeof value === "number" && Math.abs(value) <= LARGEST;
}
