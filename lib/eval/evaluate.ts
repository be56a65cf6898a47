/**
 * What the features are worth: view retrieval, k-NN by every label, retrieval across vendors.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { Gpu } from "../gpu/mod.ts";
import { Rng } from "../rng.ts";
import {
  type EncodedPictures,
  type EncodeOptions,
  encodePictures,
  type Encoder,
} from "./encode.ts";
import type { FeatureArray } from "./features.ts";
import { nearest } from "./nearest.ts";
import { voteKnn } from "./knn.ts";
import { retrieval, viewRetrieval } from "./retrieval.ts";

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions extends EncodeOptions {
  /** Neighbours that vote, one figure for each. */
  knnK: readonly number[];
  /** Temperature of a vote. */
  knnTemperature: number;
  /** Evaluate this many pictures at most, drawn by the seed; null takes all. */
  maxImages: number | null;
}

/** One figure of one encoder. */
export interface Figure {
  /** What was measured, "view retrieval R@1" for instance. */
  metric: string;
  /** The encoder's name. */
  encoder: string;
  /** In percent. */
  percent: number;
}

/** Labels that name single pictures or their origin; no classes to be recognised. */
export const NOT_CLASSES: ReadonlySet<string> = new Set(["identity", "vendor"]);

/**
 * Evaluates every encoder on the same pictures and views.
 *
 * View retrieval finds a picture among all from a random view of it, and needs no labels. k-NN classifies
 * every picture by all others (leave-one-out), once per kind of label. With labels `identity` and
 * `vendor`, the first vendor's pictures are looked for among the second's. Damaged pictures are left out.
 */
export async function evaluate(
  gpu: Gpu,
  dataset: Dataset,
  encoders: readonly Encoder[],
  options: EvaluateOptions,
): Promise<Figure[]> {
  const all = new Rng(options.seed, 0xe7a1).permutation(dataset.length);
  const asked = all.subarray(0, options.maxImages ?? dataset.length).slice().sort();
  const encoded = await encodePictures(gpu, dataset, asked, encoders, options);
  const figures: Figure[] = [];
  for (const [e, features] of encoded.entries()) {
    figures.push(...await figuresOf(gpu, dataset, features, encoders[e].name, options));
  }
  return figures;
}

/** The figures of one encoder's features, as {@linkcode evaluate} gives them. */
export async function figuresOf(
  gpu: Gpu,
  dataset: Dataset,
  { indices, whole, views }: EncodedPictures,
  encoder: string,
  options: Pick<EvaluateOptions, "knnK" | "knnTemperature">,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  const add = (metric: string, percent: number) => void figures.push({ metric, encoder, percent });
  if (views && indices.length > 1) {
    const { r1, r5 } = await viewRetrieval(gpu, views, whole);
    add("view retrieval R@1", r1);
    add("view retrieval R@5", r5);
  }
  await labelled(gpu, dataset, indices, whole, options, add);
  return figures;
}

async function labelled(
  gpu: Gpu,
  dataset: Dataset,
  indices: readonly number[],
  features: FeatureArray,
  { knnK, knnTemperature }: Pick<EvaluateOptions, "knnK" | "knnTemperature">,
  add: (metric: string, percent: number) => void,
): Promise<void> {
  const { labels = {} } = dataset;
  const pick = (values: Int32Array) => Int32Array.from(indices, (i) => values[i]);
  if (labels.identity && labels.vendor?.names.length === 2) {
    const vendor = pick(labels.vendor.values);
    const identity = pick(labels.identity.values);
    const rowsOf = (v: number) => Array.from(vendor.keys()).filter((i) => vendor[i] === v);
    const [queries, gallery] = [rowsOf(0), rowsOf(1)];
    const shared = new Set(gallery.map((i) => identity[i]));
    if (queries.some((i) => shared.has(identity[i]))) {
      const ids = (rows: number[]) => rows.map((i) => identity[i]);
      const { r1, r5 } = await retrieval(
        gpu,
        take(features, queries),
        ids(queries),
        take(features, gallery),
        ids(gallery),
      );
      const name = labels.vendor.names.join(" → ");
      add(`${name} R@1`, r1);
      add(`${name} R@5`, r5);
    }
  }
  const kinds = Object.entries(labels).filter(([kind, { names }]) =>
    !NOT_CLASSES.has(kind) && names.length > 1
  );
  const ks = knnK.filter((k) => k < indices.length);
  if (!kinds.length || !ks.length) return;
  const exclude = Int32Array.from(indices, (_, i) => i);
  const neighbors = await nearest(gpu, features, features, Math.max(...ks), { exclude });
  for (const [kind, { values }] of kinds) {
    const own = pick(values);
    for (const k of ks) {
      const { top1 } = voteKnn(neighbors, own, own, { k, temperature: knnTemperature });
      add(`${kind} k-NN (k ${k})`, top1);
    }
  }
}

function take({ data, shape: [, dim] }: FeatureArray, rows: readonly number[]): FeatureArray {
  const out = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => out.set(data.subarray(row * dim, (row + 1) * dim), i * dim));
  return { data: out, shape: [rows.length, dim] };
}

/** Figures as a table for a terminal: metrics down, encoders across. */
export function figureTable(figures: readonly Figure[]): string {
  const metrics = [...new Set(figures.map((f) => f.metric))];
  const encoders = [...new Set(figures.map((f) => f.encoder))];
  const width = Math.max(...metrics.map((m) => m.length)) + 2;
  const cell = (text: string) => text.padStart(18);
  const line = (metric: string) =>
    metric.padEnd(width) + encoders.map((encoder) => {
      const found = figures.find((f) => f.metric === metric && f.encoder === encoder);
      return cell(found ? `${found.percent.toFixed(1)} %` : "");
    }).join("");
  return ["".padEnd(width) + encoders.map(cell).join(""), ...metrics.map(line)].join("\n");
}
