/**
 * Patch embedding: images to tokens, with class token and position embedding.
 *
 * @module
 */
import patchifyCode from "../../kernels/patchify.wgsl" with { type: "text" };
import tokensCode from "../../kernels/tokens.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu.ts";
import { linear } from "./linear.ts";
import { columnSum } from "./reduce.ts";
import { moveLaunch } from "./row_launch.ts";
import { claim, type Weight } from "./weight.ts";
import { PUT } from "./wgsl_parts.ts";

const PATCHIFY = defineKernel("patchify", patchifyCode);
const TOKENS = defineKernel("tokens", tokensCode, { shared: [PUT] });

/** Cuts images [B, C, H, W] into patches [B · rows · cols, C · P · P]; `back` is its adjoint. */
export function patchify(
  gpu: Gpu,
  images: Tensor,
  patch: number,
): { y: Tensor; back(dy: Tensor): Tensor } {
  const [batch, channels, height, width] = images.shape;
  const [rows, cols] = [Math.floor(height / patch), Math.floor(width / patch)];
  if (images.shape.length !== 4 || rows < 1 || cols < 1) {
    throw new HatchlingError(
      `patchify: expected images [B, C, H, W] of at least ${patch}×${patch} pixels but found ${images}`,
    );
  }
  const vec = patch % 4 === 0 && width % 4 === 0;
  const run = (from: Tensor, to: Tensor, back: boolean): Tensor => {
    const n = vec ? to.size / 4 : to.size;
    gpu.dispatch(PATCHIFY, {
      constants: { VEC: vec, BACK: back },
      bindings: { src: from, dst: to },
      params: { n, channels, height, width, side: patch },
      workgroups: grid(n, 64),
    });
    return to;
  };
  const y = gpu.empty([batch * rows * cols, channels * patch * patch], "patches");
  return {
    y: run(images, y, false),
    back: (dy) => run(dy, gpu.empty(images.shape, "images.grad"), true),
  };
}

/** The parameters of {@linkcode patchEmbed}. */
export interface PatchEmbedWeights {
  /** [D, C, P, P]. */
  weight: Weight;
  /** [D]. */
  bias: Weight;
  /** [1, 1, D]. */
  cls: Weight;
}

/** Patches that a learned token stands for, as in BEiT (Bao et al. 2022, arXiv:2106.08254) and iBOT (arXiv:2111.07832). */
export interface MaskedPatches {
  /** [B, rows·cols], u32: other than 0 where the token stands for the patch. */
  mask: Tensor;
  /** The mask token [1, D]. */
  token: Weight;
}

/**
 * Tokens [B, 1 + rows·cols, D] = [class token | projected patches] + position embedding.
 *
 * @param pos [1, 1 + rows·cols, D], already resampled to this image size.
 * @param out Where to write the tokens; a new tensor by default.
 * @param masked Patches that the mask token stands for; they keep their position, and get no gradient.
 * @returns `backward(dy, inputGrad)` fills the gradients of the weights and returns that of `pos`, and of
 * the images when asked for.
 */
export function patchEmbed(
  gpu: Gpu,
  images: Tensor,
  { weight, bias, cls }: PatchEmbedWeights,
  pos: Tensor,
  out?: Tensor,
  masked?: MaskedPatches,
): { y: Tensor; backward(dy: Tensor, inputGrad?: boolean): { pos: Tensor; images?: Tensor } } {
  const [dim, , , patch] = weight.data.shape;
  const batch = images.shape[0];
  const patches = patchify(gpu, images, patch);
  const count = patches.y.shape[0] / batch;
  if (pos.size !== (1 + count) * dim) {
    throw new HatchlingError(
      `patchEmbed: expected ${1 + count} positions of ${dim} dimensions but found ${pos}`,
    );
  }
  if (masked && (masked.mask.size !== batch * count || masked.token.data.size !== dim)) {
    throw new HatchlingError(
      `patchEmbed: expected a mask [${batch}, ${count}] and a mask token of ${dim} dimensions but found ` +
        `${masked.mask} and ${masked.token.data}`,
    );
  }
  const projected = linear(gpu, patches.y, weight, bias);
  const assemble = (src: Tensor, dst: Tensor, back: boolean, mask = masked ? 1 : 0): Tensor => {
    const rows = dst.size / dim;
    const { constants, width, workgroups } = moveLaunch(rows, dim);
    gpu.dispatch(TOKENS, {
      constants: { ...constants, BACK: back, MASK: mask },
      bindings: {
        ...{ src, cls: cls.data, pos, out: dst },
        ...{ mask: masked?.mask, mask_token: masked?.token.data },
      },
      params: { rows, patches: count, width },
      workgroups,
    });
    return dst;
  };
  return {
    y: assemble(projected.y, out ?? gpu.empty([batch, 1 + count, dim], "tokens"), false),
    backward(dy, inputGrad = false) {
      const dPatches = assemble(dy, gpu.empty([batch * count, dim], "patches.grad"), true);
      const dx = projected.backward(dPatches, { input: inputGrad });
      const dPos = columnSum(gpu, dy.view([batch, (1 + count) * dim]));
      const dMask = masked && claim(masked.token);
      if (dMask) {
        columnSum(gpu, assemble(dy, gpu.empty(dPatches.shape, "masked.grad"), true, 2), dMask);
      }
      const dCls = claim(cls);
      if (dCls) columnSum(gpu, dPos.view([1, dPos.size]), { ...dCls, cols: dim });
      return { pos: dPos, images: dx && patches.back(dx) };
    },
  };
}
