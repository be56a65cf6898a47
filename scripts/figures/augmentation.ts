/**
 * The pictures of docs/guides/augmentation.md, made by the kernels that training uses.
 *
 * @module
 */
import {
  applyOps,
  augmentationOptions,
  type AugmentOp,
  sampleView,
} from "../../lib/augmentation.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import { packPictures, type Picture, withChannels } from "../../lib/data/image.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { scene } from "../common/scene.ts";
import { GAP, LINE, Sheet } from "../../lib/draw/canvas.ts";

/** Size of a picture in a sheet. */
const WIDTH = 100, HEIGHT = 75;

/** One picture of a sheet: what stands above it, and what is done. */
export type Tile = readonly [label: string, ...ops: AugmentOp[]];

const blends = (op: "brightness" | "contrast" | "saturation", factors: number[]): Tile[] =>
  factors.map((factor) => [String(factor), { op, factor }]);
const signed = (value: number) => String(value).replace("-", "−");

/** One sheet per operation, named as in docs/guides/augmentation-*.png. */
export const SHEETS: Readonly<Record<string, readonly Tile[]>> = {
  "hflip": [[""], ["", { op: "hflip" }]],
  "brightness": blends("brightness", [0.2, 0.6, 1, 1.4, 1.8]),
  "contrast": blends("contrast", [0.2, 0.6, 1, 1.4, 1.8]),
  "saturation": blends("saturation", [0, 0.8, 1, 1.2, 2]),
  "hue": [-0.5, -0.1, 0, 0.1, 0.25].map((factor) => [signed(factor), { op: "hue", factor }]),
  "grayscale": [[""], ["", { op: "grayscale" }]],
  "gaussian-blur": [0, 0.5, 1, 2, 4].map((sigma) => [
    String(sigma),
    { op: "gaussian_blur", sigma },
  ]),
  "solarize": [256, 192, 128, 64, 0].map((threshold) => [
    String(threshold),
    { op: "solarize", threshold },
  ]),
};

/**
 * Views of a picture.
 *
 * @param gpu The device.
 * @param picture The source.
 * @param lists Operations of each view; sizes may differ.
 */
export async function viewsOf(
  gpu: Gpu,
  picture: Picture,
  lists: readonly (readonly AugmentOp[])[],
): Promise<Picture[]> {
  const { width, height, channels = 3 } = picture;
  const packed = packPictures([picture]);
  const [pixels, table] = [gpu.tensor(packed.pixels), gpu.tensor(packed.table, [1, 4])];
  const made = lists.map((ops) =>
    applyOps(gpu, pixels, table, [{ width, height, ops: [...ops] }], channels)
  );
  const values = await gpu.read(made);
  const views = made.map(({ shape: [, c, height, width] }, i): Picture => {
    const area = height * width;
    const data = Uint8Array.from(
      { length: 4 * area },
      (_, k) => k % 4 === 3 ? 255 : values[i][Math.min(k % 4, c - 1) * area + (k >> 2)],
    );
    return { width, height, data };
  });
  for (const tensor of [pixels, table, ...made]) tensor.destroy();
  return views;
}

/** Pictures in a row, numbers above. */
function row(pictures: readonly Picture[], labels: readonly string[], zoom = 1): Sheet {
  const top = labels.some((label) => label) ? LINE : 0;
  const width = pictures.reduce((sum, p) => sum + zoom * p.width + GAP, -GAP);
  const sheet = new Sheet(width, top + zoom * Math.max(...pictures.map((p) => p.height)));
  let left = 0;
  pictures.forEach((picture, i) => {
    if (labels[i]) sheet.text(labels[i], left + zoom * picture.width / 2, 0);
    sheet.paste(picture, left, top, zoom);
    left += zoom * picture.width + GAP;
  });
  return sheet;
}

/** Parts below each other. */
function stack(parts: readonly Picture[]): Sheet {
  const height = parts.reduce((sum, p) => sum + p.height + GAP, -GAP);
  const sheet = new Sheet(Math.max(...parts.map((p) => p.width)), height);
  let top = 0;
  for (const part of parts) {
    sheet.paste(part, 0, top);
    top += part.height + GAP;
  }
  return sheet;
}

/** What DINO draws for a picture, without normalize; sizes are those of the guide, not of training. */
function drawn(picture: Picture, input: Parameters<typeof augmentationOptions>[0], seed: number) {
  const options = augmentationOptions({ ...input, channels: picture.channels ?? 3 });
  const { width, height } = picture;
  const count = options.nGlobalCrops + options.numLocalViews;
  return Array.from({ length: count }, (_, view) => {
    const { ops } = sampleView(options, { seed, epoch: 0, image: 0, view, width, height });
    return ops.filter(({ op }) => op !== "normalize");
  });
}

