/**
 * How alike two pictures are by their pixels, whatever their size, brightness and borders. Pictures that hold
 * little else than one colour are compared by that colour.
 *
 * @module
 */
import { CHROMA, LUMA } from "./signature.ts";

/** Side of the grid on which pictures are compared. */
export const GRID = 16;

/** Side of a patch of the grid: one that differs is enough to tell pictures apart. */
const PATCH = 4;

/** Part of a picture: left, top, right and bottom border in [0, 1]. */
export type Window = readonly [left: number, top: number, right: number, bottom: number];

/** All of a picture. */
export const WHOLE: Window = [0, 0, 1, 1];

/** Contrast below which differences count as they are, levels: noise is not to be blown up. */
export const LEAST_CONTRAST = 12;

/** Distance of the mean colours, in levels, at which pictures without structure are not alike at all. */
export const COLOR_RANGE = 2 * LEAST_CONTRAST;

/** What is cut off at a side, at most. */
const MOST_CUT = 0.12;

/** Values of a square channel within a window, on a grid. */
export function sample(
  signature: Uint8Array,
  start: number,
  side: number,
  [left, top, right, bottom]: Window,
  grid: number,
): Float32Array {
  const out = new Float32Array(grid * grid);
  const axis = (from: number, to: number) => {
    const at = new Int32Array(grid), share = new Float32Array(grid);
    for (let i = 0; i < grid; i++) {
      const x = Math.max(
        0,
        Math.min(side - 1, (from + (i + 0.5) / grid * (to - from)) * side - 0.5),
      );
      at[i] = Math.min(side - 2, Math.floor(x));
      share[i] = x - at[i];
    }
    return { at, share };
  };
  const x = axis(left, right), y = axis(top, bottom);
  for (let r = 0, i = 0; r < grid; r++) {
    const row = start + y.at[r] * side, below = y.share[r];
    for (let c = 0; c < grid; c++, i++) {
      const at = row + x.at[c], s = x.share[c];
      const upper = signature[at] + s * (signature[at + 1] - signature[at]);
      const lower = signature[at + side] + s * (signature[at + side + 1] - signature[at + side]);
      out[i] = upper + below * (lower - upper);
    }
  }
  return out;
}

/** A linear change of levels. */
interface Fit {
  gain: number;
  offset: number;
  contrast: number;
}

/** Least squares of b by a; levels at either end say nothing, they may be cut off. */
function fit(a: Float32Array, b: Float32Array): Fit {
  let n = 0, sa = 0, sb = 0, saa = 0, sab = 0, sbb = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] < 3 || a[i] > 252 || b[i] < 3 || b[i] > 252) continue;
    n++;
    sa += a[i];
    sb += b[i];
    saa += a[i] * a[i];
    sab += a[i] * b[i];
    sbb += b[i] * b[i];
  }
  if (n < a.length / 16) return { gain: 1, offset: 0, contrast: spread(b) };
  const varA = saa / n - (sa / n) ** 2, cov = sab / n - sa / n * sb / n;
  const gain = Math.max(0.6, Math.min(1.67, varA > 1 ? cov / varA : 1));
  return { gain, offset: sb / n - gain * sa / n, contrast: spread(b) };
}

function spread(a: Float32Array): number {
  let sum = 0, squares = 0;
  for (const x of a) {
    sum += x;
    squares += x * x;
  }
  return Math.sqrt(Math.max(0, squares / a.length - (sum / a.length) ** 2));
}

/** What a picture is like as a whole. */
export interface Tone {
  /** Mean luma, Cb and Cr. */
  mean: readonly number[];
  /** How much its pixels differ from that, root mean square in levels. */
  contrast: number;
}

const tones = new WeakMap<Uint8Array, Tone>();

/** The tone of a signature; once computed, it is kept for as long as the signature. */
export function toneOf(signature: Uint8Array): Tone {
  let tone = tones.get(signature);
  if (!tone) {
    let start = 0, variance = 0;
    const mean = [LUMA, CHROMA, CHROMA].map((side) => {
      const values = Float32Array.from(signature.subarray(start, start += side * side));
      variance += spread(values) ** 2;
      return values.reduce((sum, x) => sum + x, 0) / values.length;
    });
    tones.set(signature, tone = { mean, contrast: Math.sqrt(variance) });
  }
  return tone;
}

/** Distance of two mean colours in levels. */
export function colorDistance(a: readonly number[], b: readonly number[]): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/**
 * What pictures differ by in their mean colours, from 0: a linear change of levels makes one of two plain pictures
 * out of any other, so the less structure there is to compare, the more the colours count.
 */
function colorDifference(a: Uint8Array, b: Uint8Array): number {
  const one = toneOf(a), other = toneOf(b);
  const plain = 1 - Math.min(one.contrast, other.contrast) / LEAST_CONTRAST;
  return plain <= 0 ? 0 : plain * colorDistance(one.mean, other.mean) / COLOR_RANGE;
}

