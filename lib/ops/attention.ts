/**
 * Multi-head self-attention.
 *
 * @module
 */
import code from "../../kernels/attention.wgsl" with { type: "text" };
import queryCode from "../../kernels/attention_backward_q.wgsl" with { type: "text" };
import keyCode from "../../kernels/attention_backward_kv.wgsl" with { type: "text" };
import mapCode from "../../kernels/attention_map.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type KernelSource, type Tensor } from "../gpu/mod.ts";

const ATTENTION = defineKernel("attention", code);
const ATTENTION_BACKWARD_Q = defineKernel("attention_backward_q", queryCode);
const ATTENTION_BACKWARD_KV = defineKernel("attention_backward_kv", keyCode);
const ATTENTION_MAP = defineKernel("attention_map", mapCode);
const MAX_HEAD_DIM = 128;
/** Mesa's software driver ends an invocation's loops after this many turns, without an error. */
const SOFTWARE_TURNS = 65_535;

/** What {@linkcode attention} returns. */
export interface AttentionResult {
  /** [B, N, D]. */
  y: Tensor;
  /** Probabilities [B, heads, N, N], computed when asked for. */
  map(): Tensor;
  /** Gradient of qkv [B, N, 3·D]. */
  backward(dy: Tensor, options?: { out?: Tensor }): Tensor;
}

/**
 * softmax(q kᵀ / √head_dim) v per head (Vaswani et al. 2017, eq. 1), without the N × N matrix in memory.
 *
 * @param qkv [B, N, 3·D], laid out [q | k | v], each [head][head_dim], as timm's `attn.qkv` gives it.
 * @throws {HatchlingError} When heads do not divide D, or a head has more than 128 dimensions.
 */
export function attention(
  gpu: Gpu,
  qkv: Tensor,
  heads: number,
  options: { out?: Tensor } = {},
): AttentionResult {
  const [batch, tokens, width] = qkv.shape;
  const dim = width / 3;
  const headDim = dim / heads;
  if (qkv.shape.length !== 3 || !Number.isInteger(headDim) || headDim > MAX_HEAD_DIM) {
    throw new HatchlingError(
      `attention: expected qkv [B, N, 3·D] with D a multiple of ${heads} heads of at most ${MAX_HEAD_DIM} dimensions but found ${qkv}`,
    );
  }
  const turns = tokens * (2 * Math.ceil(headDim / 4) + 1);
  if (gpu.isSoftware && headDim > 64 && turns >= SOFTWARE_TURNS) {
    throw new HatchlingError(
      `attention: ${tokens} tokens with heads of ${headDim} dimensions exceed what software adapters ` +
        "compute reliably: use more heads, smaller images or a GPU",
    );
  }
  const rows = batch * heads * tokens;
  const run = (kernel: KernelSource, tensors: Tensor[], products: number) =>
    gpu.dispatch(kernel, {
      constants: { VEC: headDim % 4 === 0, BLOCKS: Math.ceil(headDim / 4) },
      tensors: [qkv, ...tensors],
      u32: [rows, tokens, heads, dim, headDim],
      f32: [headDim ** -0.5],
      workgroups: grid(rows, 64),
      flops: 2 * products * rows * tokens * headDim,
    });
  const y = options.out ?? gpu.empty([batch, tokens, dim], "attention");
  const lse = gpu.empty([batch, heads, tokens], "attention.lse");
  run(ATTENTION, [y, lse], 2);
  return {
    y,
    map() {
      const map = gpu.empty([batch, heads, tokens, tokens], "attention.map");
      run(ATTENTION_MAP, [lse, map], 1);
      return map;
    },
    backward(dy, { out } = {}) {
      const delta = gpu.empty([batch, heads, tokens], "attention.delta");
      const dqkv = out ?? gpu.empty(qkv.shape, "attention.grad");
      run(ATTENTION_BACKWARD_Q, [lse, y, dy, delta, dqkv], 3);
      run(ATTENTION_BACKWARD_KV, [lse, dy, delta, dqkv], 4);
      return dqkv;
    },
  };
}
