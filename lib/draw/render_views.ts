/**
 * The views of a picture, made as in training.
 *
 * @module
 */
import {
  applyOps,
  type AugmentationOptions,
  sampleView,
  type ViewParameters,
} from "../augmentation.ts";
import { packPictures, type Picture, planesOf } from "../data/image.ts";
import type { Gpu } from "../gpu.ts";

/** A view and what it was made with. */
export interface RenderedView {
  parameters: ViewParameters;
  /** Levels from 0 to 255, before normalisation. */
  picture: Picture;
}

/**
 * Makes all views of one picture in some epochs, through the kernels of training.
 *
 * @param address Seed of the run, index of the picture in the data set, and how many epochs.
 * @returns The views of each epoch, global ones first.
 */
export async function renderEpochs(
  gpu: Gpu,
  options: AugmentationOptions,
  picture: Picture,
  { seed, image, epochs }: { seed: number; image: number; epochs: number },
): Promise<RenderedView[][]> {
  const { nGlobalCrops, numLocalViews, channels } = options;
  const { width, height } = picture;
  const n = nGlobalCrops + numLocalViews;
  const all = Array.from({ length: epochs }, (_, epoch) =>
    Array.from({ length: n }, (_, view) => {
      return sampleView(options, { seed, epoch, image, view, width, height });
    }));
  const render = async (views: ViewParameters[]): Promise<RenderedView[]> => {
    if (views.length === 0) return [];
    const levels = views.map((view) => {
      return { ...view, ops: view.ops.filter(({ op }) => op !== "normalize") };
    });
    const packed = packPictures([picture]);
    const pixels = gpu.tensor(packed.pixels, [packed.usedPixels]);
    const table = gpu.tensor(packed.table, [1, 4]);
    const out = applyOps(gpu, pixels, table, levels, channels);
    const values = await out.read();
    for (const tensor of [pixels, table, out]) tensor.destroy();
    const area = views[0].size ** 2;
    return views.map((parameters, i) => {
      const own = values.subarray(i * channels * area, (i + 1) * channels * area);
      return { parameters, picture: fromChannels(own, parameters.size, channels) };
    });
  };
  // Views of one size go together.
  const globals = await render(all.flatMap((views) => views.slice(0, nGlobalCrops)));
  const locals = await render(all.flatMap((views) => views.slice(nGlobalCrops)));
  return all.map((_, epoch) => [
    ...globals.slice(epoch * nGlobalCrops, (epoch + 1) * nGlobalCrops),
    ...locals.slice(epoch * numLocalViews, (epoch + 1) * numLocalViews),
  ]);
}

/** From `[C, size, size]` to planes of RGBA8. */
function fromChannels(values: ArrayLike<number>, size: number, channels: number): Picture {
  const area = size * size, data = new Uint8Array(4 * area * planesOf(channels)).fill(255);
  for (let c = 0; c < channels; c++) {
    const at = 4 * area * Math.floor(c / 3) + c % 3;
    for (let i = 0; i < area; i++) data[at + 4 * i] = values[c * area + i];
  }
  return { width: size, height: size, channels, data };
}
