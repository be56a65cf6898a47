/**
 * Runs cases with every contender, and says what came out.
 *
 * @module
 */
import type { Case } from "./cases.ts";
import type { Contender, Subject } from "./contender.ts";
import { compare, geometricMean } from "./timing.ts";

/** What one contender took. */
export interface Result {
  /** Median milliseconds. */
  ms: number;
  /** Batches behind the median. */
  samples: number;
  /** Milliseconds from nothing to the first result, compiling included. */
  first: number;
}

/** One case with its results by contender; the first contender is the one that others are compared with. */
export interface Row extends Omit<Case, "job"> {
  /** Results by contender's name. */
  results: Record<string, Result>;
  /** First results that differ: who, what it gave, and what the first contender gave. Such are not timed. */
  disagreements: string[];
}

/** Largest difference of first results, of the largest among them. */
const TOLERANCE = 1e-3;

/** Prepares a case with every contender, compares first results, times all in turns. */
export async function runCase(
  { job, ...rest }: Case,
  contenders: readonly Contender[],
  repeats: number,
  note: (line: string) => void,
): Promise<Row> {
  const row: Row = { ...rest, results: {}, disagreements: [] };
  const ready: { name: string; subject: Subject; first: number }[] = [];
  let reference: number[] | undefined;
  for (const { name, prepare } of contenders) {
    try {
      const start = performance.now();
      const subject = await prepare(job);
      if (!subject) continue;
      const sample = await subject.sample();
      const first = performance.now() - start;
      reference ??= sample;
      row.flops ??= subject.flops;
      if (agree(sample, reference)) {
        ready.push({ name, subject, first });
      } else {
        subject.destroy();
        row.disagreements.push(`${name} gives ${difference(sample, reference)}`);
      }
    } catch (error) {
      note(`${rest.label}: ${name} fails: ${firstLine(error)}`);
    }
  }
  try {
    const timings = await compare(ready.map(({ subject }) => subject), repeats);
    ready.forEach(({ name, first }, i) => row.results[name] = { ...timings[i], first });
  } catch (error) {
    note(`${rest.label}: not timed: ${firstLine(error)}`);
  }
  for (const { subject } of ready) subject.destroy();
  for (const line of row.disagreements) note(`${rest.label}: ${line}`);
  return row;
}

/** Whether two contenders computed the same. */
export function agree(a: readonly number[], b: readonly number[]): boolean {
  const largest = Math.max(...b.map(Math.abs), 1e-6);
  return a.length === b.length &&
    a.every((x, i) => Math.abs(x - b[i]) <= TOLERANCE * largest);
}

/** What differs most of two samples. */
function difference(a: readonly number[], b: readonly number[]): string {
  const off = b.map((x, i) => Math.abs(x - a[i])).map((d) => Number.isNaN(d) ? Infinity : d);
  const i = off.indexOf(Math.max(...off));
  return `${a[i]}, not ${b[i]}${b.length > 1 ? ` (${i + 1} of ${b.length})` : ""}`;
}

/** How many times longer each peer takes, as geometric means by group and peer. */
export function ratios(rows: readonly Row[], ours: string): Record<string, Record<string, number>> {
  const out: Record<string, Record<string, number>> = {};
  for (const group of new Set(rows.map((row) => row.group))) {
    const some = rows.filter((row) => row.group === group && row.results[ours]);
    const peers = new Set(some.flatMap((row) => Object.keys(row.results)));
    peers.delete(ours);
    out[group] = Object.fromEntries([...peers].map((peer) => {
      const both = some.filter((row) => row.results[peer]);
      return [peer, geometricMean(both.map(({ results }) => results[peer].ms / results[ours].ms))];
    }));
  }
  return out;
}

/** The first line of an error's message. */
export const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : `${error}`).split("\n")[0].slice(0, 200);
