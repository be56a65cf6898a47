/**
 * What the features of one encoder are worth: without labels, and by every kind of label.
 *
 * @module
 */
import type { Gpu } from "../gpu.ts";
import { acrossVendors } from "./across_vendors.ts";
import { agreement, kMeans } from "./clusters.ts";
import type { FeatureArray } from "./features.ts";
import type { Figure } from "./figures.ts";
import { voteKnn } from "./knn.ts";
import { type Add, MAX_EIGENVALUES, type MeasureOptions } from "./measure_options.ts";
import { nearest } from "./nearest.ts";
import { linearProbes } from "./probes.ts";
import { featureStd, rankMe } from "./rank.ts";
import { recallOf, viewRetrieval } from "./retrieval.ts";
import { type Classes, classesOf, type Side, type Sides } from "./sides.ts";
import { alignment, uniformity } from "./sphere.ts";

/** Figures of one encoder, and the clusters that some of them are of. */
export interface Measured {
  /** The figures. */
  figures: Figure[];
  /** By kind of label the k-means cluster of every row that is judged. */
  clusters: Map<string, Int32Array>;
}

/** Most classes for which clusters are made: the cost grows with their number. */
const MOST_CLUSTERS = 1000;

/** The figures of one encoder's features: see `evaluate`. */
export async function measureFeatures(
  gpu: Gpu,
  sides: Sides,
  encoder: string,
  options: MeasureOptions,
): Promise<Measured> {
  const { onNote = () => {}, onMeasure = () => {} } = options;
  const figures: Figure[] = [];
  const clusters = new Map<string, Int32Array>();
  const add: Add = (group, metric, number) =>
    void figures.push({ group, metric, encoder, ...number });
  await withoutLabels(gpu, sides.test ?? sides.gallery, options, add);
  await acrossVendors(gpu, sides, add, onNote);
  const kinds = classesOf(sides, onNote);
  if (!kinds.length) return { figures, clusters };

  onMeasure("neighbours");
  const gallery = sides.gallery.encoded.whole;
  const judged = (sides.test ?? sides.gallery).encoded.whole;
  const own = sides.test ? undefined : Int32Array.from({ length: judged.shape[0] }, (_, i) => i);
  const most = gallery.shape[0] - (own ? 1 : 0);
  const ks = [...new Set(options.knnK.map((k) => Math.min(k, most)))];
  for (const k of options.knnK.filter((k) => k > most)) {
    onNote(`k-NN (k ${k}): there are only ${most} others, and all of them vote`);
  }
  const wanted = Math.min(most, Math.max(5, ...ks));
  const neighbors = await nearest(gpu, judged, gallery, wanted, { exclude: own });
  for (const classes of kinds) {
    const { kind, count } = classes;
    const temperature = options.knnTemperature;
    const numClasses = classes.judged.reduce((most, c) => Math.max(most, c + 1), count);
    for (const k of ks) {
      const { top1, top5 } = voteKnn(neighbors, classes.gallery, classes.judged, {
        k,
        temperature,
        numClasses,
      });
      add(kind, `${kind} k-NN (k ${k})`, { percent: top1 });
      if (count > 5 && k >= 5) add(kind, `${kind} k-NN top-5 (k ${k})`, { percent: top5 });
    }
    const { r1, r5 } = recallOf(neighbors, classes.judged, classes.gallery, own);
    add(kind, `${kind} retrieval R@1`, { percent: r1 });
    add(kind, `${kind} retrieval R@5`, { percent: r5 });
    if (!options.probes || options.neighborsOnly) continue;
    await linearProbes(gpu, sides, classes, options, add);
    const found = await clustersOf(gpu, judged, classes, options, add);
    if (found) clusters.set(kind, found);
  }
  return { figures, clusters };
}

async function withoutLabels(
  gpu: Gpu,
  { encoded: { whole, views, raw } }: Side,
  {
    maxEigenvalues = MAX_EIGENVALUES,
    neighborsOnly,
    onMeasure = () => {},
  }: MeasureOptions,
  add: Add,
): Promise<void> {
  const [rows, dim] = whole.shape;
  if (views && rows > 1) {
    onMeasure("view retrieval");
    const { r1, r5 } = await viewRetrieval(gpu, views, whole);
    add("", "view retrieval R@1", { percent: r1 });
    add("", "view retrieval R@5", { percent: r5 });
  }
  if (neighborsOnly) return;
  onMeasure("rank and spread");
  const value = rankMe(raw.whole.data, rows, dim, { maxRows: maxEigenvalues });
  add("", "effective rank (RankMe)", { value });
  add("", "feature std", { value: featureStd(raw.whole.data, rows, dim, { maxRows: Infinity }) });
  if (rows > 1) add("", "uniformity", { value: await uniformity(gpu, whole) });
  if (views) add("", "alignment", { value: alignment(whole, views) });
}

async function clustersOf(
  gpu: Gpu,
  features: FeatureArray,
  { kind, judged }: Classes,
  { seed, onNote = () => {}, onMeasure = () => {} }: MeasureOptions,
  add: Add,
): Promise<Int32Array | undefined> {
  const k = new Set(judged).size;
  if (k < 2 || k > MOST_CLUSTERS) {
    onNote(`${kind}: no k-means for ${k} classes, 2 to ${MOST_CLUSTERS} are done`);
    return;
  }
  onMeasure(`${kind}: k-means of ${k} clusters`);
  const { labels } = await kMeans(gpu, features, k, { seed });
  const { nmi, ari, purity } = agreement(labels, judged);
  add(kind, `${kind} k-means NMI`, { value: nmi });
  add(kind, `${kind} k-means ARI`, { value: ari });
  add(kind, `${kind} k-means purity`, { percent: 100 * purity });
  return labels;
}
