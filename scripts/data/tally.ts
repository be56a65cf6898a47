/**
 * Counts and orders of many numbers.
 *
 * @module
 */

/** Smallest, middle and largest of some numbers. */
export interface Spread {
  min: number;
  /** The middle one; of an even number of them, the mean of the two. */
  median: number;
  max: number;
}

/** A range of whole numbers, `to` included, and how many were in it. */
export interface Bin {
  from: number;
  /** Absent: without an end. */
  to?: number;
  count: number;
}

/** @returns All zeros for no numbers. */
export function spread(numbers: Float64Array): Spread {
  const sorted = numbers.slice().sort();
  const n = sorted.length;
  if (n === 0) return { min: 0, median: 0, max: 0 };
  const median = (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
  return { min: sorted[0], median, max: sorted[n - 1] };
}

/** Counts by powers of two: below 32, 32 to 63, …, from 4096 on. Empty ranges are left out. */
export function histogram(numbers: Float64Array): Bin[] {
  const edges = [0, 32, 64, 128, 256, 512, 1024, 2048, 4096];
  const bins: Bin[] = edges.map((from, i) => ({ from, to: edges[i + 1] - 1, count: 0 }));
  delete bins[edges.length - 1].to;
  for (const x of numbers) bins.findLast(({ from }) => x >= from)!.count++;
  return bins.filter(({ count }) => count > 0);
}

/** How often each name was met; the most frequent first, then by name. */
export function counted(names: Iterable<string>): { name: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => ({ name, count }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}

/** Groups of two or more indices with the same key, in the order of their first index; no key is alone. */
export function groupsOf(keys: readonly (string | undefined)[]): number[][] {
  const groups = new Map<string, number | number[]>();
  keys.forEach((key, i) => {
    if (key === undefined) return;
    const found = groups.get(key);
    if (found === undefined) groups.set(key, i);
    else if (typeof found === "number") groups.set(key, [found, i]);
    else found.push(i);
  });
  return [...groups.values()].filter((group) => typeof group !== "number");
}
