/**
 * The lines of metrics.jsonl.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/**
 * One logged step. All but `step` may be missing: older runs wrote fewer keys, and a number that is not
 * finite becomes null in JSON.
 */
export interface MetricLine {
  /** Steps done. */
  step: number;
  /** Epochs begun before the step, with their fraction. */
  epoch?: number | null;
  /** The loss in nats. */
  loss?: number | null;
  /** Loss / ln K. */
  loss_over_ln_k?: number | null;
  /** Mean entropy of the teacher's distributions in nats. */
  teacher_entropy?: number | null;
  /** Entropy of their mean over the batch in nats. */
  teacher_entropy_of_mean?: number | null;
  /** Mean KL(teacher ‖ student) in nats. */
  kl_teacher_student?: number | null;
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
  /** KoLeo times its weight, where it is on. */
  koleo?: number | null;
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
  /** What held the first NaN or infinity; such a line ends a run. */
  non_finite?: string;
  /** The first tensor of that step's forward pass that held one, in words. */
  first_non_finite?: string;
}

/** The keys of a line that hold numbers. */
export type MetricKey = Exclude<keyof MetricLine, "non_finite" | "first_non_finite">;

/** What a metrics.jsonl holds. */
export interface ParsedMetrics {
  /** The sound lines in order. */
  lines: MetricLine[];
  /** Numbers, from 1, of the lines that could not be read. */
  damaged: number[];
  /** The last line has no end: the run was killed while it wrote, or is writing now. */
  torn: boolean;
}

/**
 * Reads a metrics.jsonl. A last line that was cut off is left out; so are damaged lines, by number. Where
 * a step was logged twice, the later line counts.
 *
 * @throws {HatchlingError} When there are lines but not one of them is an object with a `step`.
 *
 * @example
 * ```ts
 * import { parseMetrics } from "./lines.ts";
 *
 * const { lines, torn } = parseMetrics('{"step":10,"loss":6.9}\n{"step":20,"lo');
 * console.assert(lines.length === 1 && torn);
 * ```
 */
export function parseMetrics(text: string, name = "metrics.jsonl"): ParsedMetrics {
  const rows = text.split("\n");
  const last = rows.pop() ?? "";
  const lines: MetricLine[] = [];
  const damaged: number[] = [];
  rows.forEach((row, i) => {
    if (row.trim() === "") return;
    const line = parseLine(row);
    if (!line) return void damaged.push(i + 1);
    while (lines.length && lines.at(-1)!.step >= line.step && !line.non_finite) lines.pop();
    lines.push(line);
  });
  const whole = last.trim() === "" ? undefined : parseLine(last);
  if (whole) lines.push(whole);
  const torn = !whole && last.trim() !== "";
  if (!lines.length && damaged.length) {
    throw new HatchlingError(
      `Expected lines of JSON like {"step": 10, "loss": 6.9, …} but found none in ${name}: ` +
        `line ${damaged[0]} is ${excerpt(rows[damaged[0] - 1])}. Is it the metrics.jsonl of a run?`,
    );
  }
  return { lines, damaged, torn };
}

function parseLine(text: string): MetricLine | undefined {
  try {
    const line = JSON.parse(text);
    return Number.isFinite(line?.step) ? line : undefined;
  } catch {
    return undefined;
  }
}

function excerpt(row: string): string {
  return JSON.stringify(row.length > 40 ? row.slice(0, 40) + "…" : row);
}
