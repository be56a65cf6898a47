/**
 * Patch embedding: images to tokens, with class token and position embedding.
 *
 * @module
 */
import patchifyCode from "../../kernels/patchify.wgsl" with { type: "text" };
import tokensCode from "../../kernels/tokens.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type DType, type Gpu, grid, type Tensor } from "../gpu.ts";
import { gatherRows } from "./gather_rows.ts";
import { linear } from "./linear.ts";
import { columnSum } from "./reduce.ts";
import { moveLaunch } from "./row_launch.ts";
import { claim, type Weight } from "./weight.ts";
import { PUT, SOURCE } from "./wgsl_parts.ts";

const PATCHIFY = defineKernel("patchify", patchifyCode);
const TOKENS = defineKernel("tokens", tokensCode, { shared: [PUT, SOURCE] });

/**
 * Cuts images [B, C, H, W] into patches [B · rows · cols, C · P · P]; `back` is its adjoint.
 *
 * @param dtype What the patches hold; f32 by default.
 */
export function patchify(
  gpu: Gpu,
  images: Tensor,
  patch: number,
  dtype?: DType,
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
    const n = to.size / (back ? vec ? 4 : 1 : patch);
    gpu.dispatch(PATCHIFY, {
      constants: { VEC: vec, BACK: back },
      bindings: { src: from, dst: to },
      params: { n, channels, height, width, side: patch },
      workgroups: grid(n, 64),
    });
    return to;
  };
  const y = gpu.empty([batch * rows * cols, channels * patch * patch], "patches", dtype);
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
  /** The class token [1, 1, D], where there is one. */
  cls?: Weight;
  /** Register tokens [1, R, D], where there are some. */
  reg?: Weight;
}

/** Patches that a learned token stands for, as in BEiT (Bao et al. 2022, arXiv:2106.08254) and iBOT (arXiv:2111.07832). */
export interface MaskedPatches {
  /** [B, rows·cols], u32: other than 0 where the token stands for the patch. */
  mask: Tensor;
  /** The mask token [1, D]. */
  token: Weight;
}

/** What {@linkcode patchEmbed} returns. */
export interface PatchEmbedResult {
  /** [B, 1 + R + rows·cols, D]. */
  y: Tensor;
  /** Fills the gradients of the weights; returns those of positions and, where asked for, of the images. */
  backward(dy: Tensor, inputGrad?: boolean): { pos?: Tensor; images?: Tensor };
}

/**
 * Tokens [B, 1 + R + rows·cols, D] = [class token | registers | projected patches], class token and patches plus their
 * position embedding.
 *
 * @param pos [1, 1 + rows·cols, D], already resampled to this image size; none where positions are not added.
 * @param out Where to write the tokens; a new tensor by default. Patches and their projections hold what it does.
 * @param masked Patches that the mask token stands for; they keep their position, and get no gradient.
 */
export function patchEmbed(
  gpu: Gpu,
  images: Tensor,
  { weight, bias, cls, reg }: PatchEmbedWeights,
  pos?: Tensor,
  out?: Tensor,
  masked?: MaskedPatches,
): PatchEmbedResult {
  const [dim, , , patch] = weight.data.shape;
  const batch = images.shape[0];
  const patches = patchify(gpu, images, patch, out?.dtype);
  const count = patches.y.shape[0] / batch;
  const classes = cls ? 1 : 0, registers = reg ? reg.data.size / dim : 0;
  const prefix = classes + registers;
  if (pos && pos.size !== (classes + count) * dim) {
    throw new HatchlingError(
      `patchEmbed: expected ${classes + count} positions of ${dim} dimensions but found ${pos}`,
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
      constants: { ...constants, BACK: back, POS: !!pos, MASK: mask },
      bindings: {
        ...{ src, cls: cls?.data, reg: reg?.data, pos, out: dst },
        ...{ mask: masked?.mask, mask_token: masked?.token.data },
      },
      params: { rows, patches: count, cls: classes, registers, width },
      workgroups,
    });
    return dst;
  };
  return {
    y: assemble(projected.y, out ?? gpu.empty([batch, prefix + count, dim], "tokens"), false),
    backward(dy, inputGrad = false) {
      const dPatches = assemble(dy, gpu.empty([batch * count, dim], "patches.grad"), true);
      const dx = projected.backward(dPatches, { input: inputGrad });
      // Of every place in a sequence, over the images: all of them where they have positions.
      const cols = (pos ? prefix + count : prefix) * dim;
      const sums = cols
        ? columnSum(gpu, dy.view([batch, (prefix + count) * dim]), { cols })
        : undefined;
      const dMask = masked && claim(masked.token);
      if (dMask) {
        columnSum(gpu, assemble(dy, gpu.empty(dPatches.shape, "masked.grad"), true, 2), dMask);
      }
      const give = (token: Weight | undefined, offset: number) => {
        const into = token && claim(token);
        if (!into) return;
        columnSum(gpu, sums!.view([1, sums!.size]), { ...into, offset, cols: token.data.size });
      };
      give(cls, 0);
      give(reg, classes * dim);
      return { pos: pos && dPos(sums!), images: dx && patches.back(dx) };
    },
  };

  /** Without registers, which have no position. */
  function dPos(sums: Tensor): Tensor {
    if (!registers) return sums;
    const rows = Uint32Array.from(
      { length: classes + count },
      (_, i) => i < classes ? i : i + registers,
    );
    return gatherRows(gpu, sums.view([prefix + count, dim]), gpu.tensor(rows));
  }
}
