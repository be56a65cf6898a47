/** Sound files of every format, and how to change them. */
import { concat, png } from "../support.ts";
import gif from "../fixtures/pictures/gif_animated.gif" with { type: "bytes" };
import jpeg from "../fixtures/pictures/jpeg_420.jpg" with { type: "bytes" };
import progressive from "../fixtures/pictures/jpeg_progressive_420.jpg" with { type: "bytes" };
import animated from "../fixtures/pictures/webp_animated_lossy.webp" with { type: "bytes" };
import lossless from "../fixtures/pictures/webp_lossless.webp" with { type: "bytes" };
import lossy from "../fixtures/pictures/webp_lossy.webp" with { type: "bytes" };

/** What should come of a file: the picture of a sound one, a reason, or `undefined` for either of any content. */
export type Outcome = Uint8Array | RegExp | undefined;

/** A kind of damage. */
export type Damage = [kind: string, file: Uint8Array, outcome: Outcome];

/** Bytes of a text of latin-1. */
export const text = (s: string) => Uint8Array.from(s, (c) => c.charCodeAt(0));

/** The file with other bytes at a place. */
export function edit(file: Uint8Array, at: number, bytes: number[]): Uint8Array {
  const out = file.slice();
  out.set(bytes, at);
  return out;
}

/** Where a text of latin-1 starts. */
export function find(file: Uint8Array, what: string): number {
  const at = String.fromCharCode(...file).indexOf(what);
  if (at < 0) throw new Error(`no ${JSON.stringify(what)} in this file`);
  return at;
}

/** The file without a range. */
export function cut(file: Uint8Array, from: number, to: number): Uint8Array {
  return concat([file.subarray(0, from), file.subarray(to)]);
}

/** The file with something put in at a place. */
export function insert(file: Uint8Array, at: number, bytes: Uint8Array): Uint8Array {
  return concat([file.subarray(0, at), bytes, file.subarray(at)]);
}

const noise = (x: number, y: number, c: number) => (x * y * (c + 7) + 31 * x) & 255;
/** An RGB PNG that hardly compresses. */
export const good = png({ width: 40, height: 40, sample: noise });
/** A PNG of two colours. */
export const paletted = png({
  width: 8,
  height: 8,
  colour: 3,
  palette: [1, 2, 3, 200, 100, 0],
  sample: (x, y) => (x + y) & 1,
});

export { animated, gif, jpeg, lossless, lossy, progressive };

/** All of them. */
export const SOUND: Uint8Array[] = [
  good,
  paletted,
  jpeg,
  progressive,
  gif,
  lossy,
  lossless,
  animated,
];
