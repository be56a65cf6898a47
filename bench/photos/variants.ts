/**
 * Pictures that show the same as others, by which a search is judged.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import jpeg from "jpeg-js";
import type { Dataset } from "../../lib/data/dataset.ts";
import type { Picture } from "../../lib/data/image.ts";
import { resizeBicubic } from "../../lib/data/resample.ts";
import { crop } from "./cut.ts";

/** A square part of a picture, its side and place as shares of what there is. */
function part(picture: Picture, side: number, left: number, top: number): Picture {
  const { width, height } = picture;
  const pixels = Math.round(side * Math.min(width, height));
  return crop(picture, {
    left: Math.round(left * (width - pixels)),
    top: Math.round(top * (height - pixels)),
    width: pixels,
    height: pixels,
  });
}

/** Levels of a picture by a function of each. */
function recolored(picture: Picture, level: (v: number) => number): Picture {
  const table = Uint8ClampedArray.from({ length: 256 }, (_, v) => level(v));
  const data = picture.data.map((v, i) => i % 4 === 3 ? v : table[v]);
  return { ...picture, data };
}

/** Written as a small JPEG file and read again. */
function compressed({ width, height, channels, data }: Picture, quality: number): Picture {
  const file = jpeg.encode({ width, height, data: Buffer.from(data) }, quality).data;
  return {
    width,
    height,
    channels,
    data: jpeg.decode(file, { useTArray: true }).data as Uint8Array,
  };
}

/** One crop of a picture, three quarters of each side, from a corner. */
export const oneCrop = (picture: Picture): Picture => part(picture, 0.75, 0, 0);

/** The other one, from the opposite corner: two thirds of each side are on both. A little lighter and softer. */
export const otherCrop = (picture: Picture): Picture =>
  recolored(part(picture, 0.75, 1, 1), (v) => 0.9 * v + 28);

/** Nearly the same: without its edges, at three fifths of the size, compressed, a little darker. */
export function nearDuplicate(picture: Picture): Picture {
  const inner = part(picture, 0.92, 0.5, 0.5), side = Math.round(0.6 * inner.width);
  return recolored(compressed(resizeBicubic(inner, side, side), 40), (v) => 0.94 * v);
}

/** A data set in which each picture is changed. */
export function changed(dataset: Dataset, change: (picture: Picture) => Picture): Dataset {
  const { name, length, largestPixels, channels } = dataset;
  return {
    ...{ name, length, largestPixels, channels, skipped: [] },
    id: (i) => dataset.id(i),
    picture: async (i) => change(await dataset.picture(i)),
  };
}
