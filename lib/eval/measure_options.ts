/**
 * What is measured of features, how, and who gets the figures.
 *
 * @module
 */

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

/** Default of {@linkcode MeasureOptions.maxEigenvalues}. */
export const MAX_EIGENVALUES = 2048;

/** Takes a figure of the encoder that is measured. */
export type Add = (
  group: string,
  metric: string,
  number: { percent: number } | { value: number },
) => void;
