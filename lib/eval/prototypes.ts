/**
 * What the output dimensions of a DINO head stand for: the pictures that each takes.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import type { LastLayer } from "../model.ts";
import { matmul } from "../ops/matmul.ts";
import { weightNorm } from "../ops/weight_norm.ts";
import { checkRows, type FeatureArray } from "./features.ts";

/** Options of {@linkcode prototypeUsage}. */
export interface PrototypeOptions {
  /** The teacher's temperature τ. */
  temperature: number;
  /** The centre [K]: as training kept it, or `mean` for the mean logits of these pictures; null takes none. */
  center: Float32Array | "mean" | null;
  /** For how many of the most used prototypes pictures are named, ≥ 1; of fewer used ones all. */
  most: number;
  /** How many pictures of each, ≥ 1. */
  pictures: number;
  /** Bytes that one piece of logits may take. Default 64 MiB. */
  chunkBytes?: number;
}

/** A prototype and the pictures that it is most probable for. */
export interface Prototype {
  /** Its output dimension, from 0. */
  index: number;
  /** Pictures whose most probable prototype it is. */
  count: number;
  /** Rows of its pictures, the most probable first. */
  rows: number[];
  /** Probability of the prototype for each of them. */
  probability: number[];
}

/** How a head uses its output dimensions. */
export interface PrototypeUsage {
  /** For how many pictures each prototype is the most probable, [K]. */
  counts: Uint32Array;
  /** How many prototypes are the most probable for at least one picture. */
  used: number;
  /** Entropy in nats of the mean distribution: ln K when all are used alike. */
  meanEntropy: number;
  /** Mean entropy in nats of a picture's distribution: 0 when each takes one prototype alone. */
  entropy: number;
  /** The most used ones, by count; of equal ones the first. */
  prototypes: Prototype[];
}

/**
 * Distributes pictures over the head's K output dimensions by softmax((logits − centre) / τ), the teacher's output
 * (Caron et al. 2021, eqs. 1 and 4). Logits exist in pieces; sums are in float64.
 *
 * @param bottlenecks L2-normalised outputs of the head before its last layer, [n, d].
 * @param lastLayer Its last layer.
 * @throws {HatchlingError} When shapes do not fit or numbers are not finite.
 *
 * @example
 * ```ts
 * import { prototypeUsage } from "@hatchling/hatchling/eval";
 * import { openGpu } from "@hatchling/hatchling/gpu";
 *
 * const gpu = await openGpu();
 * const weightV = { data: gpu.tensor(Float32Array.of(1, 0, 0, 1, -1, 0), [3, 2]) }; // K 3, d 2
 * const weightG = { data: gpu.tensor(Float32Array.of(1, 1, 1), [3, 1]) };
 * const bottlenecks = { data: Float32Array.of(1, 0, 0.8, 0.6, 0, 1), shape: [3, 2] as [number, number] };
 * const { used, prototypes } = await prototypeUsage(gpu, bottlenecks, { weightV, weightG }, {
 *   temperature: 0.1,
 *   center: null,
 *   most: 2,
 *   pictures: 1,
 * });
 * console.log(used, prototypes[0].index, prototypes[0].rows); // 2 of 3 in use; #0 likes picture 0 most
 * for (const { data } of [weightV, weightG]) data.destroy();
 * gpu.destroy();
 * ```
 */
export async function prototypeUsage(
  gpu: Gpu,
  bottlenecks: FeatureArray,
  lastLayer: LastLayer,
  options: PrototypeOptions,
): Promise<PrototypeUsage> {
  const { temperature, most, pictures, chunkBytes = 2 ** 26 } = options;
  const { rows: n, dim } = checkRows(bottlenecks, "bottlenecks");
  const [K, width] = lastLayer.weightV.data.shape;
  if (width !== dim) {
    throw new HatchlingError(`Expected bottlenecks [n, ${width}] as the head's but found D ${dim}`);
  }
  if (options.center instanceof Float32Array && options.center.length !== K) {
    throw new HatchlingError(
      `Expected a centre of ${K} numbers, as many as prototypes, but found ${options.center.length}`,
    );
  }
  if (!(temperature > 0)) {
    throw new HatchlingError(`Expected a temperature > 0 but found ${temperature}`);
  }
  const { weightV, weightG } = lastLayer;
  const weights = weightG
    ? gpu.scope(() => ({ w: weightNorm(gpu, weightV.data, weightG.data).w })).w
    : weightV.data;
  const limit = Math.min(chunkBytes, gpu.limits.maxStorageBufferBindingSize);
  const piece = Math.min(n, Math.max(1, Math.floor(limit / (4 * Math.max(K, dim)))));
  /** Shows the logits of every picture, in order. */
  const eachRow = async (see: (logits: Float32Array, row: number) => void) => {
    for (let from = 0; from < n; from += piece) {
      const rows = Math.min(piece, n - from);
      const part = bottlenecks.data.subarray(from * dim, (from + rows) * dim);
      const product = gpu.scope(() =>
        matmul(gpu, gpu.tensor(part, [rows, dim]), weights, { transB: true })
      );
      const logits = await product.read();
      product.destroy();
      for (let r = 0; r < rows; r++) see(logits.subarray(r * K, (r + 1) * K), from + r);
    }
  };
  try {
    const center = new Float64Array(K);
    if (options.center instanceof Float32Array) center.set(options.center);
    if (options.center === "mean") {
      await eachRow((logits) => logits.forEach((value, k) => center[k] += value / n));
    }
    const counts = new Uint32Array(K), mean = new Float64Array(K), p = new Float64Array(K);
    const distribute = (logits: Float32Array, row: number): number => {
      let best = 0;
      for (let k = 0; k < K; k++) {
        p[k] = (logits[k] - center[k]) / temperature;
        if (p[k] > p[best]) best = k;
      }
      if (!Number.isFinite(p[best])) {
        throw new HatchlingError(`Expected finite logits but found others for picture ${row}`);
      }
      const top = p[best];
      let sum = 0;
      for (let k = 0; k < K; k++) sum += p[k] = Math.exp(p[k] - top);
      for (let k = 0; k < K; k++) p[k] /= sum;
      return best;
    };
    let entropy = 0;
    await eachRow((logits, row) => {
      counts[distribute(logits, row)]++;
      for (let k = 0; k < K; k++) {
        mean[k] += p[k] / n;
        if (p[k] > 0) entropy -= p[k] * Math.log(p[k]) / n;
      }
    });
    const shown = Array.from(counts.keys()).filter((k) => counts[k] > 0).sort((a, b) =>
      counts[b] - counts[a] || a - b
    ).slice(0, most);
    const probability = shown.map(() => new Float64Array(n));
    await eachRow((logits, row) => {
      distribute(logits, row);
      shown.forEach((k, i) => probability[i][row] = p[k]);
    });
    return {
      counts,
      used: counts.reduce((sum, count) => sum + Number(count > 0), 0),
      meanEntropy: mean.reduce((sum, q) => q > 0 ? sum - q * Math.log(q) : sum, 0),
      entropy,
      prototypes: shown.map((index, i) => {
        const rows = Array.from(probability[i].keys()).sort((a, b) =>
          probability[i][b] - probability[i][a] || a - b
        ).slice(0, pictures);
        return {
          index,
          count: counts[index],
          rows,
          probability: rows.map((row) => probability[i][row]),
        };
      }),
    };
  } finally {
    if (weightG) weights.destroy();
  }
}
