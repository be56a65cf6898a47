/**
 * Clusters of features, and how well they agree with classes.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import { Rng } from "../rng.ts";
import { checkRows, type FeatureArray } from "./features.ts";
import { GpuRows } from "./rows.ts";

/** Options of {@linkcode kMeans}. */
export interface KMeansOptions {
  /** Seed of the first centres. */
  seed?: number;
  /** Times that it starts anew; the best result counts. Default 3. */
  restarts?: number;
  /** Most iterations of a start. Default 100. */
  iterations?: number;
}

/** Result of {@linkcode kMeans}. */
export interface Clusters {
  /** Cluster of every row, [n]. */
  labels: Int32Array<ArrayBuffer>;
  /** Sum of the squared distances to the own centre. */
  inertia: number;
}

/**
 * k-means by Lloyd's iterations from k-means++ centres (Arthur and Vassilvitskii 2007), until no row moves. Dot
 * products are made on the GPU in float32, centres and inertia on the host in float64. The same seed on the same
 * adapter gives the same clusters.
 *
 * @param features [n, D].
 * @param k Clusters, from 1 to n.
 * @throws {HatchlingError} When k is out of its range or features are not finite.
 *
 * @example
 * ```ts
 * import { kMeans } from "@hatchling/hatchling/eval";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const { labels } = await kMeans(gpu, { data: Float32Array.of(0, 0.1, 5, 5.1), shape: [4, 1] }, 2);
 * console.assert(labels[0] === labels[1] && labels[2] === labels[3] && labels[0] !== labels[2]);
 * gpu.destroy();
 * ```
 */
export async function kMeans(
  gpu: Gpu,
  features: FeatureArray,
  k: number,
  options: KMeansOptions = {},
): Promise<Clusters> {
  const { seed = 0, restarts = 3, iterations = 100 } = options;
  const { rows, dim } = checkRows(features, "features");
  if (!Number.isInteger(k) || k < 1 || k > rows) {
    throw new HatchlingError(`Expected 1 to ${rows} clusters, as many as rows, but found ${k}`);
  }
  const onGpu = new GpuRows(gpu, features, k);
  try {
    let best: Clusters | undefined;
    for (let start = 0; start < restarts; start++) {
      const centers = firstCenters(features.data, rows, dim, k, new Rng(seed, start, 0x6b6d));
      const found = await lloyd(onGpu, features, centers, iterations);
      if (!best || found.inertia < best.inertia) best = found;
    }
    return best!;
  } finally {
    onGpu.destroy();
  }
}

function distance(data: Float32Array, row: number, dim: number, centers: Float64Array, c: number) {
  let sum = 0;
  for (let d = 0, i = row * dim, j = c * dim; d < dim; d++, i++, j++) {
    const difference = data[i] - centers[j];
    sum += difference * difference;
  }
  return sum;
}

/** Each next centre is a row drawn by its squared distance to the nearest one so far. */
function firstCenters(data: Float32Array, rows: number, dim: number, k: number, rng: Rng) {
  const centers = new Float64Array(k * dim);
  const nearest = new Float64Array(rows).fill(Infinity);
  let row = rng.int(rows);
  for (let c = 0; c < k; c++) {
    centers.set(data.subarray(row * dim, (row + 1) * dim), c * dim);
    let total = 0;
    for (let r = 0; r < rows; r++) {
      nearest[r] = Math.min(nearest[r], distance(data, r, dim, centers, c));
      total += nearest[r];
    }
    let left = rng.uniform(0, 1) * total;
    for (row = 0; row < rows - 1; row++) if ((left -= nearest[row]) < 0) break;
  }
  return centers;
}

