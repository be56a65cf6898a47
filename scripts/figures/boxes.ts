/**
 * The figure of crop boxes: where they fall in a picture, for each kind of view.
 *
 * @module
 */
import { AUGMENTATION_DEFAULTS, cropBox } from "../../lib/augmentation.ts";
import { Rng } from "../../lib/rng.ts";
import { BLUE, el, figure, label, ORANGE } from "../../lib/draw/svg.ts";

const { global1, local } = AUGMENTATION_DEFAULTS.views;
const [least, most] = global1.cropScale.map((share) => Math.round(100 * share));
const [small, large] = local.cropScale.map((share) => Math.round(100 * share));

/** Pictures, in units of the drawing, and what is cut from them. */
const PANELS = [
  { title: `global: ${least}–${most} %`, width: 208, height: 156, view: global1, color: BLUE },
  { title: `local: ${small}–${large} %`, width: 208, height: 156, view: local, color: ORANGE },
  { title: "global, of a panorama", width: 240, height: 60, view: global1, color: BLUE },
];
const BOXES = 12;

/** The drawing. */
export function boxesFigure(): string {
  const top = 44, gap = 28, height = top + 156 + 34;
  let left = 20;
  const panels = PANELS.flatMap(({ title, width, height, view, color }, p) => {
    const boxes = Array.from({ length: BOXES }, (_, i) => {
      const box = cropBox(new Rng(4, p, i), width, height, view.cropScale, view.aspectRatio);
      return el("rect", {
        x: left + box.left,
        y: top + box.top,
        width: box.width,
        height: box.height,
        fill: color,
        "fill-opacity": 0.06,
        stroke: color,
        "stroke-width": 1.5,
      });
    });
    const frame = el("rect", {
      x: left,
      y: top,
      width,
      height,
      fill: "none",
      stroke: "#7d8590",
      "stroke-width": 3,
    });
    const written = [label(left, top - 14, title, { class: "title" }), ...boxes, frame];
    left += width + gap;
    return written;
  });
  return figure(
    { width: left - gap + 20, height },
    "Where crop boxes fall",
    `${BOXES} random boxes in each of three pictures. Global ones cover most of a 4:3 picture, local ones ` +
      "little of it; of a panorama of 4:1 every global box is the same central one.",
    ...panels,
    label(20, height - 12, `${BOXES} boxes in each; the grey frame is the whole picture`),
  );
}
