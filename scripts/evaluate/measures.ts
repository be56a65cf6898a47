/**
 * All that is measured of one set of features.
 *
 * @module
 */
import type { Dataset } from "../../lib/data/dataset.ts";
import { agreement, kMeans } from "../../lib/eval/clusters.ts";
import type { EncodedPictures } from "../../lib/eval/encode.ts";
import { figuresOf, NOT_CLASSES } from "../../lib/eval/evaluate.ts";
import { featureStd, rankMe } from "../../lib/eval/rank.ts";
import { retrieval } from "../../lib/eval/retrieval.ts";
import { ridgeProbe } from "../../lib/eval/ridge.ts";
import { alignment, uniformity } from "../../lib/eval/sphere.ts";
import type { Gpu } from "../../lib/gpu/mod.ts";

/** One figure. */
export interface Measure {
  /** What was measured. */
  metric: string;
  /** Its value. */
  value: number;
  /** "%" where it is a share of pictures. */
  unit: "%" | "";
}

/** How it is measured. */
export interface MeasureOptions {
  /** Neighbours that vote, one figure for each. */
  knnK: readonly number[];
  /** Temperature of a vote. */
  knnTemperature: number;
  /** Seed of the clusters. */
  seed: number;
  /** Called with what comes next. */
  onProgress?: (what: string) => void;
}

/** Most classes for which clusters and a probe are made: their cost grows with the number. */
const MOST_CLASSES = 1000;

/** Measures features: without labels, and by every kind of label that names classes. */
export async function measure(
  gpu: Gpu,
  dataset: Dataset,
  encoded: EncodedPictures,
  { knnK, knnTemperature, seed, onProgress = () => {} }: MeasureOptions,
): Promise<Measure[]> {
  const { whole, views, indices } = encoded;
  const [rows, dim] = whole.shape;
  onProgress("neighbours");
  const found: Measure[] = (await figuresOf(gpu, dataset, encoded, "", { knnK, knnTemperature }))
    .map(({ metric, percent }) => ({ metric, value: percent, unit: "%" }));
  const add = (metric: string, value: number, unit: Measure["unit"] = "") =>
    void found.push({ metric, value, unit });

  onProgress("spread");
  add("effective rank (RankMe)", rankMe(whole.data, rows, dim));
  add("feature std", featureStd(whole.data, rows, dim));
  if (rows > 1) add("uniformity", uniformity(whole));
  if (views) add("alignment", alignment(whole, views));

  for (const [kind, { values, names }] of Object.entries(dataset.labels ?? {})) {
    const own = Int32Array.from(indices, (i) => values[i]);
    const classes = new Set(own).size;
    if (NOT_CLASSES.has(kind) || classes < 2 || classes === rows) continue;
    onProgress(`${kind}: retrieval`);
    const exclude = Int32Array.from(own, (_, i) => i);
    const { r1, r5 } = await retrieval(gpu, whole, own, whole, own, { exclude });
    add(`${kind} retrieval R@1`, r1, "%");
    add(`${kind} retrieval R@5`, r5, "%");
    if (names.length > MOST_CLASSES || rows < 3) continue;
    onProgress(`${kind}: linear probe`);
    const probe = ridgeProbe(whole, own);
    add(`${kind} linear probe (ridge) top-1`, probe.top1, "%");
    if (classes > 5) add(`${kind} linear probe (ridge) top-5`, probe.top5, "%");
    onProgress(`${kind}: ${classes} clusters`);
    const { nmi, ari, purity } = agreement(kMeans(whole, classes, { seed }).labels, own);
    add(`${kind} k-means NMI`, nmi);
    add(`${kind} k-means ARI`, ari);
    add(`${kind} k-means purity`, 100 * purity, "%");
  }
  return found;
}

/** Measures down, encoders across. */
export function measureTable(all: Record<string, Measure[]>): string {
  const encoders = Object.keys(all);
  const metrics = [
    ...new Set(Object.values(all).flatMap((list) => list.map(({ metric }) => metric))),
  ];
  const width = Math.max(...metrics.map((metric) => metric.length)) + 2;
  const cell = (metric: string, encoder: string) => {
    const one = all[encoder].find((found) => found.metric === metric);
    if (!one) return "";
    return one.unit ? `${one.value.toFixed(1)} %` : one.value.toPrecision(3);
  };
  const head = encoders.length > 1
    ? ["".padEnd(width) + encoders.map((name) => name.padStart(14)).join("")]
    : [];
  return [
    ...head,
    ...metrics.map((metric) =>
      metric.padEnd(width) + encoders.map((encoder) => cell(metric, encoder).padStart(14)).join("")
    ),
  ].join("\n");
}
