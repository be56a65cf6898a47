/**
 * Ranks that share a batch evenly, and all wait for the slowest one.
 *
 * @module
 */
import { FEWEST, median, recentLines } from "./curves.ts";
import { held, HOLD, looksOf } from "./held.ts";
import type { MetricLine } from "./lines.ts";
import { type DiagnosisSettings, short } from "./settings.ts";

/** A rank that the others wait for. */
export interface SlowRank {
  /** Which one. */
  rank: number;
  /** How slow it is, in a sentence with numbers. */
  evidence: string;
  /** What to do. */
  remedy: string;
}

/** Times the median of the others' own time from which a rank is slow. */
const SLOW = 1.3;

/** Most lines that a look needs: the recent ones of more are as many. */
const WINDOW = 500;

/** Slow ranks that are named. */
const NAMED = 4;

/**
 * The own time of every rank in a step, in milliseconds: medians over the recent lines, NaN where fewer than 5 of them
 * tell it. None where the last of the lines is not of several ranks.
 */
export function rankTimes(lines: readonly MetricLine[]): number[] {
  const ranks = lines.at(-1)?.rank_compute_ms?.length ?? 0;
  if (ranks < 2) return [];
  const recent = recentLines(lines).flatMap(({ rank_compute_ms: own }) =>
    own?.length === ranks ? [own] : [] // a run may go on with other ranks
  );
  return Array.from({ length: ranks }, (_, r) => {
    const known = recent.flatMap((own) => typeof own[r] === "number" ? [own[r]] : []);
    return known.length < FEWEST.lines ? NaN : median(known);
  });
}

/**
 * The slowest rank, where its own time has been longer than {@linkcode SLOW} times the median of the others' for as
 * long as a state of the curves has to hold. It is no fault of training, and costs all of them the difference.
 */
export function slowRank(
  lines: readonly MetricLine[],
  { hosts }: DiagnosisSettings,
): SlowRank | undefined {
  const isTimed = ({ rank_compute_ms: own }: MetricLine) => own !== undefined && own.length > 1;
  const last = lines.findLast(({ non_finite }) => non_finite === undefined);
  if (!last || !isTimed(last)) return;
  const timed = lines.filter(isTimed);
  const looks = looksOf(timed);
  const { holds } = held(looks.map((i) => timed[i]), (i) => {
    const found = slowest(timed.slice(Math.max(0, looks[i] + 1 - WINDOW), looks[i] + 1), hosts);
    return { verdict: found ? "slow" : "even", found };
  }, HOLD);
  return holds?.found;
}

/** What one look shows. */
function slowest(
  lines: readonly MetricLine[],
  hosts: readonly string[] = [],
): SlowRank | undefined {
  const times = [...rankTimes(lines).entries()].filter(([, ms]) => ms > 0);
  if (times.length < 2) return;
  const [first, ...others] = times.toSorted(([, a], [, b]) => b - a);
  const usual = median(others.map(([, ms]) => ms));
  const slow = [first, ...others].filter(([, ms]) => ms > SLOW * usual);
  if (!slow.length) return;
  const name = (rank: number) => `rank ${rank}${hosts[rank] ? ` (${hosts[rank]})` : ""}`;
  const [rank, ms] = first;
  const more = slow.slice(1, NAMED).map(([rank, ms]) => `${name(rank)} ${short(ms / usual)} times`);
  return {
    rank,
    evidence: [
      `${name(rank)} takes ${short(ms)} ms of its own in a step, ${
        short(ms / usual)
      } times the median of the others, ` +
      `${short(usual)} ms, and they wait for it`,
      ...more,
    ].join("; "),
    remedy:
      "see what else runs on its machine and which adapter it took (run.json tells both); give each rank a GPU or " +
      "cores of its own (mpirun --map-by, --bind-to); or leave it out, as the slowest rank sets the pace of all",
  };
}
