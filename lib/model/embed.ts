/**
 * From images to the tokens that a vision transformer's blocks work on.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { patchEmbed } from "../ops/patch_embed.ts";
import type { PatchGrid } from "../ops/pool_tokens.ts";
import { posEmbed } from "../ops/pos_embed.ts";
import type { Parameters } from "./parameters.ts";
import type { ViTConfig } from "./vit_specs.ts";

/**
 * Tokens [n, prefix + patches, D] of images of one size into `out`.
 *
 * @param mask As of `ViTForwardOptions`.
 * @returns The backward pass, which fills the gradients of the weights and returns that of the images where asked for.
 */
export function embed(
  gpu: Gpu,
  params: Parameters,
  { classToken, registers, posEmbed: positions, posInterp }: Required<ViTConfig>,
  { images, grid }: { images: Tensor; grid: PatchGrid },
  out: Tensor,
  mask?: Tensor,
): (dy: Tensor, inputGrad?: boolean) => Tensor | undefined {
  const get = (name: string) => params.get(name);
  const pos = positions === "learned"
    ? posEmbed(gpu, get("pos_embed"), ...grid, posInterp, classToken ? 1 : 0)
    : undefined;
  const run = patchEmbed(
    gpu,
    images,
    {
      weight: get("patch_embed.proj.weight"),
      bias: get("patch_embed.proj.bias"),
      cls: classToken ? get("cls_token") : undefined,
      reg: registers ? get("reg_token") : undefined,
    },
    pos?.y,
    out,
    mask && { mask, token: get("mask_token") },
  );
  return (dy, inputGrad) => {
    const d = run.backward(dy, inputGrad);
    pos?.backward(d.pos!);
    return d.images;
  };
}
