/** Features of tokens in f64, for the op and for what reads with it. */
import type { Feature } from "../../lib/model.ts";

/** Whether the class token comes first, and cells down and across: written again, from the words' definition. */
const PARTS: Record<Feature, [classToken: boolean, cells: number]> = {
  "class": [true, 0],
  "mean": [false, 1],
  "quad": [false, 2],
  "grid": [false, 4],
  "class+mean": [true, 1],
};

/** Features of tokens [n, prefix + rows · cols, D] in f64; a patch belongs to a cell where they overlap at all. */
export function pooledF64(
  tokens: ArrayLike<number>,
  dim: number,
  [rows, cols]: readonly [number, number],
  feature: Feature,
  prefix = 1,
): number[] {
  const [classToken, cells] = PARTS[feature];
  const overlap = (i: number, m: number) =>
    Array.from({ length: m }, (_, p) => p).filter((p) =>
      (p + 1) * cells > i * m && p * cells < (i + 1) * m
    );
  const count = prefix + rows * cols;
  const out: number[] = [];
  for (let first = 0; first < tokens.length / dim; first += count) {
    const mean = (at: number[]) => {
      for (let d = 0; d < dim; d++) {
        out.push(at.reduce((sum, token) => sum + tokens[token * dim + d], 0) / at.length);
      }
    };
    if (classToken) mean([first]);
    for (let i = 0; i < cells; i++) {
      for (let j = 0; j < cells; j++) {
        mean(
          overlap(i, rows).flatMap((r) =>
            overlap(j, cols).map((c) => first + prefix + r * cols + c)
          ),
        );
      }
    }
  }
  return out;
}
