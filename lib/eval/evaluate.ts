/**
 * What the features are worth: without labels, and by every kind of label.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { Gpu } from "../gpu.ts";
import { agreement, kMeans } from "./clusters.ts";
import type { Encoder } from "./encoder.ts";
import type { FeatureArray } from "./features.ts";
import type { Figure } from "./figures.ts";
import { voteKnn } from "./knn.ts";
import { linearProbe } from "./linear_probe.ts";
import { nearest } from "./nearest.ts";
import { featureStd, rankMe } from "./rank.ts";
import { recallOf, retrieval, viewRetrieval } from "./retrieval.ts";
import { ridgeProbe } from "./ridge.ts";
import {
  type Classes,
  classesOf,
  encodeSides,
  type Side,
  type Sides,
  type SidesOptions,
} from "./sides.ts";
import { alignment, uniformity } from "./sphere.ts";
import type { LabeledFeatures } from "./standardize.ts";

export { type Figure, figureTable } from "./figures.ts";

/** What is measured, and how. */
export interface MeasureOptions {
  /** Neighbours that vote, one figure for each; where the gallery has fewer, all of it votes. */
  knnK: readonly number[];
  /** Temperature of a vote. */
  knnTemperature: number;
  /** Seed of probes and clusters. */
  seed: number;
  /** Also fit linear probes and make clusters, which takes longer. Default false. */
  probes?: boolean;
  /** Measure only what is found or told by neighbours. Default false. */
  neighborsOnly?: boolean;
  /** Epochs of the linear probe by SGD; 0 leaves it out. Default 100. */
  linearEpochs?: number;
  /**
   * Most eigenvalues, as their time grows with the third power: the effective rank is that of so many evenly spread
   * rows, and the linear probe by ridge regression is left out where it takes more. Default 2048.
   */
  maxEigenvalues?: number;
  /** Gets what is left out or measured otherwise, and why. */
  onNote?: (text: string) => void;
  /** Gets what comes next, in words. */
  onMeasure?: (what: string) => void;
}

/**
 * Options of {@linkcode evaluate}.
 *
 * @category Evaluation
 */
export interface EvaluateOptions extends SidesOptions, MeasureOptions {}

/** Figures of one encoder, and the clusters that some of them are of. */
export interface Measured {
  /** The figures. */
  figures: Figure[];
  /** By kind of label the k-means cluster of every row that is judged. */
  clusters: Map<string, Int32Array>;
}

/** Most classes for which clusters are made: the cost grows with their number. */
const MOST_CLUSTERS = 1000;

/** Default of {@linkcode MeasureOptions.maxEigenvalues}. */
const MAX_EIGENVALUES = 2048;

/** Without a test set, the row of so many that the linear probe by SGD isn't shown. */
const HELD_OUT = 5;

/**
 * Evaluates every encoder on the same pictures and views.
 *
 * Without labels: view retrieval, effective rank, spread, uniformity, alignment. By every kind of label: k-NN and
 * retrieval, with `probes` also linear probes and k-means. With a test set its pictures are judged by those of the
 * data set, else every picture by all others. With labels `identity` and `vendor`, the first vendor's pictures
 * are looked for among the second's. Damaged pictures are left out. Several ranks (`comm`) share the encoding, and
 * rank 0 measures.
 *
 * @returns The figures; of several ranks on rank 0 alone, elsewhere none.
 * @throws {HatchlingError} When no picture is sound, features are not finite, options out of range, or another rank
 * fails while it encodes.
 *
 * @category Evaluation
 */
export async function evaluate(
  gpu: Gpu,
  dataset: Dataset,
  encoders: readonly Encoder[],
  options: EvaluateOptions,
): Promise<Figure[]> {
  const sides = await encodeSides(gpu, dataset, encoders, options);
  const figures: Figure[] = [], notes = new Set<string>();
  const onNote = (text: string) => { // most are the same for all encoders
    if (!notes.has(text)) options.onNote?.(text);
    notes.add(text);
  };
  for (const [e, both] of sides.entries()) {
    const { name } = encoders[e];
    figures.push(...(await measureFeatures(gpu, both, name, { ...options, onNote })).figures);
  }
  return figures;
}

/** The figures of one encoder's features: see {@linkcode evaluate}. */
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

type Add = (group: string, metric: string, number: { percent: number } | { value: number }) => void;

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

