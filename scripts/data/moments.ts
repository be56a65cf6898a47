/**
 * Mean and standard deviation of channels over many pictures.
 *
 * @module
 */
import { type Picture, planesOf } from "../../lib/data/image.ts";

/** Mean and variance of every channel, levels from 0 to 255. */
export interface Moments {
  mean: number[];
  variance: number[];
}

/**
 * Of one picture. Sums of levels and of their squares are whole numbers, and exact: of at most 10^8 pixels
 * they stay below 2^53, what is made of them is in BigInt up to the last division.
 */
export function momentsOf({ width, height, channels = 3, data }: Picture): Moments {
  const pixels = width * height, plane = 4 * pixels;
  const moments: Moments = { mean: [], variance: [] };
  for (let g = 0; g < planesOf(channels); g++) {
    const sums = [0, 0, 0], squares = [0, 0, 0];
    for (let c = 0; c < Math.min(3, channels - 3 * g); c++) {
      let sum = 0, square = 0;
      for (let i = g * plane + c; i < (g + 1) * plane; i += 4) {
        const level = data[i];
        sum += level;
        square += level * level;
      }
      [sums[c], squares[c]] = [sum, square];
      const n = BigInt(pixels), s = BigInt(sum);
      moments.mean.push(sum / pixels);
      moments.variance.push(Number(n * BigInt(square) - s * s) / (pixels * pixels));
    }
  }
  return moments;
}

/**
 * Of many pictures, each with the same weight however large it is: the mean of the means; the mean of the
 * variances within, and the variance of the means.
 *
 * Sums run in the order of the pictures.
 */
export function combine(all: readonly Moments[]): Moments {
  const average = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const mean = all[0].mean.map((_, c) => average(all.map((one) => one.mean[c])));
  const variance = mean.map((m, c) =>
    average(all.map((one) => one.variance[c])) + average(all.map((one) => (one.mean[c] - m) ** 2))
  );
  return { mean, variance };
}
