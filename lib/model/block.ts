/**
 * A pre-norm transformer block.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { attention, type AttentionResult } from "../ops/attention.ts";
import { layerNorm } from "../ops/layer_norm.ts";
import { layerScale, layerScaleBackward } from "../ops/layer_scale.ts";
import { geluInput, linear, linearBackward } from "../ops/linear.ts";
import { rope, type RopeTable } from "../ops/rope.ts";
import { gatherClass, scaleSamples, scatterClass } from "../ops/rows.ts";
import { swiglu } from "../ops/swiglu.ts";
import type { Weight } from "../ops/weight.ts";
import type { Parameters } from "./parameters.ts";
import { classSpans, rowsIn, rowsOf, type Span } from "./spans.ts";
import type { ViTConfig } from "./vit_specs.ts";

/** Drop path factors of a block's two branches, [count] each. */
export interface BlockKeep {
  /** For the attention branch. */
  attn: Tensor;
  /** For the MLP branch. */
  mlp: Tensor;
}

/** What a block is made of, as its model's configuration says. */
export type BlockShape = Pick<
  Required<ViTConfig>,
  "heads" | "mlp" | "layerScale" | "qkvBias" | "normEps"
>;

/** Options of {@linkcode block}. */
export interface BlockOptions {
  /** Angles by which queries and keys of every span's patches are rotated; none by default. */
  rope?: readonly RopeTable[];
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
 * x + attn(norm1(x)), then x + mlp(norm2(x)), each branch times LayerScale's factors, then its drop path factor; x
 * [R, D] holds the sequences of all spans.
 */
export function block(
  gpu: Gpu,
  x: Tensor,
  spans: readonly Span[],
  params: Parameters,
  prefix: string,
  shape: BlockShape,
  { keep, classOnly, recompute, rope }: BlockOptions = {},
): BlockResult {
  const get = (name: string) => params.get(`${prefix}.${name}`);
  const dense = (input: Tensor, name: string, options = {}) =>
    linear(gpu, input, get(`${name}.weight`), get(`${name}.bias`), options);
  const norm = (input: Tensor, name: string) =>
    layerNorm(gpu, input, get(`${name}.weight`), get(`${name}.bias`), shape.normEps);
  const needed = classOnly ? classSpans(spans) : spans;
  const scaled = (h: Tensor, which: keyof BlockKeep, residual?: Tensor) => {
    const out = gpu.empty(h.shape, "scale_samples", residual?.dtype ?? h.dtype);
    needed.forEach((span, i) =>
      scaleSamples(gpu, rowsOf(h, span), keep![i][which], {
        x: residual && rowsOf(residual, span),
        out: rowsOf(out, span),
      })
    );
    return out;
  };
  /** The last layer of a branch. Of a sum, `backward` takes the gradient; it returns that of the layer's input. */
  const branch = (input: Tensor, name: string, which: keyof BlockKeep): Branch => {
    const [weight, bias] = [get(`${name}.weight`), get(`${name}.bias`)];
    const gamma = shape.layerScale === null ? undefined : get(`${SCALE[which]}.gamma`);
    let h: Tensor | undefined;
    return {
      addTo(residual) {
        // A factor belongs between product and sum; without one the sum is the product's epilogue.
        h = linear(gpu, input, weight, bias, keep || gamma ? {} : { residual }).y;
        const y = gamma ? layerScale(gpu, h, gamma, keep ? undefined : residual) : h;
        return keep ? scaled(y, which, residual) : y;
      },
      backward(dy, options) {
        let d = keep ? scaled(dy, which) : dy;
        if (gamma) d = layerScaleBackward(gpu, h ?? linear(gpu, input, weight, bias).y, gamma, d);
        return linearBackward(gpu, input, weight, bias)(d, options)!;
      },
    };
  };
  const geluMlp = (input: Tensor): Branch => {
    const fc1 = dense(input, "mlp.fc1", { gelu: true, forwardOnly: params.forwardOnly });
    const out = branch(fc1.y, "mlp.fc2", "mlp");
    return {
      addTo: out.addTo,
      backward: (dy) => fc1.backward(out.backward(dy, { geluGradOf: geluInput(fc1) }))!,
    };
  };
  const swigluMlp = (input: Tensor): Branch => {
    const w12 = dense(input, "mlp.w12");
    const gated = swiglu(gpu, w12.y);
    const out = branch(gated.y, "mlp.w3", "mlp");
    return {
      addTo: out.addTo,
      backward: (dy) => w12.backward(gated.backward(out.backward(dy)))!,
    };
  };
  const pick = (t: Tensor) => classOnly ? classTokens(gpu, t, spans) : t;
  const spread = (d: Tensor) => classOnly ? spreadClass(gpu, d, spans) : d;

  const beforeLast = () => {
    const norm1 = norm(x, "norm1");
    const qkv = project(gpu, norm1.y, get, shape.qkvBias);
    const attend = attendAll(gpu, qkv.y, spans, shape.heads, rope);
    const attn = branch(pick(attend.y), "attn.proj", "attn");
    const middle = attn.addTo(pick(x));
    const norm2 = norm(middle, "norm2");
    const mlp = shape.mlp === "swiglu" ? swigluMlp(norm2.y) : geluMlp(norm2.y);
    return { norm1, qkv, attend, attn, middle, norm2, mlp };
  };
  const first = beforeLast();
  return {
    y: first.mlp.addTo(first.middle),
    attention: first.attend.runs,
    backward(dy) {
      const { norm1, qkv, attend, attn, norm2, mlp } = recompute ? beforeLast() : first;
      const dMiddle = norm2.backward(mlp.backward(dy), dy);
      const dAttended = attn.backward(dMiddle);
      return norm1.backward(qkv.backward(attend.backward(spread(dAttended)))!, spread(dMiddle));
    },
  };
}

/** What is added to the tokens. */
interface Branch {
  /** The sum with the tokens. */
  addTo(residual: Tensor): Tensor;
  /** From the gradient of the sum, that of what the branch begins with. */
  backward(dy: Tensor, options?: { geluGradOf?: Tensor }): Tensor;
}

/** What LayerScale calls the branches. */
const SCALE = { attn: "ls1", mlp: "ls2" } as const;

/** Queries, keys and values. */
function project(
  gpu: Gpu,
  x: Tensor,
  get: (name: string) => Weight,
  qkvBias: BlockShape["qkvBias"],
) {
  const weight = get("attn.qkv.weight");
  if (qkvBias === "none") return linear(gpu, x, weight);
  const dim = x.shape.at(-1)!;
  const held = qkvBias === "no_key" ? [dim, 2 * dim] as const : undefined;
  return linear(gpu, x, weight, get("attn.qkv.bias"), { held });
}

/** Attention within the sequences of every span: qkv [R, 3·D], rotated in place where there are angles, → y [R, D]. */
function attendAll(
  gpu: Gpu,
  qkv: Tensor,
  spans: readonly Span[],
  heads: number,
  angles: readonly RopeTable[] = [],
) {
  angles.forEach((table, i) => rope(gpu, rowsOf(qkv, spans[i]), table));
  const y = gpu.empty([qkv.shape[0], qkv.shape[1] / 3], "attention", qkv.dtype);
  const runs = spans.map((span) =>
    attention(gpu, rowsOf(qkv, span), heads, { out: rowsOf(y, span) })
  );
  return {
    y,
    runs,
    backward(dy: Tensor): Tensor {
      const d = gpu.empty(qkv.shape, "attention.grad");
      spans.forEach((span, i) => runs[i].backward(rowsOf(dy, span), { out: rowsOf(d, span) }));
      angles.forEach((table, i) => rope(gpu, rowsOf(d, spans[i]), table, true));
      return d;
    },
  };
}

/** The class tokens of all spans, [sequences, D]. */
export function classTokens(gpu: Gpu, packed: Tensor, spans: readonly Span[]): Tensor {
  const out = gpu.empty(
    [rowsIn(classSpans(spans)), packed.shape.at(-1)!],
    "class_tokens",
    packed.dtype,
  );
  for (const span of spans) gatherClass(gpu, rowsOf(packed, span), out, span.sample);
  return out;
}

/** The adjoint of {@linkcode classTokens}: [R, D], zero but for the class tokens. */
export function spreadClass(gpu: Gpu, rows: Tensor, spans: readonly Span[]): Tensor {
  const out = gpu.empty([rowsIn(spans), rows.shape.at(-1)!], "tokens.grad");
  for (const span of spans) scatterClass(gpu, rows, rowsOf(out, span), span.sample);
  return out;
}
