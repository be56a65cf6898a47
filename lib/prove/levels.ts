/**
 * The augmentation's operations as PIL 9.4 and torchvision do them, in integers and IEEE singles: the bytes
 * are theirs, not close to theirs. A port of tests/golden/aug_exact.py, which names every place where a
 * single or a double is part of the definition; `deno task bench:augmentation --pil` compares with PIL itself.
 */
import type { AugmentOp, CropBox } from "../augmentation.ts";
import { AUGMENTATION_DEFAULTS } from "../augmentation.ts";
import { luma } from "../data/image.ts";

/** Levels of a picture, `[H, W, C]`. */
export interface Levels {
  height: number;
  width: number;
  /** C: 3 for colours, 1 for gray; others know resized_crop, hflip, brightness, blur and solarize. */
  channels: number;
  data: Uint8Array;
}

const { fround } = Math;
const clip = (v: number) => v < 0 ? 0 : v > 255 ? 255 : v;

/** Bicubic kernel, a = -0.5, in doubles and in PIL's order of operations. */
function cubic(t: number): number {
  const [a, x] = [-0.5, Math.abs(t)];
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** First source pixel and 22-bit weights of every output pixel along an axis. */
function resizeWeights(from: number, to: number): { low: number; weights: number[] }[] {
  const step = from / to;
  const stretch = Math.max(step, 1); // the kernel widens when shrinking
  const support = 2 * stretch;
  return Array.from({ length: to }, (_, i) => {
    const middle = (i + 0.5) * step;
    const low = Math.max(Math.trunc(middle - support + 0.5), 0);
    const high = Math.min(Math.trunc(middle + support + 0.5), from);
    const taps = Array.from(
      { length: high - low },
      (_, k) => cubic((low + k - middle + 0.5) / stretch),
    );
    const total = taps.reduce((sum, w) => sum + w, 0);
    const whole = (w: number) => Math.trunc(w * 2 ** 22 + (w < 0 ? -0.5 : 0.5));
    return { low, weights: taps.map((w) => whole(w / total)) };
  });
}

/** One pass along the columns (`step` = C) or rows (`step` = W · C) of `[lines, length]` values. */
function resizeAxis(im: Levels, size: number, rows: boolean): Levels {
  const { height, width, channels: c, data } = im;
  const out = rows ? { ...im, height: size } : { ...im, width: size };
  const [step, outStep] = rows ? [width * c, width * c] : [c, c];
  const [lines, line, outLine] = rows ? [width, c, c] : [height, width * c, size * c];
  const result = new Uint8Array(out.height * out.width * c);
  resizeWeights(rows ? height : width, size).forEach(({ low, weights }, o) => {
    for (let l = 0; l < lines; l++) {
      for (let ch = 0; ch < c; ch++) {
        let sum = 2 ** 21; // below 2^53: exact
        weights.forEach((w, k) => sum += w * data[l * line + (low + k) * step + ch]);
        result[l * outLine + o * outStep + ch] = clip(Math.floor(sum / 2 ** 22));
      }
    }
  });
  return { ...out, data: result };
}

/** Cuts the box, then resizes columns before rows; an axis that keeps its size is left alone. */
function resizedCrop(im: Levels, box: CropBox, size: number): Levels {
  const { top, left, height, width } = box;
  const c = im.channels;
  const data = new Uint8Array(height * width * c);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * im.width + left) * c;
    data.set(im.data.subarray(from, from + width * c), y * width * c);
  }
  let out: Levels = { height, width, channels: c, data };
  if (width !== size) out = resizeAxis(out, size, false);
  if (height !== size) out = resizeAxis(out, size, true);
  return out;
}

function hflip(im: Levels): Levels {
  const { width, channels: c, data } = im;
  const at = (i: number) => {
    const [ch, x] = [i % c, Math.floor(i / c) % width];
    return i - ch - x * c + (width - 1 - x) * c + ch;
  };
  return { ...im, data: data.map((_, i) => data[at(i)]) };
}

/** PIL's blend: singles, and truncation. */
function blend(low: number, level: number, factor: number): number {
  if (factor === 0) return low;
  if (factor === 1) return level;
  return Math.trunc(clip(fround(low + fround(fround(factor) * (level - low)))));
}

/** Luma of every pixel; of gray pictures it is the level. */
function lumas({ channels, data }: Levels): Uint8Array {
  if (channels === 1) return data;
  return Uint8Array.from(
    { length: data.length / 3 },
    (_, i) => luma(data[3 * i], data[3 * i + 1], data[3 * i + 2]),
  );
}

function blendWith(im: Levels, factor: number, low: (pixel: number) => number): Levels {
  const { channels, data } = im;
  return { ...im, data: data.map((v, i) => blend(low(Math.floor(i / channels)), v, factor)) };
}