/** The picture with its boxes, beside its two global and eight local views. */
async function multiCrop(gpu: Gpu): Promise<Sheet> {
  const source = scene(288, 216);
  const lists = drawn(source, { globalCropSize: 104, localCropSize: 48 }, 3);
  const views = await viewsOf(gpu, source, lists);
  const framed = new Sheet(source.width, source.height);
  framed.paste(source, 0, 0);
  lists.forEach(([crop], view) => {
    if (crop.op !== "resized_crop") return;
    const { left, top, width, height } = crop;
    framed.frame(left, top, width, height, view < 2 ? [0, 60, 255] : [255, 90, 0]);
  });
  const beside = stack([
    row(views.slice(0, 2), []),
    row(views.slice(2, 6), []),
    row(views.slice(6), []),
  ]);
  return row([framed, beside], []);
}

/** The same crop made smaller, kept and made larger. */
async function resizedCrop(gpu: Gpu): Promise<Sheet> {
  const source = scene(320, 240);
  const crops = [[240, 24, 4], [200, 64, 1], [112, 112, 1], [40, 112, 1]];
  const views = await viewsOf(
    gpu,
    source,
    crops.map(([side, size]) => [{
      op: "resized_crop",
      top: Math.max(0, 66 - side / 2),
      left: Math.max(0, 120 - side / 2),
      height: side,
      width: side,
      size,
    }]),
  );
  const zoomed = views.map((view, i) => {
    const sheet = new Sheet(112, 112);
    const zoom = crops[i][2], at = Math.floor((112 - zoom * view.width) / 2);
    sheet.paste(view, at, at, zoom);
    return sheet;
  });
  return row(zoomed, crops.map(([side, size]) => `${side}–${size}`));
}

/** Noto emoji (Google, Apache-2.0): a fox, a pizza, a bicycle. */
const EMOJI = ["google/1f98a", "google/1f355", "google/1f6b2"];

/** Local crops of small pictures: DINO's areas, and larger ones. */
export async function smallPictures(gpu: Gpu, emoji: Dataset): Promise<Sheet> {
  const ids = Array.from({ length: emoji.length }, (_, i) => emoji.id(i));
  const pictures = await Promise.all(EMOJI.map((id) => emoji.picture(ids.indexOf(id))));
  const rows: Sheet[] = [];
  for (const [i, picture] of pictures.entries()) {
    const made: Picture[] = [];
    for (const cropScale of [[0.05, 0.4], [0.2, 0.6]] as [number, number][]) {
      const plain = { cropScale, colorJitterProb: 0, grayscaleProb: 0, gaussianBlurProb: 0 };
      const input = {
        nGlobalCrops: 1,
        numLocalViews: 4,
        localCropSize: 16,
        views: { local: plain },
      };
      made.push(...await viewsOf(gpu, picture, drawn(picture, input, 10 + i).slice(1)));
    }
    const labels = i ? [] : ["5–40%", "20–60%"];
    const sheet = new Sheet(64 + 4 * GAP + 8 * (64 + GAP), (i ? 0 : LINE) + 64);
    sheet.paste(picture, 0, i ? 0 : LINE, 2);
    made.forEach((view, k) => {
      const left = 64 + 3 * GAP + k * (64 + GAP) + (k > 3 ? 2 * GAP : 0);
      sheet.paste(view, left, i ? 0 : LINE, 4);
    });
    labels.forEach((label, k) => sheet.text(label, 64 + 3 * GAP + 140 + k * (4 * 72 + 2 * GAP), 0));
    rows.push(sheet);
  }
  return stack(rows);
}

/** Views of a gray picture. */
async function gray(gpu: Gpu): Promise<Sheet> {
  const source = withChannels(scene(144, 108), 1);
  const input = { globalCropSize: 108, localCropSize: 108, numLocalViews: 2 };
  const views = await viewsOf(gpu, source, drawn(source, input, 8));
  return row([source, ...views], []);
}

/** All sheets that need no download, by name. */
export async function augmentationSheets(gpu: Gpu): Promise<Record<string, Sheet>> {
  const source = scene(WIDTH, HEIGHT);
  const sheets: Record<string, Sheet> = {};
  for (const [name, tiles] of Object.entries(SHEETS)) {
    const views = await viewsOf(gpu, source, tiles.map(([, ...ops]) => ops));
    sheets[name] = row(views, tiles.map(([label]) => label));
  }
  sheets["views"] = await multiCrop(gpu);
  sheets["resized-crop"] = await resizedCrop(gpu);
  sheets["gray"] = await gray(gpu);
  return sheets;
}