async function lloyd(
  onGpu: GpuRows,
  { data, shape: [rows, dim] }: FeatureArray,
  centers: Float64Array,
  iterations: number,
): Promise<Clusters> {
  const k = centers.length / dim;
  const labels = new Int32Array(rows).fill(-1);
  for (let turn = 0; turn < iterations; turn++) {
    const norms = new Float64Array(k);
    for (let i = 0; i < centers.length; i++) norms[Math.floor(i / dim)] += centers[i] ** 2;
    const sums = new Float64Array(k * dim), counts = new Int32Array(k);
    let moved = 0;
    await onGpu.times(Float32Array.from(centers), (row, dots, at) => {
      let [own, least] = [0, Infinity];
      for (let c = 0; c < k; c++) {
        const d = norms[c] - 2 * dots[at + c]; // but for the row's own norm
        if (d < least) [own, least] = [c, d];
      }
      if (labels[row] !== own) moved++;
      labels[row] = own;
      counts[own]++;
      for (let d = 0; d < dim; d++) sums[own * dim + d] += data[row * dim + d];
    });
    if (!moved) break;
    // A centre that lost all its rows stays where it is.
    for (let c = 0; c < k; c++) {
      if (!counts[c]) continue;
      for (let d = c * dim; d < (c + 1) * dim; d++) centers[d] = sums[d] / counts[c];
    }
  }
  let inertia = 0;
  for (let r = 0; r < rows; r++) inertia += distance(data, r, dim, centers, labels[r]);
  return { labels, inertia };
}

/** How well two partitions of the same rows agree. */
export interface Agreement {
  /** Normalised mutual information, over the mean of both entropies: 0 independent, 1 the same. */
  nmi: number;
  /** Adjusted Rand index (Hubert and Arabie 1985): about 0 by chance, 1 the same. */
  ari: number;
  /** Share of rows in the largest class of their cluster. */
  purity: number;
}

/**
 * Compares clusters with classes; both are any integers.
 *
 * @throws {HatchlingError} When their numbers differ or are 0.
 *
 * @example
 * ```ts
 * import { agreement } from "@hatchling/hatchling/eval";
 *
 * console.assert(agreement([0, 0, 1, 1], [7, 7, 3, 3]).ari === 1);
 * ```
 */
export function agreement(clusters: ArrayLike<number>, classes: ArrayLike<number>): Agreement {
  const n = clusters.length;
  if (n === 0 || classes.length !== n) {
    throw new HatchlingError(
      `Expected as many clusters as classes but found ${n} and ${classes.length}`,
    );
  }
  const table = new Map<number, Map<number, number>>();
  const byClass = new Map<number, number>();
  for (let i = 0; i < n; i++) {
    let row = table.get(clusters[i]);
    if (!row) table.set(clusters[i], row = new Map());
    row.set(classes[i], (row.get(classes[i]) ?? 0) + 1);
    byClass.set(classes[i], (byClass.get(classes[i]) ?? 0) + 1);
  }
  const pairs = (m: number) => m * (m - 1) / 2;
  const entropy = (counts: Iterable<number>) => {
    let sum = 0;
    for (const count of counts) sum -= count / n * Math.log(count / n);
    return sum;
  };
  const sizes = [...table.values()].map((row) => [...row.values()].reduce((a, b) => a + b));
  let [mutual, together, pure] = [0, 0, 0];
  [...table.values()].forEach((row, c) => {
    for (const [label, count] of row) {
      mutual += count / n * Math.log(n * count / (sizes[c] * byClass.get(label)!));
      together += pairs(count);
    }
    pure += Math.max(...row.values());
  });
  const [a, b] = [sizes, [...byClass.values()]].map((all) =>
    all.reduce((sum, m) => sum + pairs(m), 0)
  );
  const expected = a * b / Math.max(1, pairs(n)), most = (a + b) / 2;
  const mean = (entropy(sizes) + entropy(byClass.values())) / 2;
  return {
    nmi: mean > 0 ? mutual / mean : 1,
    ari: most === expected ? 1 : (together - expected) / (most - expected),
    purity: pure / n,
  };
}
