/**
 * References of the augmentation: its kernels follow PIL in whole levels.
 *
 * @module
 */
import type { AugmentOp } from "../../augmentation.ts";
import { packView, VIEW_FLOATS } from "../../augmentation/parameters.ts";
import type { Capture } from "../capture.ts";
import { blurAxis, exact as levelsAfter, type Levels } from "../levels.ts";
import { exact } from "../bounded.ts";
import { uniforms } from "../numbers.ts";
import type { Fill, Part, Reference } from "../reference.ts";

/** A picture of the batch, and what becomes of view n. */
interface View {
  width: number;
  height: number;
  ops: AugmentOp[];
}

const sizeOf = (shape: readonly number[] | undefined) => shape!.reduce((a, b) => a * b, 1);

/** Width and height of the pictures of a batch, of which there is room for `batch`. */
function pictureSize({ shapes, params: { batch, planes } }: Capture, b: number): [number, number] {
  const side = Math.max(1, Math.floor(Math.sqrt(sizeOf(shapes.source) / batch / planes)));
  return b % 2 ? [side, Math.max(1, side - side % 7)] : [Math.max(1, side - 3), side];
}

/** The views of a dispatch; each kernel meets the operations that it makes. */
function viewsOf(capture: Capture): View[] {
  const { source: { name }, params, shapes } = capture;
  const count = sizeOf(shapes.views) / VIEW_FLOATS;
  const next = uniforms(count + 17);
  const whole = (n: number) => Math.floor(next() * n);
  return Array.from({ length: count }, (_, n): View => {
    if (/crop/.test(name)) {
      const [width, height] = pictureSize(capture, n % params.batch);
      const [w, h] = [1 + whole(width), 1 + whole(height)];
      const box = { left: whole(width - w + 1), top: whole(height - h + 1), width: w, height: h };
      const ops: AugmentOp[] = [{ op: "resized_crop", ...box, size: params.height }];
      if (n % 2) ops.push({ op: "hflip" });
      return { width, height, ops };
    }
    if (/color/.test(name)) {
      const hue: AugmentOp = { op: "hue", factor: 0.2 * next() - 0.1 };
      const blends: AugmentOp[] = [
        { op: "brightness", factor: 0.6 + 0.8 * next() },
        { op: "contrast", factor: 0.6 + 0.8 * next() },
        { op: "saturation", factor: 0.8 + 0.4 * next() },
      ];
      const order = [...blends.slice(n % 3), ...blends.slice(0, n % 3)];
      // Hue is exact, and first: behind a blend it would make much of a level. Of several planes, only brightness has
      // a meaning.
      const ops = params.planes > 1 ? blends.slice(0, 1) : [hue, ...order];
      return { width: 1, height: 1, ops };
    }
    const ops: AugmentOp[] = /blur/.test(name)
      ? n % 3 ? [{ op: "gaussian_blur", sigma: n % 3 === 1 ? 0.1 + 1.9 * next() : 6.5 }] : []
      : [{ op: "solarize", threshold: 128 + n % 2 * 128 }];
    return { width: 1, height: 1, ops };
  });
}

/** Colour operations and solarization without what does not fit several planes. */
const VIEWS: Fill = (_, capture) => {
  const views = viewsOf(capture);
  const table = new Float32Array(views.length * VIEW_FLOATS);
  const channels = capture.params.planes > 1 ? 3 * capture.params.planes : 3;
  views.forEach((view, n) => packView(view, table, n * VIEW_FLOATS, channels));
  return table;
};

const PIXELS: Fill = (draw) => draw.whole(() => draw.below(2 ** 24) + 255 * 2 ** 24);

/** Levels of pixels one after the other, or `step` apart. */
function levels(pixels: Uint32Array, start: number, width: number, height: number): Levels {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[3 * i + c] = pixels[start + i] >>> (8 * c) & 255;
  }
  return { width, height, channels: 3, data };
}

