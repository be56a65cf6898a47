/**
 * Random pictures of the kinds that augmentation meets, and of those that break it.
 *
 * @module
 */
import type { Rng } from "../../lib/rng.ts";
import type { Levels } from "../../lib/prove/levels.ts";

/** A level for every place and channel. */
type Maker = (rng: Rng, height: number, width: number, channels: number) => Level;
type Level = (y: number, x: number, channel: number) => number;

const mix = (a: number, b: number, t: number) => a + (b - a) * t;

/** Value noise: random levels at the corners of cells, cubic in between. */
function waves(rng: Rng, height: number, width: number, channels: number, cell: number): Level {
  const columns = Math.ceil(width / cell) + 2, rows = Math.ceil(height / cell) + 2;
  const corners = Float64Array.from({ length: rows * columns * channels }, () => rng.uniform());
  return (y, x, c) => {
    const [i, j] = [Math.floor(y / cell), Math.floor(x / cell)];
    const [v, u] = [y / cell - i, x / cell - j].map((t) => t * t * (3 - 2 * t));
    const at = (i: number, j: number) => corners[(i * columns + j) * channels + c];
    return mix(mix(at(i, j), at(i, j + 1), u), mix(at(i + 1, j), at(i + 1, j + 1), u), v);
  };
}

/** Light, texture on several scales, objects with hard edges, and the grain of a sensor. */
const photo: Maker = (rng, height, width, channels) => {
  const side = Math.max(height, width);
  const light = waves(rng, height, width, channels, side / 2);
  const texture = [8, 4, 2].map((cell) => waves(rng, height, width, 1, cell));
  const objects = Array.from({ length: 4 }, () => ({
    y: rng.uniform(0, height),
    x: rng.uniform(0, width),
    r: rng.uniform(side / 16, side / 4),
    color: Array.from({ length: channels }, () => rng.uniform()),
  }));
  return (y, x, c) => {
    let level = light(y, x, c);
    for (const o of objects) {
      if ((y - o.y) ** 2 + (x - o.x) ** 2 < o.r ** 2) level = mix(level, o.color[c], 0.8);
    }
    texture.forEach((wave, i) => level += (wave(y, x, 0) - 0.5) * 0.2 / (i + 1));
    return 255 * level + rng.uniform(-3, 3);
  };
};

/** Kinds of pictures by name. */
const MAKERS: Record<string, Maker> = {
  noise: (rng) => () => rng.int(256),
  smooth: (rng, height, width, channels) => {
    const wave = waves(rng, height, width, channels, Math.max(height, width) / 3);
    return (y, x, c) => 255 * wave(y, x, c);
  },
  photo,
  flat: (rng, _height, _width, channels) => {
    const color = Array.from({ length: channels }, () => rng.int(256));
    return (_y, _x, c) => color[c];
  },
  extreme: (rng) => () => 255 * rng.int(2), // pure colours, black and white
};

/** Names of the kinds. */
export const KINDS: readonly string[] = Object.keys(MAKERS);

/** A picture of a kind. */
export function picture(
  kind: string,
  rng: Rng,
  height: number,
  width: number,
  channels = 3,
): Levels {
  const level = MAKERS[kind](rng, height, width, channels);
  const data = new Uint8Array(height * width * channels);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        data[i++] = Math.min(255, Math.max(0, Math.round(level(y, x, c))));
      }
    }
  }
  return { height, width, channels, data };
}
