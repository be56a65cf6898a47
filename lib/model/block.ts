/**
 * A pre-norm transformer block.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu/mod.ts";
import { attention, type AttentionResult } from "../ops/attention.ts";
import { layerNorm } from "../ops/layer_norm.ts";
import { linear } from "../ops/linear.ts";
import { gatherClass, scaleSamples, scatterClass } from "../ops/rows.ts";
import type { Parameters } from "./parameters.ts";

/** Drop path factors of a block's two branches, [n] each. */
export interface BlockKeep {
  /** For the attention branch. */
  attn: Tensor;
  /** For the MLP branch. */
  mlp: Tensor;
}

/** Options of {@linkcode block}. */
export interface BlockOptions {
  /** Drop path factors. */
  keep?: BlockKeep;
  /**
   * Only the class token is needed: the result is [n, 1, D], and what follows attention is computed for that
   * token alone. In a last block this saves three quarters of the work and changes nothing else.
   */
  classOnly?: boolean;
}

/**
 * x + attn(norm1(x)), then x + mlp(norm2(x)), each branch times its drop path factor; x [n, N, D].
 */
export function block(
  gpu: Gpu,
  x: Tensor,
  params: Parameters,
  prefix: string,
  heads: number,
  { keep, classOnly }: BlockOptions = {},
): { y: Tensor; attention: AttentionResult; backward(dy: Tensor): Tensor } {
  const get = (name: string) => params.get(`${prefix}.${name}`);
  const dense = (input: Tensor, name: string, options = {}) =>
    linear(gpu, input, get(`${name}.weight`), get(`${name}.bias`), options);
  const norm = (input: Tensor, name: string) =>
    layerNorm(gpu, input, get(`${name}.weight`), get(`${name}.bias`));
  // A dropped branch needs its factor between product and sum; else the sum is the product's epilogue.
  const branch = (input: Tensor, name: string, residual: Tensor, factor?: Tensor) => {
    const run = dense(input, name, factor ? {} : { residual });
    return { ...run, y: factor ? scaleSamples(gpu, run.y, factor, residual) : run.y };
  };
  const dBranch = (dy: Tensor, factor?: Tensor) => factor ? scaleSamples(gpu, dy, factor) : dy;

  const norm1 = norm(x, "norm1");
  const qkv = dense(norm1.y, "attn.qkv");
  const attend = attention(gpu, qkv.y, heads);
  const needed = (t: Tensor) => classOnly ? classTokens(gpu, t) : t;
  const whole = (d: Tensor) => classOnly ? scatterClass(gpu, d, x.shape, 0) : d;
  const proj = branch(needed(attend.y), "attn.proj", needed(x), keep?.attn);
  const norm2 = norm(proj.y, "norm2");
  const fc1 = dense(norm2.y, "mlp.fc1", { gelu: true });
  const fc2 = branch(fc1.y, "mlp.fc2", proj.y, keep?.mlp);
  return {
    y: fc2.y,
    attention: attend,
    backward(dy) {
      const dHidden = fc2.backward(dBranch(dy, keep?.mlp), { geluGradOf: fc1.pre })!;
      const dMiddle = norm2.backward(fc1.backward(dHidden)!, dy);
      const dAttended = proj.backward(dBranch(dMiddle, keep?.attn))!;
      return norm1.backward(qkv.backward(attend.backward(whole(dAttended)))!, whole(dMiddle));
    },
  };
}

/** [n, N, D] → [n, 1, D]. */
function classTokens(gpu: Gpu, tokens: Tensor): Tensor {
  const [n, , dim] = tokens.shape;
  const out = gpu.empty([n, 1, dim], "class_tokens");
  gatherClass(gpu, tokens, out, 0);
  return out;
}
