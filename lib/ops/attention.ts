/**
 * Multi-head self-attention.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Constants, type Gpu, grid, type KernelSource, type Tensor } from "../gpu.ts";
import { MAP, PLAIN, SUBGROUP } from "./attention_kernels.ts";

const MAX_HEAD_DIM = 128;
/** Invocations of a workgroup on software adapters; of a subgroup, they share what they load. */
const LANES = 8;
/** Vec4s of keys, and of values, in workgroup memory: 8 KiB each. */
const STAGED = 512;

/**
 * Who loads the keys and values: `plain` each invocation for its one to three queries, any adapter; `staged` the
 * queries of a workgroup together, through workgroup memory, for GPUs; `subgroup` eight lanes by broadcast, for
 * software adapters, where loads are what costs, and heads of a multiple of 4 dimensions. Scores are the same in all.
 */
export type AttentionVariant = "plain" | "staged" | "subgroup";

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
  const variant = options.variant ?? chosen(gpu, headDim);
  if (variant === "subgroup" && !broadcasts(gpu, headDim)) {
    throw new HatchlingError(
      `attention: expected subgroups of at least ${LANES} lanes and heads of a multiple of 4 dimensions for the ` +
        `subgroup variant but found ${gpu.subgroupSize} and ${headDim}: leave the choice to the adapter`,
    );
  }
  const rows = batch * heads * tokens;
  const kernels = variant === "subgroup" ? SUBGROUP : PLAIN;
  const { constants, n, workgroups } = launch(variant, batch * heads, tokens, headDim);
  const run = (kernel: KernelSource, tensors: Record<string, Tensor>, products: number) =>
    gpu.dispatch(kernel, {
      constants,
      bindings: { qkv, ...tensors },
      params: { n, tokens, heads, dim, head_dim: headDim, scale: headDim ** -0.5 },
      workgroups,
      flops: 2 * products * rows * tokens * headDim,
    });
  const y = options.out ?? gpu.empty([batch, tokens, dim], "attention");
  const lse = gpu.empty([batch, heads, tokens], "attention.lse");
  run(kernels.forward, { out: y, lse }, 2);
  return {
    y,
    map(queries = tokens) {
      const map = gpu.empty([batch, heads, queries, tokens], "attention.map");
      gpu.dispatch(MAP, {
        constants: { VEC: headDim % 4 === 0, BLOCKS: Math.ceil(headDim / 4) },
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
      run(kernels.backwardQ, { lse, out: y, dout: dy, delta, dqkv }, 3);
      run(kernels.backwardKv, { lse, dout: dy, delta, dqkv }, 4);
      return dqkv;
    },
  };
}

function broadcasts(gpu: Gpu, headDim: number): boolean {
  return headDim % 4 === 0 && gpu.subgroupSize >= LANES;
}

/** The name under which {@linkcode Gpu.choices} holds the variant. */
export const ATTENTION = "attention";

/** What was chosen for this adapter, where it runs for these heads, or else suits its kind. */
function chosen(gpu: Gpu, headDim: number): AttentionVariant {
  const choice = gpu.choices.get(ATTENTION);
  if (choice === "plain" || choice === "staged") return choice;
  if (choice === "subgroup" && broadcasts(gpu, headDim)) return choice;
  return suitedAttention(gpu, headDim);
}

/** The variants that run here for heads of so many dimensions. */
export function attentionVariants(gpu: Gpu, headDim: number): AttentionVariant[] {
  return ["plain", "staged", ...broadcasts(gpu, headDim) ? ["subgroup" as const] : []];
}

/** What suits the kind of adapter. */
export function suitedAttention(gpu: Gpu, headDim: number): AttentionVariant {
  if (!gpu.isSoftware) return "staged";
  return broadcasts(gpu, headDim) ? "subgroup" : "plain";
}

interface Launch {
  constants: Constants;
  /** Workgroups, the kernels' parameter. */
  n: number;
  workgroups: [number, number, number];
}

/** How a variant runs over `sequences` of batch and heads: each workgroup for one of them. */
function launch(
  variant: AttentionVariant,
  sequences: number,
  tokens: number,
  headDim: number,
): Launch {
  const BLOCKS = Math.ceil(headDim / 4);
  const staged = variant === "staged";
  // Staged, as few idle invocations as possible: 17 or 65 tokens suit 32.
  const width = !staged ? LANES : Math.ceil(tokens / 32) % 2 ? 32 : 64;
  // Else up to three tokens per invocation, where registers suffice.
  const Q = staged ? 1 : Math.min(BLOCKS > 16 ? 2 : 3, Math.ceil(tokens / width));
  const n = sequences * Math.ceil(tokens / (width * Q));
  const constants: Constants = { BLOCKS, END: Math.ceil(BLOCKS / 4) * 4, Q };
  if (variant !== "subgroup") {
    Object.assign(constants, { VEC: headDim % 4 === 0, WIDTH: width });
    if (staged) {
      Object.assign(constants, {
        STAGED: true,
        TILE: Math.min(width, Math.floor(STAGED / BLOCKS)),
      });
    }
  }
  return { constants, n, workgroups: grid(n, 1) };
}