/** RGB to 8-bit HSV, the hue turned by trunc(255 · factor) modulo 256, and back. */
function turnHue(r: number, g: number, b: number, factor: number): [number, number, number] {
  const top = Math.max(r, g, b), span = top - Math.min(r, g, b);
  const s8 = top === 0 ? 0 : Math.trunc(fround(span / top) * 255);
  if (s8 === 0) return [top, top, top];
  const [rc, gc, bc] = [r, g, b].map((v) => fround((top - v) / span));
  const sector = fround(r === top ? bc - gc : g === top ? 2 + rc - bc : 4 + gc - rc);
  const h8 = Math.trunc(clip(fround((sector / 6 + 1) % 1) * 255));
  const turned = ((h8 + Math.trunc(factor * 255)) % 256 + 256) % 256;
  const x = turned * 6 / 255, i = Math.floor(x);
  const f = fround(x - i), s = fround(s8 / 255);
  const round = (v: number) => clip(Math.floor(v + 0.5));
  const p = round(top * (1 - s)), q = round(top * (1 - s * f)), t = round(top * (1 - s * (1 - f)));
  const v = top;
  return ([[v, t, p], [q, v, p], [p, v, t], [p, q, v], [t, p, v], [v, p, q]] as const)[i % 6]
    .slice() as [number, number, number];
}

function hue(im: Levels, factor: number): Levels {
  const { data } = im;
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    out.set(turnHue(data[i], data[i + 1], data[i + 2], factor), i);
  }
  return { ...im, data: out };
}

/** Whole radius and 24-bit weights of PIL's box blur: singles all along, unlike in aug_exact.py. */
function boxWeights(sigma: number): { r: number; inside: number; edge: number } {
  const variance = fround(fround(fround(sigma) ** 2) / 3);
  const length = fround(Math.sqrt(12 * variance + 1));
  const n = Math.floor((length - 1) / 2);
  const over = fround((2 * n + 1) * fround(n * (n + 1) - fround(3 * variance)));
  const under = fround(6 * fround(variance - (n + 1) * (n + 1)));
  const radius = fround(n + fround(over / under));
  const r = Math.trunc(radius);
  const inside = Math.trunc(fround(2 ** 24 / fround(fround(radius * 2) + 1)));
  return { r, inside, edge: Math.floor((2 ** 24 - (2 * r + 1) * inside) / 2) };
}

/** Three box passes of a fractional radius along lines, edges repeated. */
export function blurAxis(im: Levels, sigma: number, rows: boolean): Levels {
  const { r, inside, edge } = boxWeights(sigma);
  const { height, width, channels: c } = im;
  const [lines, line, length, step] = rows
    ? [width, c, height, width * c]
    : [height, width * c, width, c];
  let data = im.data;
  for (let pass = 0; pass < 3; pass++) {
    const out = new Uint8Array(data.length);
    for (let l = 0; l < lines; l++) {
      for (let ch = 0; ch < c; ch++) {
        const start = l * line + ch;
        const at = (x: number) => data[start + (x < 0 ? 0 : x >= length ? length - 1 : x) * step];
        for (let x = 0; x < length; x++) {
          let sum = 0;
          for (let k = x - r; k <= x + r; k++) sum += at(k);
          const total = sum * inside + (at(x - r - 1) + at(x + r + 1)) * edge + 2 ** 23;
          out[start + x * step] = Math.floor(total / 2 ** 24);
        }
      }
    }
    data = out;
  }
  return { ...im, data };
}

/** One operation up to, but without, normalize. */
function apply(im: Levels, op: AugmentOp): Levels {
  switch (op.op) {
    case "resized_crop":
      return resizedCrop(im, op, op.size);
    case "hflip":
      return hflip(im);
    case "brightness":
      return blendWith(im, op.factor, () => 0);
    case "contrast": {
      const gray = lumas(im);
      const mean = Math.trunc(gray.reduce((sum, v) => sum + v, 0) / gray.length + 0.5);
      return blendWith(im, op.factor, () => mean);
    }
    case "saturation":
    case "grayscale": {
      const gray = lumas(im);
      return blendWith(im, op.op === "grayscale" ? 0 : op.factor, (pixel) => gray[pixel]);
    }
    case "hue":
      return hue(im, op.factor);
    case "gaussian_blur":
      return blurAxis(blurAxis(im, op.sigma, false), op.sigma, true);
    case "solarize":
      return { ...im, data: im.data.map((v) => v < op.threshold ? v : 255 - v) };
    case "normalize":
      return im;
  }
}

/** Levels after the operations; normalize, which makes floats, changes none. */
export function exact(picture: Levels, ops: readonly AugmentOp[]): Levels {
  return ops.reduce(apply, picture);
}

/** `(level / 255 - mean) / std` in singles, `[C, H, W]`, as torchvision's to_tensor and normalize. */
export function exactNormalize(
  im: Levels,
  mean: readonly number[] = AUGMENTATION_DEFAULTS.normalizeMean,
  std: readonly number[] = AUGMENTATION_DEFAULTS.normalizeStd,
): Float32Array {
  const area = im.height * im.width;
  return Float32Array.from(im.data, (_, i) => {
    const c = Math.floor(i / area);
    const level = fround(im.data[i % area * im.channels + c] / 255);
    return fround(fround(level - fround(mean[c])) / fround(std[c]));
  });
}
