/**
 * Long curves with few points.
 *
 * @module
 */

/** A place on a curve: step and value. */
export type Point = readonly [x: number, y: number];

/**
 * Fewer points of a curve, with every peak: of equal stretches of x the first, the lowest, the highest and the
 * last one.
 *
 * @param points By rising x.
 * @param stretches How many; at most four times as many points are left.
 */
export function thinned(points: readonly Point[], stretches: number): Point[] {
  if (points.length <= 4 * stretches) return [...points];
  const from = points[0][0], span = points.at(-1)![0] - from || 1;
  const place = ([x]: Point) => Math.min(stretches - 1, Math.floor((x - from) / span * stretches));
  const kept: Point[] = [];
  for (let start = 0; start < points.length;) {
    const stretch = place(points[start]);
    let end = start, low = start, high = start;
    for (; end < points.length && place(points[end]) === stretch; end++) {
      if (points[end][1] < points[low][1]) low = end;
      if (points[end][1] > points[high][1]) high = end;
    }
    const chosen = new Set([start, low, high, end - 1]);
    for (const i of [...chosen].sort((a, b) => a - b)) kept.push(points[i]);
    start = end;
  }
  return kept;
}

/** Fewest points that are worth smoothing. */
const FEWEST = 40;

/** The mean over a fortieth of the points around each; undefined where there are few. */
export function smoothed(points: readonly Point[]): Point[] | undefined {
  if (points.length < FEWEST) return undefined;
  const half = Math.ceil(points.length / 80);
  const sums = new Float64Array(points.length + 1);
  points.forEach(([, y], i) => sums[i + 1] = sums[i] + y);
  return points.map(([x], i) => {
    const reach = Math.min(half, i, points.length - 1 - i); // as far to both sides
    const mean = (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1);
    return [x, mean];
  });
}
