/**
 * A painted landscape, the picture of the augmentation guide: drawn by this code, so free to use under the
 * project's licence. Sky, hills, a lake and a hot-air balloon: smooth and fine parts, strong colours, and
 * left differs from right.
 *
 * @module
 */
import type { Picture } from "../../lib/data/image.ts";
import { philox } from "../../lib/rng.ts";

type Color = readonly [number, number, number];

const mix = (a: Color, b: Color, t: number): Color =>
  [0, 1, 2].map((c) => a[c] + (b[c] - a[c]) * Math.min(1, Math.max(0, t))) as unknown as Color;
const smooth = (low: number, high: number, x: number) => {
  const t = Math.min(1, Math.max(0, (x - low) / (high - low)));
  return t * t * (3 - 2 * t);
};

/** A table of random numbers in [0, 1), on a torus of 64 × 64. */
const TABLE = Float64Array.from(
  { length: 4096 },
  (_, i) => philox([i >> 2, 0, 0, 0], [7, 0])[i & 3] / 2 ** 32,
);

/** Value noise with a period of 64 in both directions, in [0, 1). */
function noise(x: number, y: number): number {
  const [i, j] = [Math.floor(x), Math.floor(y)];
  const at = (i: number, j: number) => TABLE[(i & 63) + 64 * (j & 63)];
  const u = smooth(0, 1, x - i), v = smooth(0, 1, y - j);
  const row = (j: number) => at(i, j) + (at(i + 1, j) - at(i, j)) * u;
  return row(j) + (row(j + 1) - row(j)) * v;
}

/** Octaves of noise, in [0, 1). */
function cloudy(x: number, y: number, octaves: number): number {
  let [sum, weight, total] = [0, 1, 0];
  for (let o = 0; o < octaves; o++, weight /= 2) {
    sum += weight * noise(x * 2 ** o + 17 * o, y * 2 ** o + 5 * o);
    total += weight;
  }
  return sum / total;
}

/** Skies, hills and water at a place; x and y from 0 to 1, y down. */
function land(x: number, y: number): Color {
  const sky = mix([62, 124, 200], [246, 214, 170], (y + 0.05) / 0.55);
  const cloud = smooth(0.5, 0.8, cloudy(4 * x + 3, 9 * y, 3)) * smooth(0.55, 0.1, y);
  let color = mix(sky, [255, 250, 244], 0.85 * cloud);
  const sun = (x - 0.78) ** 2 + (0.75 * (y - 0.3)) ** 2; // pictures are wider than high
  color = mix(color, [255, 236, 150], 0.7 * smooth(0.04, 0, sun));
  if (sun < 0.0022) color = [255, 244, 190];
  const ranges: [number, number, number, Color][] = [
    [0.36, 0.22, 3.1, [104, 116, 158]],
    [0.47, 0.16, 4.3, [70, 104, 104]],
    [0.55, 0.1, 6.7, [52, 92, 50]],
  ];
  ranges.forEach(([base, height, scale, tone], i) => {
    const ridge = base + 0.06 + height * (0.5 - cloudy(scale * x + 11 * i, 0.5 + i, 3));
    if (y > ridge) {
      color = mix(tone, [200, 196, 160], 0.25 * cloudy(22 * x, 30 * y, 2) * (i + 1) / 2);
    }
  });
  return color;
}

/** A balloon of eight stripes with a basket; none outside. */
function balloon(x: number, y: number): Color | undefined {
  const [u, v] = [(x - 0.3) / 0.15, (y - 0.27) / 0.19];
  const narrow = v > 0 ? 1 - 0.45 * v * v : 1;
  const r = (u / narrow) ** 2 + v * v;
  if (r < 1) {
    const stripe = Math.floor((u / narrow / Math.sqrt(1 - 0.85 * v * v) + 1) * 3.5);
    const tone: Color =
      ([[214, 40, 40], [250, 202, 60], [30, 110, 190]] as const)[(stripe + 9) % 3];
    return mix(
      mix(tone, [255, 255, 255], 0.3 * smooth(0.6, -0.6, u + v)),
      [20, 10, 30],
      0.45 * r * r,
    );
  }
  if (Math.abs(u) < 0.16 && v > 1.22 && v < 1.5) return [112, 70, 36];
  if (Math.abs(Math.abs(u) - 0.14 - 0.12 * (1.22 - v)) < 0.02 && v > 0.9 && v < 1.25) {
    return [60, 40, 30];
  }
}

/** The colour at a place. */
function color(x: number, y: number): Color {
  const shore = 0.66 + 0.015 * noise(9 * x, 3);
  if (y < shore) return balloon(x, y) ?? land(x, y);
  const bank = 0.86 - 0.1 * (x - 0.2) + 0.03 * noise(7 * x, 9);
  if (y < bank) { // the lake mirrors what is above it
    const ripple = 0.05 * (noise(3 * x, 70 * y) - 0.5) * (y - shore + 0.05) * 6;
    const above = 2 * shore - y - 0.02 + ripple;
    const seen = balloon(x + ripple / 3, above - 0.12) ?? land(x + ripple / 3, above);
    return mix(seen, [32, 70, 96], 0.3 + 0.8 * (y - shore));
  }
  const grass = mix([56, 104, 36], [138, 168, 66], cloudy(24 * x, 40 * y * y, 2));
  const flower = noise(46 * x, 52 * y) > 0.86;
  return flower ? mix(grass, noise(5 * x, 4) > 0.5 ? [236, 88, 130] : [250, 240, 120], 0.9) : grass;
}

/**
 * Draws the landscape.
 *
 * @param width Columns.
 * @param height Rows; three to four columns for every three rows suit it.
 * @param samples Samples per pixel in each direction.
 */
export function scene(width: number, height: number, samples = 3): Picture {
  const data = new Uint8Array(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) {
    const sum = [0, 0, 0];
    for (let s = 0; s < samples ** 2; s++) {
      const dx = (s % samples + 0.5) / samples, dy = (Math.floor(s / samples) + 0.5) / samples;
      const sample = color((i % width + dx) / width, (Math.floor(i / width) + dy) / height);
      sample.forEach((v, c) => sum[c] += v);
    }
    sum.forEach((v, c) => data[4 * i + c] = Math.round(Math.min(255, v / samples ** 2)));
  }
  return { width, height, data };
}
