/**
 * Options of InfoNCE for tensors.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../gpu.ts";
import { INFONCE_DEFAULTS } from "../defaults.ts";
import { batchOf, checkKeys, checkTemperature, checkTensor, checkViews, expect } from "./check.ts";
import type { Temperature } from "./kernels.ts";
import type { Sizes } from "./sizes.ts";

/** What {@linkcode infoNce} says of a batch, on the GPU. */
export interface InfoNceMetrics {
  /** [1], in nats, without the weight: ln B where all rows are alike. */
  loss: Tensor;
  /** [1], share of the queries whose positive is the nearest key, of equally near ones the first; chance is 1 / B. */
  accuracy: Tensor;
  /** [G, V], the loss per pair of key view and query view; 0 for a view with itself. */
  pairLoss: Tensor;
}

/** Options of {@linkcode infoNce}. */
export interface InfoNceOptions {
  /** Views V per sample, global ones included; at least 2. */
  views: number;
  /** Global views G, whose rows come first and are the keys; 2 by default. */
  globals?: number;
  /** [G·B, D], a momentum teacher's rows of the global views, which get no gradient; by default the queries' own. */
  keys?: Tensor;
  /**
   * τ, by which similarities are divided; 0.1 by default. Or `{ logScale }`, a weight [1] that holds ln(1/τ), where
   * τ is learned: it gets its gradient. Above ln 100 it counts as that, without a gradient: {@linkcode clampLogScale}
   * after every update keeps it in reach.
   */
  temperature?: Temperature;
  /** Factor on the gradients, at least 0; 1 by default. */
  weight?: number;
  /** Micro-batches of equal size that the batch comes in; 1 by default. Metrics and gradients are this one's share. */
  accumulationSteps?: number;
  /**
   * Ranks that compute the loss of the same batch, each for gradients of its own rows; 1 by default. Metrics and the
   * temperature's gradient are this one's share.
   */
  copies?: number;
  /** Receives the metrics; new tensors by default. */
  out?: InfoNceMetrics;
  /** Add the metrics to what `out` holds. */
  accumulate?: boolean;
  /**
   * Queries whose similarities exist at once, a multiple of 64: by default all of them while they take 64 MiB at
   * most, else as many as take 16 MiB.
   */
  chunkRows?: number;
}

/** Bytes of all similarities at once, and of a chunk where that is too much; as for DINO's logits. */
const WHOLE = 64 * 2 ** 20, CHUNK = 16 * 2 ** 20;

const KEYS: readonly string[] = [
  ...["views", "globals", "keys", "temperature", "weight", "accumulationSteps", "copies", "out"],
  ...["accumulate", "chunkRows"],
];

const isWhole = (x: unknown) => Number.isInteger(x) && x as number >= 1;

/** The settings with defaults filled in. */
export interface CheckedOptions {
  /** B, V and G. */
  sizes: Sizes;
  /** D. */
  dim: number;
  /** Keys that are not the queries' own. */
  keys?: Tensor;
  /** As given. */
  temperature: Temperature;
  /** Factor on gradients, and micro-batches of a batch. */
  weight: number;
  steps: number;
  /** Ranks that compute the same loss. */
  copies: number;
  /** Queries whose similarities exist at once: all, or a multiple of 64. */
  chunk: number;
  /** As given. */
  out?: InfoNceMetrics;
  accumulate: boolean;
}

/**
 * Fills defaults in.
 *
 * @throws {HatchlingError} Saying what is not as it has to be.
 */
export function checkOptions(gpu: Gpu, queries: Tensor, options: InfoNceOptions): CheckedOptions {
  checkKeys(options, KEYS);
  const {
    globals = INFONCE_DEFAULTS.globals,
    temperature = INFONCE_DEFAULTS.temperature,
    ...rest
  } = options;
  const {
    views,
    keys,
    out,
    accumulate = false,
    weight = 1,
    accumulationSteps: steps = 1,
    copies = 1,
  } = rest;
  checkViews(views, globals);
  checkTensor(gpu, "queries", queries, "[V·B, D]", ({ shape }) => shape.length === 2);
  const [rows, dim] = queries.shape;
  const wide = ({ shape }: Tensor) => shape.length === 2 && shape[1] === dim;
  if (keys !== undefined) checkTensor(gpu, "keys", keys, `[G·B, ${dim}]`, wide);
  const asRows = keys && { rows: keys.shape[0], found: keys };
  const batch = batchOf({ views, globals }, { rows, found: queries }, asRows);
  checkScale(gpu, temperature);
  const finite = typeof weight === "number" && weight >= 0 && weight < Infinity;
  expect(finite, "a finite weight of at least 0", weight, "0 turns the gradient off");
  const ofSteps = "give the micro-batches of a step";
  expect(isWhole(steps), "accumulationSteps to be whole and at least 1", steps, ofSteps);
  expect(isWhole(copies), "copies to be whole and at least 1", copies, "give the number of ranks");
  checkOut(gpu, out, globals * views);
  expect(!accumulate || !!out, "out with accumulate", out, "give what the metrics are added to");
  const chunk = rest.chunkRows ?? defaultChunk(gpu, rows, dim, globals * batch);
  const remedy = "leave it out for what suits the batch";
  expect(isWhole(chunk / 64), "chunkRows to be a multiple of 64", chunk, remedy);
  const sizes = { batch, views, globals };
  const more = { sizes, dim, keys, temperature, weight, steps, copies, out, accumulate };
  return { ...more, chunk: Math.min(chunk, rows) };
}

function checkScale(gpu: Gpu, temperature: Temperature): void {
  if (typeof temperature !== "object" || !temperature) return checkTemperature(temperature);
  const { data, grad = data } = temperature.logScale ?? {};
  for (const [name, t] of Object.entries({ data, grad })) {
    checkTensor(gpu, `temperature.logScale.${name}`, t, "[1]", ({ size }) => size === 1);
  }
}

function checkOut(gpu: Gpu, out: InfoNceMetrics | undefined, pairs: number): void {
  if (!out) return;
  const sizes = { loss: 1, accuracy: 1, pairLoss: pairs };
  for (const [name, n] of Object.entries(sizes)) {
    const t = out[name as keyof InfoNceMetrics];
    checkTensor(gpu, `out.${name}`, t, `of ${n} elements`, ({ size }) => size === n);
  }
}

/** Queries whose similarities exist at once; a chunk's rows have to be bound as well. */
function defaultChunk({ limits }: Gpu, rows: number, dim: number, columns: number): number {
  const bound = limits.maxStorageBufferBindingSize / (4 * dim);
  const whole = Math.ceil(rows / 64),
    most = 4 * rows * columns <= WHOLE ? rows : CHUNK / (4 * columns);
  if (most === rows && rows <= bound) return 64 * whole;
  return 64 * Math.min(whole, Math.max(1, Math.floor(Math.min(most, bound) / 64)));
}
