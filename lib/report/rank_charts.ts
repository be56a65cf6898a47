/**
 * How long each rank of a run worked by itself.
 *
 * @module
 */
import type { RunData } from "../run/data.ts";
import { type Chart, COLORS, MOST_SERIES, type Series, STRETCHES } from "./chart.ts";
import { type Point, smoothed, thinned } from "./thin.ts";

/** Largest time over smallest from which the axis is logarithmic: first steps compile kernels. */
const WIDE = 30;

/** What a step took a rank by itself, in milliseconds. */
interface RankTime {
  rank: number;
  ms: number;
}

/** Own times of ranks: of each where they can be told apart, else of those at the ends and in the middle. */
export function rankCharts({ lines }: Pick<RunData, "lines">): Chart[] {
  const times = lines.flatMap(({ step, rank_compute_ms: all }) => {
    const own = all?.flatMap((ms, rank) => ms === null ? [] : [{ rank, ms }]) ?? [];
    return all && all.length > 1 && own.length ? [{ step, own }] : [];
  });
  const ranks = times.reduce((most, { own }) => Math.max(most, own.at(-1)!.rank + 1), 0);
  if (!ranks) return [];
  const each = ranks <= MOST_SERIES
    ? Array.from({ length: ranks }, (_, rank) => ({
      name: `rank ${rank}`,
      of: (own: readonly RankTime[]) => own.find((one) => one.rank === rank)?.ms,
    }))
    : ["slowest", "median", "fastest"].map((name, i) => ({
      name,
      of: (own: readonly RankTime[]) =>
        own.map(({ ms }) => ms).sort((a, b) => b - a)[Math.floor(i * (own.length - 1) / 2)],
    }));
  const series = each.map(({ name, of }, i): Series => {
    const points = times.flatMap(({ step, own }): Point[] => {
      const ms = of(own);
      return ms === undefined ? [] : [[step, ms]];
    });
    const mean = smoothed(points);
    return {
      name,
      color: COLORS[i],
      points: thinned(points, STRETCHES),
      mean: mean && thinned(mean, STRETCHES),
    };
  }).filter(({ points }) => points.length);
  const values = series.flatMap(({ points }) => points.map(([, ms]) => ms));
  const log = Math.min(...values) > 0 && Math.max(...values) > WIDE * Math.min(...values);
  const title = "own time of ranks, ms in a step";
  return [{ name: "rank-time", title, series, references: [], log }];
}