/** The first vendor's pictures among the second's. */
async function acrossVendors(
  gpu: Gpu,
  sides: Sides,
  add: Add,
  onNote: (text: string) => void,
): Promise<void> {
  const { vendor, identity } = sides.gallery.dataset.labels ?? {};
  const there = Object.entries({ identity, vendor }).filter(([, is]) => is).map(([name]) => name);
  if (!there.length) return;
  const leaveOut = (why: string) =>
    onNote(
      `${
        there.join(", ")
      }: no figure, ${why}. They say which pictures of two vendors show the same; ` +
        "a label of classes needs another name",
    );
  if (!vendor || !identity) {
    return leaveOut(`as there is no label ${vendor ? "identity" : "vendor"} beside it`);
  }
  if (vendor.names.length !== 2) {
    return leaveOut(`as there are ${vendor.names.length} vendors and two are compared`);
  }
  const of = ({ dataset: { labels }, encoded: { indices, whole } }: Side, name: string) => {
    const v = labels?.vendor?.names.indexOf(name) ?? -1;
    const rows = [...indices.keys()].filter((r) => labels?.vendor?.values[indices[r]] === v);
    const own = labels?.identity;
    const ids = rows.flatMap((r) => own ? own.names[own.values[indices[r]]] : []);
    return { features: take(whole, rows), ids };
  };
  const queries = of(sides.test ?? sides.gallery, vendor.names[0]);
  const gallery = of(sides.gallery, vendor.names[1]);
  const numbers = new Map<string, number>();
  for (const id of gallery.ids) numbers.set(id, numbers.get(id) ?? numbers.size);
  if (!queries.ids.some((id) => numbers.has(id))) {
    return leaveOut(`as none of ${vendor.names[0]} is among those of ${vendor.names[1]}`);
  }
  const { r1, r5 } = await retrieval(
    gpu,
    queries.features,
    queries.ids.map((id) => numbers.get(id) ?? -1),
    gallery.features,
    gallery.ids.map((id) => numbers.get(id)!),
  );
  const name = vendor.names.join(" → ");
  add("vendor", `${name} R@1`, { percent: r1 });
  add("vendor", `${name} R@5`, { percent: r5 });
}

async function linearProbes(
  gpu: Gpu,
  sides: Sides,
  { kind, gallery, judged, count }: Classes,
  {
    seed,
    linearEpochs = 100,
    maxEigenvalues = MAX_EIGENVALUES,
    onNote = () => {},
    onMeasure = () => {},
  }: MeasureOptions,
  add: Add,
): Promise<void> {
  const train = { features: sides.gallery.encoded.raw.whole, labels: gallery };
  const test = sides.test && { features: sides.test.encoded.raw.whole, labels: judged };
  const put = (name: string, { top1, top5 }: { top1: number; top5: number }) => {
    add(kind, `${kind} linear probe (${name})`, { percent: top1 });
    if (count > 5) add(kind, `${kind} linear probe top-5 (${name})`, { percent: top5 });
  };
  if (gallery.length < 3) {
    onNote(`${kind}: ${gallery.length} pictures are too few for linear probes`);
    return;
  }
  const [, dim] = train.features.shape;
  if (dim <= maxEigenvalues) {
    onMeasure(`${kind}: linear probe (ridge)`);
    put("ridge", await ridgeProbe(gpu, train, test));
  } else onNote(`no linear probe (ridge) of ${dim} dimensions, ${maxEigenvalues} at most`);
  if (!linearEpochs) return;
  onMeasure(`${kind}: linear probe (SGD)`);
  const [shown, held] = test ? [train, test] : holdOut(train);
  if (!held.labels.length || new Set(Array.from(shown.labels)).size < 2) {
    onNote(`${kind}: too few pictures for a linear probe by SGD`);
    return;
  }
  put(
    "SGD",
    await linearProbe(gpu, shown, held, {
      epochs: linearEpochs,
      seed,
      onProgress: (done, all) => onMeasure(`${kind}: linear probe (SGD), step ${done} of ${all}`),
    }),
  );
}

/** Every fifth row apart. */
function holdOut({ features, labels }: LabeledFeatures): [LabeledFeatures, LabeledFeatures] {
  const rows = Array.from({ length: labels.length }, (_, r) => r);
  const part = (chosen: number[]) => ({
    features: take(features, chosen),
    labels: chosen.map((r) => labels[r]),
  });
  const held = (r: number) => r % HELD_OUT === HELD_OUT - 1;
  return [part(rows.filter((r) => !held(r))), part(rows.filter(held))];
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

function take({ data, shape: [, dim] }: FeatureArray, rows: readonly number[]): FeatureArray {
  const out = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => out.set(data.subarray(row * dim, (row + 1) * dim), i * dim));
  return { data: out, shape: [rows.length, dim] };
}
