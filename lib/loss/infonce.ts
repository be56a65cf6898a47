/**
 * InfoNCE over the views of a batch (van den Oord et al. 2018, arXiv:1807.03748, eq. 4; between views of a picture, Chen
 * et al. 2020, arXiv:2002.05709, eq. 1): a view finds its picture among those of the batch.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { matmul } from "../ops/matmul.ts";
import { columnSum, rowSum } from "../ops/reduce.ts";
import { INFONCE_DEFAULTS } from "./defaults.ts";
import {
  batchOf,
  checkKeys,
  checkTemperature,
  checkTensor,
  checkViews,
  expect,
} from "./infonce/check.ts";
import { finish, rowPass, type Sizes, type Temperature } from "./infonce/kernels.ts";

/** What {@linkcode infoNce} says of a batch, on the GPU. */
export interface InfoNceMetrics {
  /** [1], in nats, without the weight: ln B where all rows are alike. */
  loss: Tensor;
  /** [1], share of the queries whose positive is the nearest key, of equally near ones the first; chance is 1 / B. */
  accuracy: Tensor;
  /** [G, V], the loss per pair of key view and query view; 0 for a view with itself. */
  pairLoss: Tensor;
}

/** What {@linkcode infoNce} returns. */
export interface InfoNceResult extends InfoNceMetrics {
  /** [V·B, D], the gradient of loss times weight: through queries and, unless these are given, through keys. */
  gradQueries: Tensor;
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

/** Elements that one sum takes, far from the limit on workgroups. */
const SLICE = 2 ** 20;

/**
 * L = 1/G Σ_i of the mean over views j ≠ i and samples b of −log( exp(z_jb · y_ib / τ) / Σ_b′ exp(z_jb · y_ib′ / τ) ),
 * i over the global views: a view of a sample finds its key among those that the batch has in view i.
 *
 * z are the queries, rows of length 1 of all views; they are used as they are given. y are the queries of the
 * global views themselves, and then the gradient goes through both sides, or a momentum teacher's, and then through
 * z alone. (SimCLR also takes the other rows of view j as negatives; MoCo v3, Chen et al. 2021, arXiv:2104.02057,
 * multiplies by 2τ, which is left out here: the weight can hold it.)
 *
 * Negatives lie within the batch that is given: of micro-batches, each within itself. A batch of one sample has
 * none: loss and gradient are 0.
 *
 * @param queries [V·B, D], view-major: all B samples of view 0, then of view 1, …; global views first.
 * @throws {HatchlingError} When shapes do not fit, or a setting is out of range.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { infoNce } from "@hatchling/hatchling/loss";
 *
 * const gpu = await openGpu();
 * const rows = [1, 0, 0, 1, 1, 0, 0, 1]; // two views of two samples, which are at right angles
 * const queries = gpu.tensor(new Float32Array(rows), [4, 2]);
 * const { loss, accuracy } = gpu.scope(() => infoNce(gpu, queries, { views: 2, temperature: 0.5 }));
 * console.log(await gpu.read([loss, accuracy])); // ln(1 + exp(−2)) = 0.1269; 1
 * for (const t of [queries, loss, accuracy]) t.destroy();
 * gpu.destroy();
 * ```
 */
export function infoNce(gpu: Gpu, queries: Tensor, options: InfoNceOptions): InfoNceResult {
  const { sizes, dim, keys: given, temperature, weight, steps, chunk, out, accumulate } = check(
    gpu,
    queries,
    options,
  );
  const { batch, views, globals } = sizes;
  const rows = views * batch, columns = globals * batch;
  return gpu.scope(() => {
    const keys = given ?? queries.view([columns, dim]);
    const room = gpu.empty([chunk, columns], "infonce.similarities");
    const terms = gpu.empty([3 * globals * views, batch], "infonce.terms");
    const gradQueries = gpu.empty([rows, dim], "infonce.grad");
    const gradKeys = given ? undefined : gpu.empty([columns, dim], "infonce.grad_keys");
    const factor = weight / (globals * (views - 1) * batch * steps);
    for (let first = 0; first < rows; first += chunk) {
      const n = Math.min(chunk, rows - first);
      const part = (t: Tensor) => t.view([n, dim], first * dim);
      const z = part(queries);
      const s = matmul(gpu, z, keys, { transB: true, out: room.view([n, columns]) });
      rowPass(gpu, sizes, temperature, { similarities: s, terms }, { first, factor });
      matmul(gpu, s, keys, { out: part(gradQueries) });
      if (gradKeys) matmul(gpu, s, z, { transA: true, out: gradKeys, accumulate: first > 0 });
    }
    if (gradKeys) addTo(gpu, gradQueries.view([columns, dim]), gradKeys);
    const sums = rowSum(gpu, terms, { scale: 1 / (batch * steps) });
    const metrics = out ?? {
      loss: gpu.empty([1], "infonce"),
      accuracy: gpu.empty([1], "infonce.accuracy"),
      pairLoss: gpu.empty([globals, views], "infonce.pairs"),
    };
    finish(gpu, sizes, temperature, { sums, ...metrics }, { weight, accumulate });
    return { ...metrics, gradQueries };
  });
}

/** out += x. */
function addTo(gpu: Gpu, out: Tensor, x: Tensor): void {
  for (let start = 0; start < x.size; start += SLICE) {
    const n = Math.min(SLICE, x.size - start);
    columnSum(gpu, x.view([1, n], start), { out: out.view([n], start), accumulate: true });
  }
}

const KEYS = [
  ...[
    "views",
    "globals",
    "keys",
    "temperature",
    "weight",
    "accumulationSteps",
    "out",
    "accumulate",
  ],
  "chunkRows",
];

/** The settings with defaults filled in. */
function check(gpu: Gpu, queries: Tensor, options: InfoNceOptions) {
  checkKeys(options, KEYS);
  const { views, keys, out, accumulate = false, weight = 1, accumulationSteps: steps = 1 } =
    options;
  const { globals = INFONCE_DEFAULTS.globals, temperature = INFONCE_DEFAULTS.temperature } =
    options;
  checkViews(views, globals);
  checkTensor(gpu, "queries", queries, "[V·B, D]", ({ shape }) => shape.length === 2);
  const [rows, dim] = queries.shape;
  if (keys !== undefined) {
    checkTensor(gpu, "keys", keys, `[G·B, ${dim}]`, ({ shape: [, d, more] }) => d === dim && !more);
  }
  const asRows = keys && { rows: keys.shape[0], found: keys };
  const batch = batchOf({ views, globals }, { rows, found: queries }, asRows);
  if (typeof temperature === "object" && temperature) {
    const { data, grad } = temperature.logScale ?? {};
    for (const [name, t] of [["data", data], ["grad", grad ?? data]] as const) {
      checkTensor(gpu, `temperature.logScale.${name}`, t, "[1]", ({ size }) => size === 1);
    }
  } else checkTemperature(temperature);
  const finite = typeof weight === "number" && weight >= 0 && weight < Infinity;
  expect(finite, "a finite weight of at least 0", weight, "0 turns the gradient off");
  const whole = Number.isInteger(steps) && steps >= 1;
  expect(
    whole,
    "accumulationSteps to be whole and at least 1",
    steps,
    "give the micro-batches of a step",
  );
  if (out) {
    const sizes = { loss: 1, accuracy: 1, pairLoss: globals * views };
    for (const [name, n] of Object.entries(sizes)) {
      const t = out[name as keyof InfoNceMetrics];
      checkTensor(gpu, `out.${name}`, t, `of ${n} elements`, ({ size }) => size === n);
    }
  }
  expect(!accumulate || !!out, "out with accumulate", out, "give what the metrics are added to");
  const chunk = options.chunkRows ?? defaultChunk(rows, globals * batch);
  const multiple = Number.isInteger(chunk) && chunk >= 64 && chunk % 64 === 0;
  expect(
    multiple,
    "chunkRows to be a multiple of 64",
    chunk,
    "leave it out for what suits the batch",
  );
  const sizes: Sizes = { batch, views, globals };
  return {
    sizes,
    dim,
    keys,
    temperature,
    weight,
    steps,
    chunk: Math.min(chunk, rows),
    out,
    accumulate,
  };
}

/** Rows of similarities that exist at once. */
function defaultChunk(rows: number, columns: number): number {
  const whole = 64 * Math.ceil(rows / 64);
  if (4 * rows * columns <= WHOLE) return whole;
  return Math.min(whole, 64 * Math.max(1, Math.floor(CHUNK / (4 * columns) / 64)));
}
