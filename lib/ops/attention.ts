/**
 * Multi-head self-attention.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, grid, type Tensor } from "../gpu.ts";
import { MAP } from "./attention/kernels.ts";
import {
  attentionLaunch,
  type AttentionVariant,
  broadcasts,
  chosenAttention,
  type Pass,
} from "./attention/variants.ts";
import { SUBGROUP_LANES } from "./subgroup_lanes.ts";

export type { AttentionVariant } from "./attention/variants.ts";

const MAX_HEAD_DIM = 128;

/** Options of {@linkcode attention}. */
export interface AttentionOptions {
  /** Where to write y; a new tensor by default. */
  out?: Tensor;
  /** For tests and benchmarks; the adapter decides by default. */
  variant?: AttentionVariant;
}

/** What {@linkcode attention} returns. */
export interface AttentionResult {
  /** [B, N, D]. */
  y: Tensor;
  /** Probabilities [B, heads, Q, N] of the first Q queries, by default all N; computed when asked for. */
  map(queries?: number): Tensor;
  /** Gradient of qkv [B, N, 3·D]. */
  backward(dy: Tensor, options?: { out?: Tensor }): Tensor;
}

/**
 * softmax(q kᵀ / √head_dim) v per head (Vaswani et al. 2017, eq. 1), without the N × N matrix in memory.
 *
 * @param qkv [B, N, 3·D], laid out [q | k | v], each [head][head_dim], as timm's `attn.qkv` gives it.
 * @throws {HatchlingError} When heads do not divide D, or a head has more than 128 dimensions, or the variant asked for does
 * not run here.
 */
export function attention(
  gpu: Gpu,
  qkv: Tensor,
  heads: number,
  options: AttentionOptions = {},
): AttentionResult {
  const [batch, tokens, width] = qkv.shape;
  const dim = width / 3;
  const headDim = dim / heads;
  if (qkv.shape.length !== 3 || !Number.isInteger(headDim) || headDim > MAX_HEAD_DIM) {
    throw new HatchlingError(
      `attention: expected qkv [B, N, 3·D] with D a multiple of ${heads} heads of at most ${MAX_HEAD_DIM} dimensions but found ${qkv}`,
    );
  }
  const variant = options.variant ?? chosenAttention(gpu, headDim);
  if (variant === "subgroup" && !broadcasts(gpu, headDim)) {
    throw new HatchlingError(
      `attention: expected subgroups of at least ${SUBGROUP_LANES.least} lanes and heads of a multiple of 4 dimensions for the ` +
        `subgroup variant but found ${gpu.subgroupSize} and ${headDim}: leave the choice to the adapter`,
    );
  }
  const rows = batch * heads * tokens;
  const run = (pass: Pass, tensors: Record<string, Tensor>, products: number) => {
    const { kernel, n, ...how } = attentionLaunch(
      gpu,
      variant,
      pass,
      batch * heads,
      tokens,
      headDim,
    );
    gpu.dispatch(kernel, {
      ...how,
      bindings: { qkv, ...tensors },
      params: { n, tokens, heads, dim, head_dim: headDim, scale: headDim ** -0.5 },
      flops: 2 * products * rows * tokens * headDim,
    });
  };
  const y = options.out ?? gpu.empty([batch, tokens, dim], "attention", qkv.dtype);
  const lse = gpu.empty([batch, heads, tokens], "attention.lse");
  run("forward", { out: y, lse }, 2);
  return {
    y,
    map(queries = tokens) {
      const map = gpu.empty([batch, heads, queries, tokens], "attention.map");
      gpu.dispatch(MAP, {
        constants: {
          VEC: headDim % 4 === 0,
          BLOCKS: Math.ceil(headDim / 4),
          TILED: variant.startsWith("tiled"),
        },
        bindings: { qkv, lse, map },
        params: {
          n: map.size,
          tokens,
          heads,
          dim,
          head_dim: headDim,
          queries,
          scale: headDim ** -0.5,
        },
        workgroups: grid(map.size, 64),
        flops: 2 * map.size * headDim,
      });
      return map;
    },
    backward(dy, { out } = {}) {
      const delta = gpu.empty([batch, heads, tokens], "attention.delta");
      const dqkv = out ?? gpu.empty(qkv.shape, "attention.grad");
      run("backwardQ", { lse, out: y, dout: dy, delta, dqkv }, 3);
      run("backwardKv", { lse, dout: dy, delta, dqkv }, 4);
      return dqkv;
    },
  };
}
