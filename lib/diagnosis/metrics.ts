/**
 * Whole files of metrics, however long.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { type MetricLine, NUMBERS, parseMetricLine } from "./lines.ts";

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

/** Damaged lines that are told by number. */
const TOLD = 1000;

/** Where lines are thinned: the newest stay, of so many older ones in a row the extremes. */
const NEWEST = 4096, GROUP = 128;

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
 * import { MetricsReader } from "@hatchling/hatchling/diagnosis";
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

  /**
   * Starts with no line.
   *
   * @param options How many lines to keep, `mostLines`: 8,192 at least; all of them by default.
   */
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
 * import { parseMetrics } from "@hatchling/hatchling/diagnosis";
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
