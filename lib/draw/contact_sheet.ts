/**
 * Contact sheets: rows of pictures with a few words under each.
 *
 * @module
 */
import type { Picture } from "../data/image.ts";
import { resizeBicubic } from "../data/resample.ts";
import { Sheet } from "./canvas.ts";
import { GLYPHS } from "./glyphs.ts";

/** A picture on a sheet. */
export interface Cell {
  picture: Picture;
  /** Small letters, digits and signs of {@linkcode GLYPHS}. */
  label?: string;
  /** Frame it. */
  framed?: boolean;
}

/** A row with a line above it, if it has one. */
export interface Row {
  title?: string;
  cells: Cell[];
}

type Color = readonly [number, number, number];

const GAP = 10, MARGIN = 20, LABEL = 22, TITLE = 28;
const INK: Color = [38, 42, 50], SOFT: Color = [105, 111, 122], FRAME: Color = [10, 88, 201];
/** Columns of a character with the space after it. */
const ADVANCE = 6;

/** A white page that can also be written on. */
export class WrittenSheet extends Sheet {
  /** Writes in pixels of `zoom`; returns the width. */
  write(text: string, left: number, top: number, color: Color = INK, zoom = 2): number {
    [...text].forEach((character, i) => {
      GLYPHS.get(character)?.forEach((bits, y) => {
        for (let x = 0; x < 5; x++) {
          if (bits >> (4 - x) & 1) {
            this.box(left + zoom * (ADVANCE * i + x), top + zoom * y, zoom, zoom, color);
          }
        }
      });
    });
    return widthOf(text, zoom);
  }
}

function widthOf(text: string, zoom: number): number {
  return zoom * (ADVANCE * [...text].length - 1);
}

/** Larger, in whole pixels where it is drawn on few; smaller, antialiased. */
export function fitted(picture: Picture, box: number): Picture {
  const { width, height } = picture, most = Math.max(width, height);
  const zoom = Math.floor(box / most);
  if (zoom === 1) return picture;
  const side = (n: number) => zoom > 1 ? n * zoom : Math.max(1, Math.round(n * box / most));
  if (zoom === 0) return resizeBicubic(picture, side(width), side(height));
  const sheet = new Sheet(side(width), side(height));
  sheet.paste(picture, 0, 0, zoom);
  return sheet;
}

/** Rows of pictures as one, each at most `box` pixels wide and high. */
export function contactSheet(rows: readonly Row[], box: number): WrittenSheet {
  const sized = rows.map(({ title, cells }) => ({
    title,
    cells: cells.map((cell) => ({ ...cell, picture: fitted(cell.picture, box) })),
  }));
  const labelled = rows.some(({ cells }) => cells.some(({ label }) => label));
  const heights = sized.map(({ title, cells }) =>
    Math.max(...cells.map(({ picture }) => picture.height)) + (title ? TITLE : 0) +
    (labelled ? LABEL : 0)
  );
  const widest = Math.max(...rows.map(({ cells }) => cells.length));
  const titles = Math.max(0, ...rows.map(({ title }) => title ? widthOf(title, 2) : 0));
  const sheet = new WrittenSheet(
    2 * MARGIN + Math.max(titles, widest * (box + GAP) - GAP),
    2 * MARGIN + heights.reduce((a, b) => a + b + GAP, -GAP),
  );
  let y = MARGIN;
  sized.forEach(({ title, cells }, r) => {
    const top = y + (title ? TITLE : 0);
    if (title) sheet.write(title, MARGIN, y + 4);
    cells.forEach(({ picture, label, framed }, c) => {
      const left = MARGIN + c * (box + GAP) + Math.floor((box - picture.width) / 2);
      sheet.paste(picture, left, top);
      if (framed) {
        sheet.frame(left - 4, top - 4, picture.width + 8, picture.height + 8, FRAME);
      }
      if (!label) return;
      const zoom = widthOf(label, 2) <= box + GAP ? 2 : 1;
      const middle = MARGIN + c * (box + GAP) + box / 2;
      sheet.write(
        label,
        Math.round(middle - widthOf(label, zoom) / 2),
        top + picture.height + 5,
        SOFT,
        zoom,
      );
    });
    y += heights[r] + GAP;
  });
  return sheet;
}