/** A picture, expected pixel by pixel, within some levels where a compiler may fuse a product and a sum. */
function picture(
  expect: Parameters<Part["at"]>[1],
  at: number,
  { data }: Levels,
  off: number,
): void {
  for (let i = 0; 3 * i < data.length; i++) {
    const [r, g, b] = data.subarray(3 * i, 3 * i + 3);
    expect.levels("image", at + i, [r, g, b], off);
  }
}

/** The four kernels, in the order in which they run. */
export const AUGMENTATION: readonly Reference[] = [
  {
    family: "augmentation",
    kernels: /augment_crop/,
    fill: {
      source: PIXELS,
      views: VIEWS,
      table(draw, capture) {
        let at = 0;
        const rows = Array.from({ length: capture.params.batch }, (_, b) => {
          const [width, height] = pictureSize(capture, b);
          const row = [at, width, height, 0];
          at += width * height * capture.params.planes;
          return row;
        });
        return draw.whole((i) => rows.flat()[i]);
      },
    },
    parts(g) {
      const { batch, planes, height, width } = g.p;
      const views = viewsOf(g.capture), table = g.u("table");
      return [{
        count: views.length * planes,
        cost: 100 * height * width,
        at(i, expect) {
          const [n, plane] = [Math.floor(i / planes), i % planes];
          const [offset, w, h] = table.subarray(4 * (n % batch));
          const im = levels(g.u("source"), offset + plane * w * h, w, h);
          picture(expect, i * height * width, levelsAfter(im, views[n].ops), 1);
        },
      }];
    },
  },
  {
    family: "augmentation",
    kernels: /augment_color/,
    kept: () => ["image"],
    fill: { image: PIXELS, views: VIEWS },
    parts(g) {
      const { area, planes } = g.p, views = viewsOf(g.capture);
      return [{
        count: views.length * planes,
        cost: 100 * area,
        at(i, expect) {
          const im = levels(g.u("image"), i * area, area, 1);
          const ops = views[Math.floor(i / planes)].ops;
          // Each blend rounds once, and makes up to 1.8 of what is off before it: 1, 2.8, 6.
          picture(expect, i * area, levelsAfter(im, ops), ops.length > 1 ? 6 : 0);
        },
      }];
    },
  },
  {
    family: "augmentation",
    kernels: /augment_blur/,
    kept: () => ["image"],
    fill: { image: PIXELS, views: VIEWS },
    parts(g) {
      const { pictures, planes, lines, length, line_stride, half } = g.p;
      const area = lines * length, views = viewsOf(g.capture);
      const [width, height] = line_stride === 1 ? [lines, length] : [length, lines];
      return [{
        count: pictures,
        cost: 100 * area,
        at(n, expect) {
          const [op] = views[Math.floor(n / planes)].ops;
          if (op?.op !== "gaussian_blur") return;
          const im = levels(g.u("image"), (half * pictures + n) * area, width, height);
          const out = blurAxis(im, op.sigma, line_stride === 1);
          picture(expect, ((1 - half) * pictures + n) * area, out, 0);
        },
      }];
    },
  },
  {
    family: "augmentation",
    kernels: /augment_finish/,
    fill: { image: PIXELS, views: VIEWS, norm: (draw) => draw.uniform(0.01, 0.02) },
    parts(g) {
      const { area, planes, channels } = g.p, views = viewsOf(g.capture);
      const image = g.u("image"), norm = g.f("norm");
      return [{
        count: views.length * channels,
        cost: area,
        at(i, expect) {
          const [n, c] = [Math.floor(i / channels), i % channels];
          const [op] = views[n].ops;
          const threshold = op.op === "solarize" ? op.threshold : 256;
          const start = (n * planes + Math.floor(c / 3)) * area;
          for (let k = 0; k < area; k++) {
            const level = image[start + k] >>> (8 * (c % 3)) & 255;
            const v = exact(level < threshold ? level : 255 - level);
            expect("out", i * area + k, v.mul(norm[2 * c]).add(norm[2 * c + 1]));
          }
        },
      }];
    },
  },
];
