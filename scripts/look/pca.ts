/**
 * `deno task look pca`: the patch features' first three principal components as red, green and blue.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { lookAt } from "../../lib/eval/attention.ts";
import type { FeatureArray } from "../../lib/eval/features.ts";
import { pca } from "../../lib/eval/pca.ts";
import { transformerOf } from "../../lib/model.ts";
import { shown } from "../../lib/text.ts";
import { print } from "../common/terminal.ts";
import { many, percent } from "../../lib/words.ts";
import { colored, fieldOf } from "../../lib/draw/colors.ts";
import { checkSize, type Framed, framed } from "../../lib/draw/frame.ts";
import type { Output } from "./output.ts";
import type { Session } from "../../lib/session.ts";
import { type Cell, contactSheet, fitted, type Row } from "../../lib/draw/contact_sheet.ts";

/** Options of the command. */
export interface PcaOptions {
  /** Where the results go. */
  out: Output;
  /** Side of the image in pixels; by default what the model was trained with. */
  size?: number;
  /** Keep the shape of the picture. */
  whole: boolean;
  /** Leave out what the first component takes for background. */
  foreground: boolean;
  /** Keep that, and leave out the other side. */
  invert: boolean;
  /** Blend from patch to patch. */
  smooth: boolean;
  /** How many pictures at most. */
  images?: number;
}

const SIDE = 320, SHEET_SIDE = 168, SHEET_COLUMNS = 4;

/** Patches of all pictures together, which are in memory at once. */
const MOST_PATCHES = 2 ** 18;

/** Share of the patches beyond each end of the colours: a few far ones would leave all others alike. */
const TAIL = 0.01;

interface Seen extends Framed {
  id: string;
  grid: [number, number];
  /** Index of its first patch among those of all pictures. */
  first: number;
}

/** Writes the pictures, and says where they are. */
export async function lookPca(
  session: Session,
  paths: readonly string[],
  options: PcaOptions,
): Promise<void> {
  const vit = transformerOf(session.loaded.model.backbone, "pictures of patches");
  const { imageSize, patchSize: patch, dim } = vit.config;
  const { size = imageSize, whole } = options;
  checkSize(size, patch);
  const most = Math.max(1, Math.floor(MOST_PATCHES / (size / patch) ** 2));
  const seen: Seen[] = [], parts: Float32Array[] = [];
  let patches = 0;
  for await (const { id, picture } of session.shown(paths, options.images, 4 * size * size, most)) {
    const { gpu, params } = await session.gpu();
    const frame = framed(picture, { id, size, patch, whole }, session.config);
    const { width, height, channels = 3 } = frame.shown;
    const images = gpu.tensor(frame.input, [1, channels, height, width]);
    const looked = await lookAt(gpu, vit, params, images);
    images.destroy();
    seen.push({ id, ...frame, grid: looked.grid, first: patches });
    parts.push(looked.patches);
    patches += looked.grid[0] * looked.grid[1];
    session.progress.show(`${many(seen.length, "picture")} done`);
  }
  session.progress.end();
  const all = join(parts, patches, dim);
  const kept = options.foreground
    ? foregroundOf(all, seen, options.invert)
    : new Uint8Array(patches).fill(1);
  const rows = Array.from(kept.keys()).filter((i) => kept[i]);
  const components = Math.min(3, dim);
  if (rows.length < 2) {
    throw new HatchlingError(
      `Expected at least 2 patches to compare but found ${rows.length}: take a larger --size or more pictures`,
    );
  }
  const { project, explained } = pca(pick(all, rows), components);
  const channels = scaled(project(all), components, rows);

  const { out: output } = options, cells: Cell[][] = [];
  for (const { id, shown: picked, grid, first } of seen) {
    const base = fitted(picked, Math.max(SIDE, picked.width, picked.height));
    const [n, columns] = [grid[0] * grid[1], grid[1]];
    const mask = fieldOf(kept.subarray(first, first + n), [grid[0], columns], base, false);
    const fields = [0, 1, 2].map((c) => {
      if (c >= components) return () => 0;
      const field = fieldOf(
        channels[c].subarray(first, first + n),
        grid,
        base,
        options.smooth && !options.foreground,
      );
      return (x: number, y: number) => mask(x, y) ? field(x, y) : 0;
    });
    const picture = colored(base, fields);
    const folder = output.nameOf(id);
    await output.png(`${folder}/input`, base);
    await output.png(`${folder}/pca`, picture);
    cells.push([{ picture: base }, { picture }]);
  }
  const lines: Row[] = [];
  for (let i = 0; i < Math.min(cells.length, 24 * SHEET_COLUMNS); i += SHEET_COLUMNS) {
    lines.push({ cells: cells.slice(i, i + SHEET_COLUMNS).flat() });
  }
  const sheet = await output.png("sheet", contactSheet(lines, SHEET_SIDE));
  const share = Array.from(explained, percent).join(", ");
  print(
    `${shown(sheet)}: ${many(seen.length, "picture")} of ${
      many(patches, "patch", "patches")
    } in all, ` +
      `${rows.length} of them compared\nred, green, blue: ${share} of the variance`,
  );
}

function join(parts: readonly Float32Array[], rows: number, dim: number): FeatureArray {
  const data = new Float32Array(rows * dim);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { data, shape: [rows, dim] };
}

function pick({ data, shape: [, dim] }: FeatureArray, rows: readonly number[]): FeatureArray {
  const out = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => out.set(data.subarray(row * dim, (row + 1) * dim), i * dim));
  return { data: out, shape: [rows.length, dim] };
}

/**
 * The side of the first component's mean that is rarer along the borders of the pictures: what is at the border is
 * background more often than not.
 */
function foregroundOf(all: FeatureArray, seen: readonly Seen[], other: boolean): Uint8Array {
  const first = pca(all, 1).project(all);
  let border = 0, above = 0, inner = 0, innerAbove = 0;
  for (const { grid: [rows, columns], first: start } of seen) {
    for (let i = 0; i < rows * columns; i++) {
      const y = Math.floor(i / columns), x = i % columns, is = Number(first[start + i] > 0);
      if (y === 0 || x === 0 || y === rows - 1 || x === columns - 1) border++, above += is;
      else inner++, innerAbove += is;
    }
  }
  const positive = inner ? innerAbove / inner >= above / border : true;
  return Uint8Array.from(first, (value) => Number((value > 0) === (positive !== other)));
}

/** Each component from 0 to 1, [components][patches]; ends by the patches in `rows`. */
function scaled(values: Float64Array, components: number, rows: readonly number[]) {
  return Array.from({ length: components }, (_, c) => {
    const sorted = Float64Array.from(rows, (row) => values[row * components + c]).sort();
    const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))];
    const [low, high] = [at(TAIL), at(1 - TAIL)];
    return Float64Array.from({ length: values.length / components }, (_, i) => {
      const value = (values[i * components + c] - low) / (high - low || 1);
      return Math.min(1, Math.max(0, value));
    });
  });
}
