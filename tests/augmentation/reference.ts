/**
 * The augmentation's operations on the CPU in float64, written from the formulas of PIL's documentation
 * and source, for comparison. Images are `{ height, width, data }` with data `[H, W, 3]` of whole levels.
 */
import type { AugmentOp } from "../../lib/augmentation.ts";

export interface Picture {
  height: number;
  width: number;
  data: number[];
}

const clamp = (v: number, low: number, high: number) => Math.min(high, Math.max(low, v));

/** Calls `color` for every pixel. */
function eachPixel(im: Picture, color: (rgb: number[]) => number[]): Picture {
  const data: number[] = [];
  for (let i = 0; i < im.data.length; i += 3) data.push(...color(im.data.slice(i, i + 3)));
  return { ...im, data };
}

/** Bicubic kernel with a = -0.5 as the textbook writes it. */
function cubic(t: number): number {
  const [a, x] = [-0.5, Math.abs(t)];
  if (x < 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
}

/** Antialiased resize of the columns to `size`. */
function resizeColumns({ height, width, data }: Picture, size: number): Picture {
  const step = width / size;
  const stretch = Math.max(1, step);
  const out: number[] = new Array(height * size * 3);
  for (let x = 0; x < size; x++) {
    const middle = (x + 0.5) * step;
    const weights = Array.from({ length: width }, (_, i) => {
      const inside = i >= Math.floor(middle - 2 * stretch + 0.5) &&
        i < Math.floor(middle + 2 * stretch + 0.5);
      return inside ? cubic((i + 0.5 - middle) / stretch) : 0;
    });
    const total = weights.reduce((a, w) => a + w, 0);
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        weights.forEach((w, i) => sum += w / total * data[(y * width + i) * 3 + c]);
        out[(y * size + x) * 3 + c] = clamp(Math.floor(sum + 0.5), 0, 255);
      }
    }
  }
  return { height, width: size, data: out };
}

function transpose({ height, width, data }: Picture): Picture {
  const out: number[] = [];
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < 3; c++) out.push(data[(y * width + x) * 3 + c]);
    }
  }
  return { height: width, width: height, data: out };
}

function luma([r, g, b]: number[]): number {
  return Math.floor((19595 * r + 38470 * g + 7471 * b) / 65536 + 0.5); // PIL's fixed point
}

/** `low + factor · (level - low)`, truncated; the small term keeps whole levels whole. */
const blend = (low: number, level: number, factor: number) =>
  clamp(Math.floor(low + factor * (level - low) + 1e-9), 0, 255);

/** HSV with H, S and V in 8 bits each. */
function hue([r, g, b]: number[], factor: number): number[] {
  const [top, low] = [Math.max(r, g, b), Math.min(r, g, b)];
  if (top === low) return [r, g, b];
  const [rc, gc, bc] = [r, g, b].map((v) => (top - v) / (top - low));
  const sector = r === top ? bc - gc : g === top ? 2 + rc - bc : 4 + gc - rc;
  const h = Math.floor((sector / 6 + 1) % 1 * 255 + 1e-9);
  const s = Math.floor((top - low) / top * 255 + 1e-9) / 255;
  const turned = ((h + Math.trunc(factor * 255)) % 256 + 256) % 256;
  const i = Math.floor(turned * 6 / 255);
  const f = turned * 6 / 255 - i;
  const [p, q, t] = [s, s * f, s * (1 - f)].map((k) => Math.floor(top * (1 - k) + 0.5));
  return [[top, t, p], [q, top, p], [p, top, t], [p, q, top], [t, p, top], [top, p, q]][i % 6];
}

/** Three box blurs along the rows: 2n + 1 + 2·fraction pixels wide, edges repeated, 24-bit weights. */
function blurColumns(im: Picture, sigma: number): Picture {
  const variance = Math.fround(sigma) ** 2 / 3;
  const n = Math.floor((Math.sqrt(12 * variance + 1) - 1) / 2);
  const fraction = (2 * n + 1) * (n * (n + 1) - 3 * variance) / (6 * (variance - (n + 1) ** 2));
  const inside = Math.floor(2 ** 24 / (2 * Math.fround(n + fraction) + 1));
  const edge = Math.floor((2 ** 24 - (2 * n + 1) * inside) / 2);
  const { height, width } = im;
  let { data } = im;
  for (let pass = 0; pass < 3; pass++) {
    data = data.map((_, at) => {
      const [c, x, y] = [at % 3, Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
      const level = (i: number) => data[(y * width + clamp(x + i, 0, width - 1)) * 3 + c];
      let sum = edge * (level(-n - 1) + level(n + 1));
      for (let i = -n; i <= n; i++) sum += inside * level(i);
      return Math.floor(sum / 2 ** 24 + 0.5);
    });
  }
  return { height, width, data };
}

/** Applies operations up to, but without, normalize. */
export function reference(picture: Picture, ops: readonly AugmentOp[]): Picture {
  let im = picture;
  for (const op of ops) {
    if (op.op === "resized_crop") {
      const data: number[] = [];
      for (let y = op.top; y < op.top + op.height; y++) {
        data.push(...im.data.slice(
          (y * im.width + op.left) * 3,
          (y * im.width + op.left + op.width) * 3,
        ));
      }
      im = resizeColumns({ height: op.height, width: op.width, data }, op.size);
      im = transpose(resizeColumns(transpose(im), op.size));
    } else if (op.op === "hflip") {
      const { height, width, data } = im;
      im = {
        height,
        width,
        data: data.map((_, at) => {
          const [c, x, y] = [at % 3, Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
          return data[(y * width + width - 1 - x) * 3 + c];
        }),
      };
    } else if (op.op === "brightness") {
      im = eachPixel(im, (rgb) => rgb.map((v) => blend(0, v, op.factor)));
    } else if (op.op === "contrast") {
      let sum = 0;
      eachPixel(im, (rgb) => (sum += luma(rgb), rgb));
      const mean = Math.floor(sum / (im.height * im.width) + 0.5);
      im = eachPixel(im, (rgb) => rgb.map((v) => blend(mean, v, op.factor)));
    } else if (op.op === "saturation") {
      im = eachPixel(im, (rgb) => rgb.map((v) => blend(luma(rgb), v, op.factor)));
    } else if (op.op === "hue") {
      im = eachPixel(im, (rgb) => hue(rgb, op.factor));
    } else if (op.op === "grayscale") {
      im = eachPixel(im, (rgb) => [luma(rgb), luma(rgb), luma(rgb)]);
    } else if (op.op === "gaussian_blur") {
      im = blurColumns(im, op.sigma);
      im = transpose(blurColumns(transpose(im), op.sigma));
    } else if (op.op === "solarize") {
      im = eachPixel(im, (rgb) => rgb.map((v) => v < op.threshold ? v : 255 - v));
    }
  }
  return im;
}
