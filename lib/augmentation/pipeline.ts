/**
 * The five dispatches that turn packed pictures into normalised views.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type KernelSource, type Tensor } from "../gpu/mod.ts";
import cropCode from "../../kernels/augment_crop.wgsl" with { type: "text" };
import colorCode from "../../kernels/augment_color.wgsl" with { type: "text" };
import blurCode from "../../kernels/augment_blur.wgsl" with { type: "text" };
import finishCode from "../../kernels/augment_finish.wgsl" with { type: "text" };
import { AUGMENTATION_DEFAULTS } from "./options.ts";
import { type OpsView, outputSize, packView, VIEW_FLOATS } from "./parameters.ts";

const CROP: KernelSource = defineKernel("augment_crop", cropCode);
const COLOR: KernelSource = defineKernel("augment_color", colorCode);
const BLUR: KernelSource = defineKernel("augment_blur", blurCode);
const FINISH: KernelSource = defineKernel("augment_finish", finishCode);

/** Shape and scale of the views that one call makes. */
export interface ViewFormat {
  /** Height of every view in pixels. */
  height: number;
  /** Width of every view in pixels. */
  width: number;
  /** Mean per channel, in units of 255 levels; with `std` absent too, levels come out as they are. */
  mean?: readonly number[];
  /** Standard deviation per channel, in units of 255 levels. */
  std?: readonly number[];
}

/**
 * Makes views from packed pictures. Recordable: nothing here depends on values in the tensors.
 *
 * @param gpu The device.
 * @param pixels u32 RGBA8 (r in the low byte) of all pictures, packed.
 * @param table `[B, 4]` u32: offset in pixels, width, height, 0.
 * @param params `[N, 128]` f32 of `packView`; view n is made from picture n mod B.
 * @param format Size and normalisation of the views.
 * @returns `[N, 3, H, W]` f32.
 */
export function renderViews(
  gpu: Gpu,
  pixels: Tensor,
  table: Tensor,
  params: Tensor,
  format: ViewFormat,
): Tensor {
  const { height, width, mean, std } = format;
  const [n, floats] = params.shape;
  const batch = table.shape[0];
  if (floats !== VIEW_FLOATS || table.shape[1] !== 4 || n % batch !== 0 || n > 65535) {
    throw new HatchlingError(
      `Expected view parameters [N, ${VIEW_FLOATS}] with N ≤ 65535 a multiple of the B pictures in a ` +
        `table [B, 4] but found [${params.shape}] and [${table.shape}]`,
    );
  }
  const area = height * width;
  const perPixel = [Math.ceil(area / 64), n, 1] as [number, number, number];
  const scale = [0, 1, 2].map((c) => std ? 1 / (255 * std[c]) : 1);
  const bias = [0, 1, 2].map((c) => std && mean ? -mean[c] / std[c] : 0);

  return gpu.scope(() => {
    const image = gpu.empty([2, n, height, width]);
    const out = gpu.empty([n, 3, height, width]);
    gpu.dispatch(CROP, {
      tensors: [pixels, table, params, image],
      u32: [batch, height, width],
      workgroups: perPixel,
    });
    gpu.dispatch(COLOR, {
      constants: { WG: area >= 4096 ? 256 : 64 },
      tensors: [params, image],
      u32: [area],
      workgroups: [n, 1, 1],
    });
    gpu.dispatch(BLUR, {
      tensors: [params, image],
      u32: [n, height, width, width, 1, 0],
      workgroups: grid(n * height, 64),
    });
    gpu.dispatch(BLUR, {
      tensors: [params, image],
      u32: [n, width, height, 1, width, 1],
      workgroups: grid(n * width, 64),
    });
    gpu.dispatch(FINISH, {
      tensors: [params, image, out],
      u32: [area],
      f32: [...scale, ...bias],
      workgroups: perPixel,
    });
    return out;
  });
}

/**
 * Applies given operations, through the same kernels as training. All views must come out in one size,
 * and with one normalisation or with none.
 *
 * @param gpu The device.
 * @param pixels u32 RGBA8 (r in the low byte) of all pictures, packed.
 * @param table `[B, 4]` u32: offset in pixels, width, height, 0.
 * @param views N of them, a multiple of B; view n is made from picture n mod B. Each tells its picture's
 * size and its operations in order: resized_crop, up to five colour operations with contrast once,
 * gaussian_blur, solarize, normalize, any of them absent; hflip anywhere after the crop.
 * @returns `[N, 3, H, W]` f32: normalised, or levels from 0 to 255 where normalize is absent.
 * @throws {HatchlingError} when the kernels cannot follow the list, or sizes differ.
 *
 * @example
 * ```ts
 * import { applyOps } from "./pipeline.ts";
 * import { openGpu } from "../gpu/mod.ts";
 *
 * const gpu = await openGpu();
 * const pixels = gpu.tensor(new Uint32Array([0xff0000ff, 0xff00ff00]), [2]); // red, green
 * const table = gpu.tensor(new Uint32Array([0, 2, 1, 0]), [1, 4]);
 * const view = applyOps(gpu, pixels, table, [{ width: 2, height: 1, ops: [{ op: "hflip" }] }]);
 * console.log(await view.read()); // [0, 255, 255, 0, 0, 0]
 * ```
 */
export function applyOps(
  gpu: Gpu,
  pixels: Tensor,
  table: Tensor,
  views: readonly OpsView[],
): Tensor {
  if (views.length === 0) throw new HatchlingError("Expected at least one view but found none");
  const formats = views.map((view): ViewFormat => {
    const [height, width] = outputSize(view);
    const normalize = view.ops.find((o) => o.op === "normalize");
    if (!normalize) return { height, width };
    const { mean, std } = normalize;
    const { normalizeMean, normalizeStd } = AUGMENTATION_DEFAULTS;
    return { height, width, mean: mean ?? normalizeMean, std: std ?? normalizeStd };
  });
  const [format] = formats;
  const other = formats.find((f) => JSON.stringify(f) !== JSON.stringify(format));
  if (other) {
    throw new HatchlingError(
      `Expected views of one size and normalisation but found ${JSON.stringify(format)} and ` +
        `${JSON.stringify(other)}: apply them in separate calls`,
    );
  }
  const data = new Float32Array(views.length * VIEW_FLOATS);
  views.forEach((view, i) => packView(view, data, i * VIEW_FLOATS));
  return gpu.scope(() => {
    const params = gpu.tensor(data, [views.length, VIEW_FLOATS]);
    return renderViews(gpu, pixels, table, params, format);
  });
}
