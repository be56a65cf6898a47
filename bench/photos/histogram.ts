/**
 * Colour histograms as features: what a picture search that knows nothing but colours has.
 *
 * @module
 */
import code from "../kernels/color_histogram.wgsl" with { type: "text" };
import type { Encoder } from "../../lib/eval/encoder.ts";
import { defineKernel, type Gpu, grid } from "../../lib/gpu.ts";

const HISTOGRAM = defineKernel("color_histogram", code);

/** Levels of a channel: 216 colours. Side of the images that they are counted in. */
const LEVELS = 6, SIDE = 32;

/**
 * Root of the share of pixels of each of 6 × 6 × 6 colours: rows of length 1, whose dot product is Bhattacharyya's
 * coefficient.
 *
 * @param gpu The GPU.
 * @param normalization Mean and standard deviation by which images are normalised: three numbers each.
 */
export function histogramEncoder(
  gpu: Gpu,
  { mean, std }: { mean: readonly number[]; std: readonly number[] },
): Encoder {
  const bins = LEVELS ** 3;
  return {
    name: "colours",
    size: SIDE,
    imageBytes: 4 * Math.max(3 * SIDE * SIDE, bins),
    encode(images) {
      const [n, , height, width] = images.shape;
      const out = gpu.empty([n, bins], "histogram");
      const [mean_red, mean_green, mean_blue] = mean, [std_red, std_green, std_blue] = std;
      gpu.dispatch(HISTOGRAM, {
        constants: { LEVELS },
        bindings: { images, out },
        params: {
          n,
          pixels: height * width,
          ...{ mean_red, mean_green, mean_blue, std_red, std_green, std_blue },
        },
        workgroups: grid(n * bins, 64),
      });
      return out;
    },
  };
}
