/**
 * Pictures that behave like photographs: brightness whose spectrum falls as 1/f, soft colours, objects with
 * hard edges, and the grain of a sensor.
 *
 * @module
 */
import type { Picture } from "../lib/data/image.ts";
import { Rng } from "../lib/rng.ts";

/** Largest and smallest cell of the brightness in pixels; its octaves lie between. */
const COARSEST = 256, FINEST = 2;

/** Shapes in a picture. */
const OBJECTS = 8;

/** One picture, the same for the same numbers. */
export function photo(width: number, height: number, seed: number): Picture {
  const rng = new Rng(0x70686f74, seed);
  const field = new Float32Array(width * height);
  for (let cell = COARSEST; cell >= FINEST; cell /= 2) {
    addNoise(field, width, height, cell, 110 * cell / COARSEST + 16, rng);
  }
  const tints = [0, 1, 2].map(() => {
    const tint = new Float32Array(width * height);
    for (const cell of [128, 64]) addNoise(tint, width, height, cell, cell / 3, rng);
    return tint;
  });
  const data = new Uint8Array(4 * width * height);
  for (let i = 0; i < field.length; i++) {
    const grain = 12 * (rng.uniform() - 0.5);
    tints.forEach((tint, c) => data[4 * i + c] = level(118 + field[i] + tint[i] + grain));
    data[4 * i + 3] = 255;
  }
  for (let i = 0; i < OBJECTS; i++) addObject(data, width, height, rng);
  return { width, height, data };
}

const level = (x: number) => Math.max(0, Math.min(255, Math.round(x)));

/** Adds ± amplitude / 2 of bilinear value noise. */
function addNoise(
  field: Float32Array,
  width: number,
  height: number,
  cell: number,
  amplitude: number,
  rng: Rng,
): void {
  const columns = Math.ceil(width / cell) + 1, rows = Math.ceil(height / cell) + 1;
  const corner = Float32Array.from({ length: columns * rows }, () => rng.uniform() - 0.5);
  for (let y = 0, i = 0; y < height; y++) {
    const row = Math.floor(y / cell), v = y / cell - row;
    for (let x = 0; x < width; x++, i++) {
      const column = Math.floor(x / cell), u = x / cell - column;
      const at = row * columns + column;
      const upper = corner[at] + u * (corner[at + 1] - corner[at]);
      const lower = corner[at + columns] + u * (corner[at + columns + 1] - corner[at + columns]);
      field[i] += amplitude * (upper + v * (lower - upper));
    }
  }
}

/** An ellipse or a rectangle of one colour, through which a quarter of what lies behind can be seen. */
function addObject(data: Uint8Array, width: number, height: number, rng: Rng): void {
  const round = rng.bernoulli(0.5);
  const [x, y] = [rng.uniform(0, width), rng.uniform(0, height)];
  const [a, b] = [rng.uniform(8, width / 5), rng.uniform(8, height / 5)];
  const color = [rng.int(256), rng.int(256), rng.int(256)];
  for (let j = Math.max(0, Math.ceil(y - b)); j < Math.min(height, y + b); j++) {
    for (let i = Math.max(0, Math.ceil(x - a)); i < Math.min(width, x + a); i++) {
      if (round && ((i - x) / a) ** 2 + ((j - y) / b) ** 2 > 1) continue;
      const at = 4 * (j * width + i);
      for (let c = 0; c < 3; c++) data[at + c] = level(0.25 * data[at + c] + 0.75 * color[c]);
    }
  }
}
