import assert from "node:assert/strict";
import { rope, ropeTable } from "../../lib/ops.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

/** DINOv3's rotate-half over whole vectors of sines and cosines, as its code writes it. */
function rotated(
  qkv: Float64Array,
  { tokens, dim, headDim, rows, cols, base = 100 }: Shape,
): Float64Array {
  const out = qkv.slice(), quarter = headDim / 4, half = headDim / 2;
  const prefix = tokens - rows * cols;
  for (let at = 0; at < qkv.length; at++) {
    const token = Math.floor(at / (3 * dim)) % tokens, column = at % (3 * dim);
    if (token < prefix || column >= 2 * dim) continue;
    const p = token - prefix, j = column % headDim;
    const places = [(Math.floor(p / cols) + 0.5) / rows, (p % cols + 0.5) / cols];
    const angles = places.flatMap((place) =>
      Array.from(
        { length: quarter },
        (_, i) => 2 * Math.PI * (2 * place - 1) / base ** (2 * i / half),
      )
    );
    const angle = angles[j % half];
    const other = j < half ? -qkv[at + half] : qkv[at - half];
    out[at] = qkv[at] * Math.cos(angle) + other * Math.sin(angle);
  }
  return out;
}

interface Shape {
  batch: number;
  tokens: number;
  dim: number;
  headDim: number;
  rows: number;
  cols: number;
  base?: number;
}

const SHAPES: Shape[] = [
  { batch: 1, tokens: 1, dim: 4, headDim: 4, rows: 1, cols: 1 },
  { batch: 2, tokens: 6, dim: 12, headDim: 12, rows: 2, cols: 3 },
  { batch: 3, tokens: 12, dim: 16, headDim: 8, rows: 3, cols: 1, base: 7 },
  { batch: 2, tokens: 20, dim: 24, headDim: 4, rows: 3, cols: 5 },
];

for (const shape of SHAPES) {
  const { batch, tokens, dim, headDim, rows, cols, base = 100 } = shape;
  const name = `${rows} × ${cols} of ${tokens} tokens, D ${dim}, heads of ${headDim}`;
  gpuTest(`rope() equals f64 and turns back: ${name}`, async (gpu) => {
    const dims = [batch, tokens, 3 * dim];
    const n = dims.reduce((a, b) => a * b), x = normals(n, 1), dy = normals(n, 2);
    const [y, back, dx] = await values(gpu, () => {
      const table = ropeTable(gpu, [rows, cols], headDim, base);
      const turned = [x, x, dy].map((t) => gpu.tensor(t, dims));
      for (const t of turned.slice(0, 2)) rope(gpu, t, table);
      for (const t of turned.slice(1)) rope(gpu, t, table, true);
      return turned;
    });
    const reference = (x: Float64Array) => rotated(x, shape);
    assertClose(y, reference(Float64Array.from(x)), 1e-6, "y");
    assertClose(back, x, 1e-6, "back again");
    assertGradient(dx, reference, [x], 0, dy, 2e-6, "the inverse is the gradient");
    // Values, and tokens before the patches, keep their bits.
    x.forEach((v, i) => {
      const token = Math.floor(i / (3 * dim)) % tokens;
      if (token < tokens - rows * cols || i % (3 * dim) >= 2 * dim) assert.equal(y[i], v);
    });
  });
}

gpuTest("rope() refuses heads and grids that do not fit", (gpu) => {
  gpu.scope(() => {
    assert.throws(() => ropeTable(gpu, [2, 2], 6, 100), /a multiple of 4 dimensions but found 6/);
    const table = ropeTable(gpu, [2, 2], 8, 100);
    for (const shape of [[1, 5, 36], [1, 3, 24], [5, 24]]) {
      assert.throws(
        () => rope(gpu, gpu.empty(shape), table),
        /expected qkv \[B, N, 3·D\] of 2 × 2/,
      );
    }
    return [];
  });
});
