/**
 * Curves over the logged steps, without the noise of single batches.
 *
 * @module
 */
import type { MetricKey, MetricLine } from "./lines.ts";

/** Least lines and steps that a median is taken over: outliers among them do not move it far. */
export const FEWEST = { lines: 5, steps: 20 };

/** Share of a run that counts as recent, and the most lines of it. */
const RECENT = 0.1, MOST_RECENT = 50;

/** One smoothed curve. */
export interface Curve {
  /** Median over the recent lines. */
  recent: number;
  /** The first point. */
  from: { step: number; value: number };
  /** Largest smoothed point. */
  high: { step: number; value: number };
  /** Smallest smoothed point. */
  low: { step: number; value: number };
  /** Medians of {@linkcode FEWEST} lines in a row, of fewer at the start, each at the step of its last line. */
  points: { step: number; value: number }[];
  /** Medians of three lines in a row: fast changes that the points leave out. */
  fine: number[];
}

/** A number of a line, or what is computed from it; undefined where the line lacks it. */
export type Quantity = MetricKey | ((line: MetricLine) => number | undefined);

/** A line's number, when it has one. */
export function numberOf(line: MetricLine, key: MetricKey): number | undefined {
  const value = line[key];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** Lines that count as recent: the last tenth of the run, but 5 lines and 20 steps, and at most 50 lines. */
export function recentLines(lines: readonly MetricLine[]): MetricLine[] {
  const count = Math.min(MOST_RECENT, Math.ceil(RECENT * lines.length));
  return lines.slice(-Math.max(count, width(lines)));
}

/** Lines of a median. */
function width(lines: readonly { step: number }[]): number {
  const gaps = lines.slice(1).map(({ step }, i) => step - lines[i].step);
  return Math.max(FEWEST.lines, gaps.length ? Math.ceil(FEWEST.steps / median(gaps)) : 0);
}

/** The curve of a quantity; undefined while fewer than 5 lines have it, or as many recent ones. */
export function curve(lines: readonly MetricLine[], quantity: Quantity): Curve | undefined {
  const valueOf = typeof quantity === "function"
    ? quantity
    : (line: MetricLine) => numberOf(line, quantity);
  const known: MetricLine[] = [];
  const values: number[] = [];
  for (const line of lines) {
    const value = valueOf(line);
    if (value === undefined) continue;
    known.push(line);
    values.push(value);
  }
  const recent = recentLines(lines).flatMap((line) => valueOf(line) ?? []);
  if (recent.length < FEWEST.lines) return undefined;
  const smooth = (lag: number) => values.map((_, i) => median(values, i + 1 - lag, i + 1));
  const slow = smooth(width(known));
  const points = known.map(({ step }, i) => ({ step, value: slow[i] }));
  const fine = smooth(3);
  let [high, low] = [points[0], points[0]];
  for (const point of points) {
    if (point.value > high.value) high = point;
    if (point.value < low.value) low = point;
  }
  return { recent: median(recent), from: points[0], high, low, points, fine };
}

/**
 * Turns of a curve by at least `least`, up or down: 0 for one that only rises or only falls, 1 for a
 * valley or a hill, more for one that swings.
 */
export function turns({ fine }: Curve, least: number): number {
  let count = 0, direction = 0, low = fine[0], high = low;
  for (const value of fine) {
    low = Math.min(low, value);
    high = Math.max(high, value);
    if (direction !== 1 && value - low >= least) {
      if (direction) count++;
      [direction, high] = [1, value];
    } else if (direction !== -1 && high - value >= least) {
      if (direction) count++;
      [direction, low] = [-1, value];
    }
  }
  return count;
}

/** The middle of the values from `from` to before `to`; the mean of the two middle ones of an even number. */
export function median(values: readonly number[], from = 0, to = values.length): number {
  // By insertion: windows are short, and neighbours on a curve nearly in order.
  const sorted: number[] = [];
  for (let i = Math.max(0, from); i < to; i++) {
    let at = sorted.length;
    while (at > 0 && sorted[at - 1] > values[i]) sorted[at] = sorted[--at];
    sorted[at] = values[i];
  }
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
