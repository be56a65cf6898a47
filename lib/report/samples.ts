/**
 * Pictures that a run keeps for its report while it has the data set at hand.
 *
 * @module
 */
import { join } from "node:path";
import type { Config } from "../config.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Picture } from "../data/image.ts";
import { resizeBicubic } from "../data/resample.ts";
import { nearest } from "../eval/nearest.ts";
import type { Sides } from "../eval/sides.ts";
import type { Gpu } from "../gpu.ts";
import { soundPicture, spreadIndices } from "../from_config/pictures.ts";
import { dataUris } from "../draw/data_uri.ts";
import { renderEpochs } from "../draw/render_views.ts";
import { cropOf, kindOf, labelOf, phrasesOf, tagsOf } from "../draw/view_words.ts";
import { cardOf as card } from "../draw/neighbor_row.ts";
import { augmentationOf } from "../from_config.ts";
import type { SideFiles } from "../run/side_files.ts";
import {
  type AugmentedSample,
  type NeighborSample,
  SAMPLE_FILES,
  type ShownNeighbor,
} from "../run/left.ts";

/** Pictures whose views are kept; longest sides of originals, global and local views. */
const AUGMENTED = 3, ORIGINAL = 160, GLOBAL = 112, LOCAL = 64;

/** Queries, neighbours of each, and the side of their pictures. */
const QUERIES = 5, NEIGHBORS = 6, THUMBNAIL = 96;

/** Keeps the views of some pictures in the first epoch; with `again` also where there are some already. */
export async function leaveAugmentation(
  gpu: Gpu,
  again: boolean,
  { files, config, dataset }: { files: SideFiles; config: Config; dataset: Dataset },
): Promise<void> {
  const path = join(files.folder, SAMPLE_FILES.augmentation);
  if (!again && await Deno.stat(path).then(() => true, () => false)) return;
  const options = augmentationOf(config), { seed } = config.training;
  const samples: AugmentedSample[] = [];
  for (const image of spreadIndices(dataset.length, AUGMENTED)) {
    const picture = await soundPicture(dataset, image);
    if (!picture) continue;
    const { width, height } = picture;
    const [views] = await renderEpochs(gpu, options, picture, { seed, image, epochs: 1 });
    samples.push({
      id: dataset.id(image),
      width,
      height,
      image: uriOf(picture, ORIGINAL),
      views: views.map(({ parameters, picture }) => {
        const { view, size } = parameters, crop = cropOf(parameters);
        const local = kindOf(view, options) === "local";
        return {
          label: labelOf(view, options),
          words: phrasesOf(parameters),
          tags: tagsOf(parameters),
          local,
          size,
          box: [crop.left, crop.top, crop.width, crop.height],
          image: uriOf(picture, local ? LOCAL : GLOBAL),
        };
      }),
    });
  }
  await files.put(SAMPLE_FILES.augmentation, JSON.stringify(samples) + "\n");
}

/**
 * Keeps the nearest neighbours of some pictures, by features that an evaluation has made.
 *
 * @param readout What these features are, in words.
 */
export async function leaveNeighbors(
  gpu: Gpu,
  sides: Sides,
  files: SideFiles,
  readout: string,
): Promise<void> {
  const { gallery, test } = sides, asked = test ?? gallery;
  const { whole, indices } = gallery.encoded;
  const [n, dim] = whole.shape;
  const k = Math.min(NEIGHBORS, n - (test ? 0 : 1));
  if (k < 1) return;
  const from = asked.encoded, rows = spreadIndices(from.indices.length, QUERIES);
  const data = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => {
    data.set(from.whole.data.subarray(row * dim, (row + 1) * dim), i * dim);
  });
  const found = await nearest(gpu, { data, shape: [rows.length, dim] }, whole, k, {
    exclude: test ? undefined : rows,
  });
  const sample: NeighborSample = { pictures: n, readout, rows: [] };
  for (const [q, row] of rows.entries()) {
    const neighbors: ShownNeighbor[] = [];
    for (let j = 0; j < k; j++) {
      const similarity = found.similarity[q * k + j];
      const one = await shown(gallery.dataset, indices[found.indices[q * k + j]]);
      neighbors.push({ ...one, similarity });
    }
    sample.rows.push({ query: await shown(asked.dataset, from.indices[row]), neighbors });
  }
  await files.put(SAMPLE_FILES.neighbors, JSON.stringify(sample) + "\n");
}

async function shown(dataset: Dataset, index: number): Promise<ShownNeighbor> {
  const { picture, ...words } = await card(dataset, index);
  return { ...words, image: uriOf(picture, THUMBNAIL) };
}

/** The first three channels, reduced to a longest side. */
function uriOf(picture: Picture, most: number): string {
  const { width, height } = picture, zoom = most / Math.max(width, height);
  const side = (n: number) => Math.max(1, Math.round(n * zoom));
  return dataUris(zoom < 1 ? resizeBicubic(picture, side(width), side(height)) : picture)[0];
}
