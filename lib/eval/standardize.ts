/**
 * What both linear probes begin with.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { checkRows, type FeatureArray } from "./features.ts";

/** Rows with their classes. */
export interface LabeledFeatures {
  /** [n, D]. */
  features: FeatureArray;
  /** [n], classes from 0. */
  labels: ArrayLike<number>;
}

/** Spread below this share of the mean is what float32 leaves of a constant. */
const CONSTANT = 1e-7;

/** Gives every dimension mean 0 and standard deviation 1 over the given features; a constant one becomes 0. */
export function standardizer(features: FeatureArray): (other: FeatureArray) => FeatureArray {
  const { rows, dim } = checkRows(features, "features");
  const { data } = features;
  const mean = new Float64Array(dim), variance = new Float64Array(dim);
  for (let i = 0; i < data.length; i++) mean[i % dim] += data[i] / rows;
  for (let i = 0; i < data.length; i++) variance[i % dim] += (data[i] - mean[i % dim]) ** 2 / rows;
  const factor = variance.map((v, d) => {
    const std = Math.sqrt(v);
    return std > CONSTANT * Math.abs(mean[d]) ? 1 / std : 0;
  });
  return (other) => {
    checkRows(other, "features");
    if (other.shape[1] !== dim) {
      throw new HatchlingError(`Expected features of ${dim} dimensions but found ${other.shape}`);
    }
    const out = new Float32Array(other.data.length);
    for (let i = 0; i < out.length; i++) out[i] = (other.data[i] - mean[i % dim]) * factor[i % dim];
    return { data: out, shape: other.shape };
  };
}

/**
 * Checks rows that a probe is fitted to.
 *
 * @returns The number of classes, the highest label + 1.
 */
export function checkClasses({ features, labels }: LabeledFeatures, least: number): number {
  const [rows] = features.shape;
  const all = Array.from(labels);
  if (all.length !== rows || all.some((c) => !Number.isInteger(c) || c < 0)) {
    throw new HatchlingError(
      `Expected ${rows} labels, whole numbers from 0, but found ${all.length}, ${
        all.find((c) => !Number.isInteger(c) || c < 0) ?? "all whole"
      }`,
    );
  }
  const found = new Set(all).size;
  if (rows < least || found < 2) {
    throw new HatchlingError(
      `Expected two or more classes and ${least} or more rows for a linear probe but found ${found} in ${rows}`,
    );
  }
  return all.reduce((a, b) => Math.max(a, b), 0) + 1;
}

/** How many classes come before a row's own: larger outputs, and equal ones of lower index. */
export function classRank(
  outputs: ArrayLike<number>,
  at: number,
  classes: number,
  own: number,
): number {
  if (own >= classes) return classes; // a class that the probe was never shown
  const value = outputs[at + own];
  let rank = 0;
  for (let c = 0; c < classes; c++) {
    const other = outputs[at + c];
    if (other > value || (other === value && c < own)) rank++;
  }
  return rank;
}
