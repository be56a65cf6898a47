/**
 * Rates as pure functions of the step or epoch, in float64. They keep the end points of the published
 * DINO runs (https://github.com/facebookresearch/dino, utils.py): a warm-up includes both of its ends,
 * so the peak occurs twice, and the cosine never quite reaches its final value.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/** A cosine from `base` to `final` behind a linear warm-up; one value per iteration. */
export interface CosineSchedule {
  /** Value at the end of the warm-up and the start of the cosine. */
  base: number;
  /** Value that the cosine approaches. */
  final: number;
  /** Epochs in all, warm-up included; ≥ 0. */
  epochs: number;
  /** Iterations per epoch, ≥ 0. */
  itersPerEpoch: number;
  /** Epochs of warm-up, 0 to `epochs`, rounded to whole iterations. Default 0. */
  warmupEpochs?: number;
  /** First value of the warm-up. Default 0. */
  warmupStart?: number;
}

/** A teacher temperature that rises linearly, then stays; one value per epoch. */
export interface TeacherTempSchedule {
  /** Temperature of epoch 0. */
  start: number;
  /** Temperature from the last epoch of the warm-up on. */
  final: number;
  /** Epochs of warm-up, 0 to `epochs`. */
  warmupEpochs: number;
  /** Epochs in all. */
  epochs: number;
}

function count(name: string, value: number, max = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || value < 0 || value > max) {
    throw new HatchlingError(
      `Expected ${name} to be an integer from 0 to ${max} but found ${value}`,
    );
  }
  return value;
}

/** Value i of n from `start` to `end`, both included; a single one is `start`. */
function linear(start: number, end: number, i: number, n: number): number {
  if (i === n - 1 && n > 1) return end;
  return n > 1 ? start + i * ((end - start) / (n - 1)) : start;
}

/**
 * Learning rate, weight decay or teacher momentum by iteration.
 *
 * @returns a function of the step, 0 to `epochs · itersPerEpoch` − 1.
 * @throws {HatchlingError} when the warm-up is longer than the run; the returned function when the step
 * lies outside of it.
 *
 * @example
 * ```ts
 * import { cosineSchedule } from "@hatchling/hatchling/optim";
 *
 * const lr = cosineSchedule({
 *   base: 5e-4,
 *   final: 1e-6,
 *   epochs: 100,
 *   itersPerEpoch: 118,
 *   warmupEpochs: 10,
 * });
 * console.assert(lr(0) === 0 && lr(1180) === 5e-4);
 * ```
 */
export function cosineSchedule(options: CosineSchedule): (step: number) => number {
  return warmedUp(options, (t) => 0.5 * (1 + Math.cos(Math.PI * t)));
}

/**
 * As {@linkcode cosineSchedule}, with a line in the cosine's place.
 *
 * @returns a function of the step, 0 to `epochs · itersPerEpoch` − 1.
 * @throws {HatchlingError} as `cosineSchedule` does.
 */
export function linearSchedule(options: CosineSchedule): (step: number) => number {
  return warmedUp(options, (t) => 1 - t);
}

/**
 * As {@linkcode cosineSchedule}, but it stays at `base` after the warm-up, whatever `final` is.
 *
 * @returns a function of the step, 0 to `epochs · itersPerEpoch` − 1.
 * @throws {HatchlingError} as `cosineSchedule` does.
 */
export function constantSchedule(options: CosineSchedule): (step: number) => number {
  return warmedUp({ ...options, final: options.base }, () => 1);
}

/** A linear warm-up, then what goes from `base`, where the share is 1, to `final`, by t from 0 to 1. */
function warmedUp(options: CosineSchedule, share: (t: number) => number) {
  const { base, final, epochs, itersPerEpoch, warmupEpochs = 0, warmupStart = 0 } = options;
  const total = count("epochs", epochs) * count("itersPerEpoch", itersPerEpoch);
  if (!(warmupEpochs >= 0 && warmupEpochs <= epochs)) {
    throw new HatchlingError(
      `Expected warmupEpochs to be from 0 to ${epochs} but found ${warmupEpochs}`,
    );
  }
  const warmup = Math.round(warmupEpochs * itersPerEpoch);
  return (step: number) => {
    count("step", step, total - 1);
    if (step < warmup) return linear(warmupStart, base, step, warmup);
    return final + (base - final) * share((step - warmup) / (total - warmup));
  };
}

/** All values of {@linkcode cosineSchedule}, one per iteration. */
export function cosineValues(options: CosineSchedule): Float64Array {
  const at = cosineSchedule(options);
  return Float64Array.from(
    { length: options.epochs * options.itersPerEpoch },
    (_, step) => at(step),
  );
}

/**
 * Teacher temperature by epoch: linear from `start` to `final`, both included, then constant.
 *
 * @returns a function of the epoch, 0 to `epochs` − 1.
 * @throws {HatchlingError} when the warm-up is longer than the run; the returned function when the epoch
 * lies outside of it.
 */
export function teacherTempSchedule(options: TeacherTempSchedule): (epoch: number) => number {
  const { start, final, warmupEpochs, epochs } = options;
  count("epochs", epochs);
  count("warmupEpochs", warmupEpochs, epochs);
  return (epoch) => {
    count("epoch", epoch, epochs - 1);
    return epoch < warmupEpochs ? linear(start, final, epoch, warmupEpochs) : final;
  };
}

/** All values of {@linkcode teacherTempSchedule}, one per epoch. */
export function teacherTempValues(options: TeacherTempSchedule): Float64Array {
  const at = teacherTempSchedule(options);
  return Float64Array.from({ length: options.epochs }, (_, epoch) => at(epoch));
}

/** The linear scaling rule (Goyal et al. 2017): the rate for `batch` pictures from that for 256. */
export function scaledLr(lr: number, batch: number): number {
  return lr * batch / 256;
}
