/**
 * Interleaved timing: ours, peer, ours, peer, …, so that a busy machine troubles all alike.
 *
 * @module
 */
import type { Subject } from "./contender.ts";

/** Shortest batch of runs in milliseconds: well above what waiting for it costs. */
const SHORTEST = 60;

/** A subject that takes this long in one batch gets no more of them, in milliseconds. */
const PATIENCE = 4000;

/** What was measured of one subject. */
export interface Timing {
  /** Median milliseconds of one operation. */
  ms: number;
  /** Number of batches behind the median. */
  samples: number;
}

/** The middle one, or the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The mean of ratios. */
export function geometricMean(numbers: readonly number[]): number {
  return Math.exp(numbers.reduce((sum, x) => sum + Math.log(x), 0) / numbers.length);
}

/**
 * Times every subject: one batch long enough to be measured, then `repeats − 1` more in turns. A subject
 * whose first batch takes over four seconds is timed once. Each must have run before: compiling is not
 * timed.
 */
export async function compare(
  subjects: readonly Subject[],
  repeats: number,
): Promise<Timing[]> {
  const series = [];
  for (const subject of subjects) {
    let runs = 1, ms = await subject.run(1);
    while (ms < SHORTEST) {
      runs = Math.ceil(runs * Math.min(20, Math.max(1.2, 1.2 * SHORTEST / Math.max(ms, 0.1))));
      ms = await subject.run(runs);
    }
    series.push({ subject, runs, times: [ms / runs] });
  }
  for (let i = 1; i < repeats; i++) {
    for (const { subject, runs, times } of series) {
      if (times[0] * runs < PATIENCE) times.push(await subject.run(runs) / runs);
    }
  }
  return series.map(({ subject, times }) => ({
    ms: median(times) / subject.per,
    samples: times.length,
  }));
}
