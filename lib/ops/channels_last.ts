/**
 * From pictures as they come to the order in which convolutions read them.
 *
 * @module
 */
import code from "../../kernels/channels_last.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu.ts";

const CHANNELS_LAST = defineKernel("channels_last", code);

/**
 * Pictures [B, C, H, W] as [B, H, W, C'], C' the next multiple of 4: channels beyond C are zeros. `back` is its adjoint.
 */
export function channelsLast(
  gpu: Gpu,
  images: Tensor,
): { y: Tensor; back(dy: Tensor): Tensor } {
  const [batch, channels, height, width] = images.shape;
  const padded = 4 * Math.ceil(channels / 4);
  const move = (src: Tensor, out: Tensor, back: boolean): Tensor => {
    gpu.dispatch(CHANNELS_LAST, {
      constants: { BACK: back },
      bindings: { src, out },
      params: { n: out.size, channels, padded, pixels: height * width },
      workgroups: grid(out.size, 64),
    });
    return out;
  };
  return {
    y: move(images, gpu.empty([batch, height, width, padded], "channels_last"), false),
    back: (dy) => move(dy, gpu.empty(images.shape, "images.grad"), true),
  };
}
