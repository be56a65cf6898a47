/**
 * `deno task look attention`: where the class token of the last block looks.
 *
 * @module
 */
import type { Picture } from "../../lib/data/image.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { attentionMaps, attentionMask, lookAt } from "../../lib/eval/attention.ts";
import { transformerOf } from "../../lib/model.ts";
import { shown } from "../../lib/text.ts";
import { print } from "../common/terminal.ts";
import { many } from "../../lib/words.ts";
import { type ColorMap, fieldOf, spotlight } from "../../lib/draw/colors.ts";
import { drawn } from "../../lib/draw/attention.ts";
import { checkSize, framed } from "../../lib/draw/frame.ts";
import type { Output } from "./output.ts";
import type { Session } from "../../lib/session.ts";
import { type Cell, contactSheet, fitted, type Row } from "../../lib/draw/contact_sheet.ts";

/** Options of the command. */
export interface AttentionOptions {
  /** Where the results go. */
  out: Output;
  /** Side of the image in pixels; by default what the model was trained with. */
  size?: number;
  /** Keep the shape of the picture. */
  whole: boolean;
  /** Also draw the patches that hold this share of the attention. */
  threshold?: number;
  /** Blend from patch to patch. */
  smooth: boolean;
  /** Colours. */
  map: ColorMap;
  /** Weight of the colours. */
  alpha: number;
  /** How many pictures at most. */
  images?: number;
}

/** A single picture is drawn at least so large; on a sheet a little smaller. */
const SIDE = 320, SHEET_SIDE = 168;

/** Rows of a contact sheet. */
const MOST_ROWS = 24;

/** Writes the pictures, and says where they are. */
export async function lookAttention(
  session: Session,
  paths: readonly string[],
  options: AttentionOptions,
): Promise<void> {
  const vit = transformerOf(session.loaded.model.backbone, "pictures of attention");
  const { imageSize, patchSize: patch, heads } = vit.config;
  const { size = imageSize, whole } = options;
  checkSize(size, patch);
  if (!vit.hasClass) {
    throw new HatchlingError(
      "Expected a model with a class token, whose attention is drawn, but found one without: deno task look pca " +
        "shows its patches",
    );
  }
  const { out: output } = options, rows: Row[] = [];
  let done = 0;
  for await (const { id, picture } of session.shown(paths, options.images, 4 * size * size)) {
    const { gpu, params } = await session.gpu();
    const { shown: picked, input } = framed(picture, { id, size, patch, whole }, session.config);
    const { width, height, channels = 3 } = picked;
    const images = gpu.tensor(input, [1, channels, height, width]);
    const looked = await lookAt(gpu, vit, params, images);
    images.destroy();
    const folder = output.nameOf(id);
    const base = fitted(picked, Math.max(SIDE, width, height));
    await output.png(`${folder}/input`, base);
    const cells: Cell[] = [{ picture: base, label: "input" }], masks: Cell[] = [];
    for (const [h, map] of attentionMaps(looked, heads).entries()) {
      const name = h ? `head ${h}` : "mean";
      const { picture, peak } = drawn(base, map, looked.grid, options);
      await output.png(`${folder}/${name.replace(" ", "-")}`, picture);
      cells.push({ picture, label: `${name} ×${peak.toFixed(1)}` });
      if (options.threshold === undefined) continue;
      const mask = attentionMask(map, options.threshold);
      const lit = spotlight(base, fieldOf(mask, looked.grid, base, false));
      await output.png(`${folder}/${name.replace(" ", "-")}-mask`, lit);
      const kept = mask.reduce((sum, value) => sum + value, 0) / mask.length;
      masks.push({ picture: lit, label: `${Math.round(100 * kept)}% of patches` });
    }
    if (rows.length < MOST_ROWS) {
      rows.push({ cells });
      if (masks.length) rows.push({ cells: [{ picture: blank(base) }, ...masks] });
    }
    session.progress.show(`${many(++done, "picture")} done`);
  }
  session.progress.end();
  const sheet = await output.png("sheet", contactSheet(rows, SHEET_SIDE));
  print(
    `${shown(sheet)}: ${many(done, "picture")}, ${
      many(heads, "head")
    } and their mean; one PNG each below ` +
      `${shown(output.folder)}`,
  );
}

function blank({ width, height }: Picture): Picture {
  return { width, height, data: new Uint8Array(4 * width * height).fill(255) };
}
