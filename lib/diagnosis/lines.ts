/**
 * The lines of metrics.jsonl.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";

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
  /** Numbers, from 1, of the lines that could not be read: of the first 1,000 of them. */
  damaged: number[];
  /** How many more could not be read. */
  moreDamaged: number;
  /** The last line has no end: the run was killed while it wrote, or is writing now. */
  torn: boolean;
}

/** All keys of numbers; the compiler asks for a new one here. */
const NUMBERS = Object.keys(
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
    images_per_second: 0,
    data_wait_ms: 0,
    data_build_ms: 0,
    gpu_bytes: 0,
    process_bytes: 0,
  } satisfies Record<MetricKey, number>,
) as MetricKey[];

/** Keys of texts. */
const TEXTS = ["non_finite", "first_non_finite"] as const;

/** Largest size of a number: beyond it, differences and squares are no numbers any more. No run comes near. */
const LARGEST = 1e100;

/** Most characters of a text that are kept. */
const LONGEST = 300;

/** Damaged lines that are told by number. */
const TOLD = 1000;

/** Where lines are thinned: the newest stay, of so many older ones in a row the extremes. */
const NEWEST = 4096, GROUP = 128;

/**
 * Reads one line of a metrics.jsonl: keys that are not known are left out.
 *
 * @returns Undefined when it is no JSON object, `step` is no whole number from 0 on, or a known key holds
 * something else than its kind of value.
 *
 * @example
 * ```ts
 * import { parseMetricLine } from "./lines.ts";
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
    const fits = value === null || typeof value === "number" && Math.abs(value) <= LARGEST;
    if (!fits) return undefined;
    line[key] = value as number;
  }
  for (const key of TEXTS) {
    const value = found[key];
    if (value === undefined) continue;
    if (typeof value !== "string") return undefined;
    line[key] = value.slice(0, LONGEST);
  }
  return line;
}

/**
 * Takes a metrics.jsonl row by row, however long it is: a file of any size fits into the memory of `mostLines`
 * lines.
 *
 * Where a step was logged twice, the later line counts. When there are more than `mostLines`, older ones are
 * thinned: of 128 in a row the first, the last, and those with the lowest and the highest value of every key are
 * left, so that every peak stays; the newest 4,096 lines are always whole.
 *
 * @example
 * ```ts
 * import { MetricsReader } from "./lines.ts";
 *
 * const reader = new MetricsReader({ mostLines: 20_000 });
 * for (let step = 1; step <= 100_000; step++) reader.add(`{"step":${step},"loss":${step === 777 ? 9 : 1}}`);
 * const { lines } = reader;
 * console.assert(lines.length <= 20_000 && lines.some(({ loss }) => loss === 9));
 * ```
 */
export class MetricsReader {
  readonly #most: number;
  #lines: MetricLine[] = [];
  #row = 0;
  #first?: { line: number; text: string };
  /** Numbers of damaged lines: of the first 1,000 of them. */
  readonly damaged: number[] = [];
  /** How many more are damaged. */
  moreDamaged = 0;

  /** @param options `mostLines` at least 8,192; all are kept by default. */
  constructor({ mostLines = Infinity }: { mostLines?: number } = {}) {
    this.#most = Math.max(2 * NEWEST, mostLines);
  }

  /** The lines so far. */
  get lines(): MetricLine[] {
    return this.#lines;
  }

  /** Takes the next row; undefined stands for one that was too long to be read. */
  add(row: string | undefined): void {
    this.#row++;
    if (row?.trim() === "") return;
    const line = row === undefined ? undefined : parseMetricLine(row);
    if (line) return this.#push(line);
    this.#first ??= { line: this.#row, text: row ?? "too long to be shown" };
    if (this.damaged.length < TOLD) this.damaged.push(this.#row);
    else this.moreDamaged++;
  }

  /**
   * Takes what stands after the last end of a line.
   *
   * @returns Whether it is torn.
   */
  end(row: string | undefined): boolean {
    if (row?.trim() === "") return false;
    const line = row === undefined ? undefined : parseMetricLine(row);
    if (line) this.#push(line);
    return !line;
  }

  /**
   * Checks that there is something to go by.
   *
   * @throws {HatchlingError} When there are lines but not one of them is an object with a `step`.
   */
  check(name: string): void {
    if (this.#lines.length || !this.#first) return;
    const { line, text } = this.#first;
    throw new HatchlingError(
      `Expected lines of JSON like {"step": 10, "loss": 6.9, …} but found none in ${
        shown(name)
      }: ` +
        `line ${line} is ${excerpt(text)}. Is it the metrics.jsonl of a run?`,
    );
  }

  #push(line: MetricLine): void {
    const bad = line.non_finite !== undefined;
    for (let last = this.#lines.at(-1); last && last.step >= line.step; last = this.#lines.at(-1)) {
      // A line that says that its step was not finite stands beside the step's own.
      if (bad && last.step === line.step && last.non_finite === undefined) break;
      this.#lines.pop();
    }
    this.#lines.push(line);
    if (this.#lines.length > this.#most) this.#thin();
  }

  #thin(): void {
    const old = this.#lines.length - NEWEST, kept: MetricLine[] = [];
    for (let at = 0; at < old; at += GROUP) {
      kept.push(...extremes(this.#lines.slice(at, Math.min(old, at + GROUP))));
    }
    this.#lines = kept.concat(this.#lines.slice(old));
  }
}

/** Of some lines in a row the first, the last, and those with the lowest and highest values, in order. */
function extremes(lines: readonly MetricLine[]): MetricLine[] {
  const chosen = new Set([0, lines.length - 1]);
  for (const key of NUMBERS) {
    let low = -1, high = -1;
    lines.forEach((line, i) => {
      const value = line[key];
      if (typeof value !== "number") return;
      if (low < 0 || value < lines[low][key]!) low = i;
      if (high < 0 || value > lines[high][key]!) high = i;
    });
    if (low >= 0) chosen.add(low).add(high);
  }
  const isBad = ({ non_finite }: MetricLine) => non_finite !== undefined;
  for (const i of [lines.findIndex(isBad), lines.findLastIndex(isBad)]) if (i >= 0) chosen.add(i);
  return [...chosen].sort((a, b) => a - b).map((i) => lines[i]);
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
  const rows = text.split("\n"), last = rows.pop();
  const reader = new MetricsReader();
  for (const row of rows) reader.add(row);
  const torn = reader.end(last);
  reader.check(name);
  const { lines, damaged, moreDamaged } = reader;
  return { lines, damaged, moreDamaged, torn };
}

function excerpt(row: string): string {
  return shown(JSON.stringify(row.length > 40 ? row.slice(0, 40) + "…" : row));
}
