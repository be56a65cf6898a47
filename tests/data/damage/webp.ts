/** Damaged and hostile WebP. */
import { concat } from "../support.ts";
import { animated, type Damage, edit, find, insert, lossless, lossy, text } from "./files.ts";

export function webpDamage(): Damage[] {
  const anmf = find(animated, "ANMF") + 8;
  const noFrames = [anmf - 8, find(animated.subarray(anmf), "ANMF") + anmf].reduce<Uint8Array>(
    (file, at) => edit(file, at, [...text("JUNK")]),
    animated,
  );
  const odd = (file: Uint8Array, at: number, bit: number) => edit(file, at, [file[at] ^ bit]);
  const x = (canvas: Uint8Array, width: number) => {
    const head = concat([
      text("VP8X"),
      Uint8Array.of(10, 0, 0, 0, 0, 0, 0, 0, width - 1, 0, 0, 16, 0, 0),
    ]);
    return edit(insert(canvas, 12, head), 4, [canvas.length + 10 & 255, canvas.length + 10 >> 8]);
  };
  return [
    ["WebP: canvas as large as its picture", x(lossy, 21), lossy],
    ["WebP: canvas of another size", x(lossy, 22), /its picture is 21 × 17 but should be 22 × 17/],
    ["WebP: canvas of another size, lossless", x(lossless, 20), /21 × 17 but should be 20 × 17/],
    ["WebP: canvas of 2^24 × 2^24", edit(animated, 24, Array(6).fill(255)), /more than the limit/],
    [
      "WebP: frame outside the canvas",
      edit(animated, anmf, [1]),
      /first frame, 21 × 17 at \(2, 0\), leaves the canvas of 21 × 17/,
    ],
    [
      "WebP: frame larger than the canvas",
      edit(animated, anmf + 6, [255]),
      /first frame, 256 × 17/,
    ],
    [
      "WebP: frame of another size than its picture",
      edit(animated, anmf + 6, [9]),
      /its first frame is 21 × 17 but should be 10/,
    ],
    ["WebP: animation without frames", noFrames, /an animation without frames/],
    ["WebP: unknown chunk first", edit(lossy, 12, [...text("ABCD")]), /first but found "ABCD"/],
    [
      "WebP: VP8X and nothing else",
      edit(x(lossy, 21), 30, [...text("ABCD")]),
      /no picture \(no VP8/,
    ],
    ["WebP: wrong start code", edit(lossy, 23, [0]), /VP8 data do not start as they should/],
    ["WebP: size 0", edit(lossy, 26, [0, 0]), /its size is 0 × 17/],
    ["WebP: length 0", edit(lossy, 4, [0, 0, 0, 0]), /it states a length of 8 bytes/],
    ["WebP: a flipped bit, lossy", odd(lossy, lossy.length - 90, 4), undefined],
    ["WebP: a flipped bit, lossless", odd(lossless, lossless.length >> 1, 4), undefined],
    ["WebP: garbage after its end", concat([lossy, new Uint8Array(999).fill(88)]), lossy],
  ];
}
