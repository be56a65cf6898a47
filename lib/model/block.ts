/**
 * A pre-norm transformer block.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { attention, type AttentionResult } from "../ops/attention.ts";
import { layerNorm } from "../ops/layer_norm.ts";
import { linear, linearBackward } from "../ops/linear.ts";
import { gatherClass, scaleSamples, scatterClass } from "../ops/rows.ts";
import type { Parameters } from "./parameters.ts";
import { classSpans, rowsIn, rowsOf, type Span } from "./spans.ts";

/** Drop path factors of a block's two branches, [count] each. */
export interface BlockKeep {
  /** For the attention branch. */
  attn: Tensor;
  /** For the MLP branch. */
  mlp: Tensor;
}

/** Options of {@linkcode block}. */
export interface BlockOptions {
  /** Drop path factors of every span. */
  keep?: readonly BlockKeep[];
  /**
   * Only the class tokens are needed: the result is [sequences, D], and what follows attention is computed for
   * them alone. In a last block this saves three quarters of the work and changes nothing else.
   */
  classOnly?: boolean;
  /**
   * Keep x alone for the backward pass, which makes the rest again, but for the last product: the same gradients,
   * bit by bit, for two thirds of the forward pass more (Chen et al. 2016, arXiv:1604.06174).
   */
  recompute?: boolean;
}

/** What {@linkcode block} returns. */
export interface BlockResult {
  /** [R, D], or [sequences, D] of class tokens only. */
  y: Tensor;
  /** Of every span. */
  attention: AttentionResult[];
  /** Fills the gradients of the weights; returns that of x. */
  backward(dy: Tensor): Tensor;
}

/**
 * x + attn(norm1(x)), then x + mlp(norm2(x)), each branch times its drop path factor; x [R, D] holds the
 * sequences of all spans.
 */
export function block(
  gpu: Gpu,
  x: Tensor,
  spans: readonly Span[],
  params: Parameters,
  prefix: string,
  heads: number,
  { keep, classOnly, recompute }: BlockOptions = {},
): BlockResult {
  const get = (name: string) => params.get(`${prefix}.${name}`);
  const dense = (input: Tensor, name: string, options = {}) =>
    linear(gpu, input, get(`${name}.weight`), get(`${name}.bias`), options);
  const norm = (input: Tensor, name: string) =>
    layerNorm(gpu, input, get(`${name}.weight`), get(`${name}.bias`));
  const needed = classOnly ? classSpans(spans) : spans;
  const scaled = (h: Tensor, which: keyof BlockKeep, residual?: Tensor) => {
    const out = gpu.empty(h.shape, "scale_samples");
    needed.forEach((span, i) =>
      scaleSamples(gpu, rowsOf(h, span), keep![i][which], {
        x: residual && rowsOf(residual, span),
        out: rowsOf(out, span),
      })
    );
    return out;
  };
  // A dropped branch needs its factor between product and sum; else the sum is the product's epilogue.
  const branch = (input: Tensor, name: string, residual: Tensor, which: keyof BlockKeep) => {
    const run = dense(input, name, keep ? {} : { residual });
    return { ...run, y: keep ? scaled(run.y, which, residual) : run.y };
  };
  const dBranch = (dy: Tensor, which: keyof BlockKeep) => keep ? scaled(dy, which) : dy;
  const pick = (t: Tensor) => classOnly ? classTokens(gpu, t, spans) : t;
  const spread = (d: Tensor) => classOnly ? spreadClass(gpu, d, spans) : d;

  const beforeLast = () => {
    const norm1 = norm(x, "norm1");
    const qkv = dense(norm1.y, "attn.qkv");
    const attend = attendAll(gpu, qkv.y, spans, heads);
    const proj = branch(pick(attend.y), "attn.proj", pick(x), "attn");
    const norm2 = norm(proj.y, "norm2");
    return { norm1, qkv, attend, proj, norm2, fc1: dense(norm2.y, "mlp.fc1", { gelu: true }) };
  };
  const first = beforeLast();
  return {
    y: branch(first.fc1.y, "mlp.fc2", first.proj.y, "mlp").y,
    attention: first.attend.runs,
    backward(dy) {
      const { norm1, qkv, attend, proj, norm2, fc1 } = recompute ? beforeLast() : first;
      const fc2 = linearBackward(gpu, fc1.y, get("mlp.fc2.weight"), get("mlp.fc2.bias"));
      const dHidden = fc2(dBranch(dy, "mlp"), { geluGradOf: fc1.pre })!;
      const dMiddle = norm2.backward(fc1.backward(dHidden)!, dy);
      const dAttended = proj.backward(dBranch(dMiddle, "attn"))!;
      return norm1.backward(qkv.backward(attend.backward(spread(dAttended)))!, spread(dMiddle));
    },
  };
}

/** Attention within the sequences of every span: qkv [R, 3·D] → y [R, D]. */
function attendAll(gpu: Gpu, qkv: Tensor, spans: readonly Span[], heads: number) {
  const y = gpu.empty([qkv.shape[0], qkv.shape[1] / 3], "attention");
  const runs = spans.map((span) =>
    attention(gpu, rowsOf(qkv, span), heads, { out: rowsOf(y, span) })
  );
  return {
    y,
    runs,
    backward(dy: Tensor): Tensor {
      const d = gpu.empty(qkv.shape, "attention.grad");
      spans.forEach((span, i) => runs[i].backward(rowsOf(dy, span), { out: rowsOf(d, span) }));
      return d;
    },
  };
}

/** The class tokens of all spans, [sequences, D]. */
export function classTokens(gpu: Gpu, packed: Tensor, spans: readonly Span[]): Tensor {
  const out = gpu.empty([rowsIn(classSpans(spans)), packed.shape.at(-1)!], "class_tokens");
  for (const span of spans) gatherClass(gpu, rowsOf(packed, span), out, span.sample);
  return out;
}

/** The adjoint of {@linkcode classTokens}: [R, D], zero but for the class tokens. */
export function spreadClass(gpu: Gpu, rows: Tensor, spans: readonly Span[]): Tensor {
  const out = gpu.empty([rowsIn(spans), rows.shape.at(-1)!], "tokens.grad");
  for (const span of spans) scatterClass(gpu, rows, rowsOf(out, span), span.sample);
  return out;
}
