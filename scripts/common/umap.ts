/**
 * UMAP (McInnes et al. 2018, arXiv:1802.03426) in two dimensions, the same every time.
 *
 * @module
 */
import { UMAP } from "umap-js";
import type { FeatureArray } from "../../lib/eval/features.ts";
import { nearest } from "../../lib/eval/nearest.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { Rng } from "../../lib/rng.ts";

/** Width that the start is scaled to, as umap-learn does. */
const START = 10;

/** Options of {@linkcode umapLayout}. */
export interface UmapOptions {
  /** Neighbours that are kept together, the picture itself among them; fewer where there are fewer. */
  neighbors: number;
  /** Seed of the optimisation. */
  seed: number;
  /** Called with epochs done and of all. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Places pictures by their exact nearest neighbours under cosine distance. The optimisation starts at their first two
 * principal components, which keeps far groups in place (Kobak and Linderman 2021, doi:10.1038/s41587-020-00809-z).
 *
 * @param features L2-normalised, [n ≥ 3, D].
 * @param start Coordinates [n, 2].
 * @returns Coordinates [n, 2].
 */
export async function umapLayout(
  gpu: Gpu,
  features: FeatureArray,
  start: Float64Array,
  { neighbors, seed, onProgress }: UmapOptions,
): Promise<Float64Array> {
  const [n] = features.shape;
  const k = Math.min(neighbors, n - 1);
  const exclude = Int32Array.from({ length: n }, (_, i) => i);
  const found = await nearest(gpu, features, features, k - 1, { exclude });
  const line = (own: number, i: number, value: (at: number) => number) => {
    return [own, ...Array.from({ length: k - 1 }, (_, j) => value(i * (k - 1) + j))];
  };
  const rng = new Rng(seed, 0x07a9);
  const umap = new UMAP({ nNeighbors: k, random: () => rng.uniform(0, 1) });
  umap.setPrecomputedKNN(
    Array.from({ length: n }, (_, i) => line(i, i, (at) => found.indices[at])),
    Array.from(
      { length: n },
      (_, i) => line(0, i, (at) => Math.max(0, 1 - found.similarity[at])),
    ),
  );
  // Of the features it takes but their number, when the neighbours are known.
  const epochs = umap.initializeFit(Array.from({ length: n }, () => []));
  const widest = start.reduce((most, x) => Math.max(most, Math.abs(x)), 0) || 1;
  const embedding = umap.getEmbedding();
  embedding.forEach((point, i) => {
    for (const d of [0, 1]) {
      // A little apart, or equal pictures would stay at one place.
      point[d] = START * start[2 * i + d] / widest + 1e-4 * rng.normal();
    }
  });
  for (let epoch = 0; epoch < epochs; epoch++) {
    umap.step();
    onProgress?.(epoch + 1, epochs);
  }
  return Float64Array.from({ length: 2 * n }, (_, i) => embedding[i >> 1][i & 1]);
}