/** Largest difference of a patch, root mean square in levels. */
function worst(a: Float32Array, b: Float32Array, { gain, offset }: Fit): number {
  let most = 0;
  for (let top = 0; top < GRID; top += PATCH) {
    for (let left = 0; left < GRID; left += PATCH) {
      let sum = 0;
      for (let y = top; y < top + PATCH; y++) {
        for (let i = y * GRID + left, end = i + PATCH; i < end; i++) {
          const d = Math.max(0, Math.min(255, gain * a[i] + offset)) - b[i];
          sum += d * d;
        }
      }
      most = Math.max(most, sum);
    }
  }
  return Math.sqrt(most) / PATCH;
}

/** Mean square difference after the fit: what an alignment makes small. */
function meanSquare(a: Float32Array, b: Float32Array): number {
  const { gain, offset } = fit(a, b);
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const d = Math.max(0, Math.min(255, gain * a[i] + offset)) - b[i];
    sum += d * d;
  }
  return sum / a.length;
}

/** Root mean square difference over contrast beyond which a coarse alignment is given up. */
const GIVE_UP = 0.4;

/** Steps of the alignment, of a side: coarse ones first. */
const STEPS = [1 / 32, 1 / 64, 1 / 128, 1 / 256];

/** An alignment under way. */
class Descent {
  readonly #from: Uint8Array;
  readonly #target: Float32Array;
  window: Window;
  error: number;

  constructor(from: Uint8Array, to: Uint8Array, start: Window) {
    this.#from = from;
    this.#target = sample(to, 0, LUMA, WHOLE, GRID);
    this.window = start;
    this.error = this.#errorOf(start);
  }

  /** Moves one border after the other by a step for as long as that helps. */
  descend(step: number): void {
    for (let changed = true; changed;) {
      changed = false;
      for (let side = 0; side < 4; side++) {
        for (const by of [step, -step]) {
          const next = [...this.window] as [number, number, number, number];
          next[side] += by;
          const cut = side < 2 ? next[side] : 1 - next[side];
          if (cut < 0 || cut > MOST_CUT) continue;
          const error = this.#errorOf(next);
          if (error >= this.error) continue;
          this.window = next;
          this.error = error;
          changed = true;
        }
      }
    }
  }

  /** Whether what is left is too much for any finer step. */
  get hopeless(): boolean {
    return this.error > (GIVE_UP * Math.max(LEAST_CONTRAST, spread(this.#target))) ** 2;
  }

  #errorOf(window: Window): number {
    return meanSquare(sample(this.#from, 0, LUMA, window, GRID), this.#target);
  }
}

/**
 * How alike two pictures are, one of which may be a part of the other: coordinate descent on the borders.
 *
 * @param part Where in `a` to begin to look for `b`.
 */
export function alikeAligned(a: Uint8Array, b: Uint8Array, part: Window): number {
  const inner = new Descent(a, b, part), outer = new Descent(b, a, WHOLE);
  for (const descent of [inner, outer]) descent.descend(STEPS[0]);
  const best = inner.error <= outer.error ? inner : outer;
  if (best.hopeless) return 0;
  for (const step of STEPS.slice(1)) best.descend(step);
  return best === inner ? alike(a, b, best.window) : alike(b, a, best.window);
}

/**
 * How alike a window of `a` and all of `b` are: 1 for the same pixels, after a linear change of levels. The
 * patch that differs most counts, in luma and in colour; of plain pictures, what the colours differ by.
 */
export function alike(a: Uint8Array, b: Uint8Array, window: Window): number {
  const la = sample(a, 0, LUMA, window, GRID), lb = sample(b, 0, LUMA, WHOLE, GRID);
  const level = fit(la, lb);
  const scale = Math.max(LEAST_CONTRAST, level.contrast);
  let difference = worst(la, lb, level) / scale;
  for (const start of [LUMA * LUMA, LUMA * LUMA + CHROMA * CHROMA]) {
    const ca = sample(a, start, CHROMA, window, CHROMA),
      cb = sample(b, start, CHROMA, WHOLE, CHROMA);
    const tint = (i: number) => level.gain * (ca[i] - 128) + 128 - cb[i];
    let most = 0;
    for (let y = 0; y < CHROMA; y += 2) { // the mean of four: windows of so few samples are rough
      for (let i = y * CHROMA, end = i + CHROMA; i < end; i += 2) {
        const mean = (tint(i) + tint(i + 1) + tint(i + CHROMA) + tint(i + CHROMA + 1)) / 4;
        most = Math.max(most, Math.abs(mean));
      }
    }
    difference = Math.max(difference, most / (2 * scale));
  }
  difference = Math.max(difference, colorDifference(a, b));
  return Math.max(0, 1 - difference - 0.5 * Math.abs(Math.log(level.gain)));
}
