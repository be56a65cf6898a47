/**
 * The five dispatches that turn packed pictures into normalised views.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type KernelSource, type Tensor } from "../gpu.ts";
import cropCode from "../../kernels/augment_crop.wgsl" with { type: "text" };
import colorCode from "../../kernels/augment_color.wgsl" with { type: "text" };
import blurCode from "../../kernels/augment_blur.wgsl" with { type: "text" };
import finishCode from "../../kernels/augment_finish.wgsl" with { type: "text" };
import { augmentationOptions } from "./options.ts";
import { CROP_ROWS, type OpsView, outputSize, packView, VIEW_FLOATS } from "./parameters.ts";

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
  /** `[C, 2]` f32: what a level of each of the C channels is multiplied by, and what is then added. */
  norm: Tensor;
}

/**
 * Scale and bias of every channel, as `ViewFormat.norm` holds them.
 *
 * @param channels C.
 * @param mean Mean per channel in units of 255 levels; without it levels come out as they are.
 * @param std Standard deviation per channel in units of 255 levels.
 */
export function normalization(
  channels: number,
  mean?: readonly number[],
  std?: readonly number[],
): Float32Array<ArrayBuffer> {
  const norm = new Float32Array(2 * channels);
  for (let c = 0; c < channels; c++) {
    norm.set(mean && std ? [1 / (255 * std[c]), -mean[c] / std[c]] : [1, 0], 2 * c);
  }
  return norm;
}

/**
 * Makes views from packed pictures. Recordable: nothing here depends on values in the tensors.
 *
 * @param gpu The device.
 * @param pixels u32 RGBA8 (r in the low byte) of all pictures, packed in planes of three channels.
 * @param table `[B, 4]` u32: offset in pixels, width, height, 0.
 * @param params `[N, 48]` f32 of `packView`; view n is made from picture n mod B.
 * @param format Size and normalisation of the views.
 * @returns `[N, C, H, W]` f32.
 */
export function renderViews(
  gpu: Gpu,
  pixels: Tensor,
  table: Tensor,
  params: Tensor,
  { height, width, norm }: ViewFormat,
): Tensor {
  const [n, floats] = params.shape;
  const batch = table.shape[0];
  const channels = norm.shape[0];
  const planes = Math.ceil(channels / 3);
  if (floats !== VIEW_FLOATS || table.shape[1] !== 4 || n % batch !== 0 || n * planes > 65535) {
    throw new HatchlingError(
      `Expected view parameters [N, ${VIEW_FLOATS}] with N ≤ ${
        Math.floor(65535 / planes)
      } a multiple ` +
        `of the B pictures in a table [B, 4] but found [${params.shape}] and [${table.shape}]`,
    );
  }
  const area = height * width;
  const count = n * planes;

  return gpu.scope(() => {
    const image = gpu.empty([2, n, planes, height, width]);
    const out = gpu.empty([n, channels, height, width]);
    gpu.dispatch(CROP, {
      bindings: { source: pixels, table, views: params, image },
      params: { batch, planes, height, width },
      workgroups: [Math.ceil(width * Math.ceil(height / CROP_ROWS) / 64), count, 1],
    });
    gpu.dispatch(COLOR, {
      constants: { WG: area >= 4096 ? 256 : 64 },
      bindings: { views: params, image },
      params: { area, planes },
      workgroups: [count, 1, 1],
    });
    const rows = { lines: height, length: width, line_stride: width, step: 1, half: 0 };
    const columns = { lines: width, length: height, line_stride: 1, step: width, half: 1 };
    for (const direction of [rows, columns]) {
      gpu.dispatch(BLUR, {
        bindings: { views: params, image },
        params: { pictures: count, planes, ...direction },
        workgroups: grid(count * direction.lines, 64),
      });
    }
    gpu.dispatch(FINISH, {
      bindings: { views: params, image, norm, out },
      params: { area, planes, channels },
      workgroups: [Math.ceil(area / 256), count, 1],
    });
    return out;
  });
}

/**
 * Applies given operations, through the same kernels as training. All views must come out in one size,
 * and with one normalisation or with none.
 *
 * @param gpu The device.
 * @param pixels u32 RGBA8 (r in the low byte) of all pictures, packed in planes of three channels.
 * @param table `[B, 4]` u32: offset in pixels, width, height, 0.
 * @param views N of them, a multiple of B; view n is made from picture n mod B. Each tells its picture's
 * size and its operations in order: resized_crop, up to five colour operations with contrast once,
 * gaussian_blur, solarize, normalize, any of them absent; hflip anywhere after the crop.
 * @param channels Channels C of the pictures. Default 3.
 * @returns `[N, C, H, W]` f32: normalised, or levels from 0 to 255 where normalize is absent.
 * @throws {HatchlingError} when the kernels cannot follow the list, or sizes differ.
 *
 * @example
 * ```ts
 * import { applyOps } from "@hatchling/hatchling/augmentation";
 * import { openGpu } from "@hatchling/hatchling/gpu";
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
  channels = 3,
): Tensor {
  if (views.length === 0) throw new HatchlingError("Expected at least one view but found none");
  const formats = views.map((view) => {
    const [height, width] = outputSize(view);
    const normalize = view.ops.find((o) => o.op === "normalize");
    if (!normalize) return { height, width };
    const { normalizeMean, normalizeStd } = augmentationOptions({
      channels,
      normalizeMean: normalize.mean && [...normalize.mean],
      normalizeStd: normalize.std && [...normalize.std],
    });
    return { height, width, mean: normalizeMean, std: normalizeStd };
  });
  const [{ mean, std, ...format }] = formats;
  const other = formats.find((f) => JSON.stringify(f) !== JSON.stringify(formats[0]));
  if (other) {
    throw new HatchlingError(
      `Expected views of one size and normalisation but found ${JSON.stringify(formats[0])} and ` +
        `${JSON.stringify(other)}: apply them in separate calls`,
    );
  }
  const data = new Float32Array(views.length * VIEW_FLOATS);
  views.forEach((view, i) => packView(view, data, i * VIEW_FLOATS, channels));
  return gpu.scope(() => {
    const params = gpu.tensor(data, [views.length, VIEW_FLOATS]);
    const norm = gpu.tensor(normalization(channels, mean, std), [channels, 2]);
    return renderViews(gpu, pixels, table, params, { ...format, norm });
  });
}
