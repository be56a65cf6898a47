import assert from "node:assert/strict";
import { posEmbed, type PosInterp, resampleMatrix } from "../../lib/ops/pos_embed.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { doubled, values } from "../support/ops.ts";

Deno.test("resampleMatrix() equals cubic weights worked out by hand", () => {
  // Halving four samples reads at 0.5 and 2.5. At t = 1/2 with a = −3/4 the four weights are
  // a/8, 1/2 − a/8, 1/2 − a/8, a/8; samples beyond the edges repeat the last ones.
  const [outer, inner] = [-0.09375, 0.59375];
  const expected = [outer + inner, inner, outer, 0, 0, outer, inner, inner + outer];
  assertClose(resampleMatrix(4, 2, "size"), expected, 1e-15);
});

Deno.test("resampleMatrix() is the identity at equal size, with step 1", () => {
  for (const n of [1, 2, 5]) {
    const identity = Array.from({ length: n * n }, (_, i) => i % (n + 1) === 0 ? 1 : 0);
    assertClose(resampleMatrix(n, n, "size"), identity, 0);
  }
});

Deno.test("resampleMatrix() has rows that sum to 1, four taps at most, in both modes", () => {
  for (const mode of ["offset", "size"] as const) {
    for (const [from, to] of [[1, 1], [1, 7], [7, 1], [14, 6], [6, 14], [5, 3]]) {
      const m = resampleMatrix(from, to, mode);
      for (let o = 0; o < to; o++) {
        const row = m.subarray(o * from, (o + 1) * from);
        assertClose([row.reduce((a, b) => a + b)], [1], 1e-14, `${from} → ${to}, ${mode}`);
        assert.ok(row.filter((v) => v !== 0).length <= 4);
      }
    }
  }
});

Deno.test("resampleMatrix() in offset mode samples with step grid / (n + 0.1)", () => {
  // Output 1 of 8 → 4 reads at 1.5 · 8 / 4.1 − 0.5 = 2 + t: between samples 2 and 3.
  const t = 1.5 * 8 / 4.1 - 2.5, a = -0.75;
  const near = (s: number) => (a + 2) * s ** 3 - (a + 3) * s ** 2 + 1;
  const far = (s: number) => a * s ** 3 - 5 * a * s ** 2 + 8 * a * s - 4 * a;
  const expected = [0, far(1 + t), near(t), near(1 - t), far(2 - t), 0, 0, 0];
  assertClose(resampleMatrix(8, 4, "offset").subarray(8, 16), expected, 1e-14);
});

Deno.test("resampleMatrix() with antialiasing equals weights worked out by hand", () => {
  // Halving four samples: the kernel is twice as wide, a = −1/2, and its centre 1 from the first edge; the taps lie at
  // 1/4, 1/4, 3/4 and 5/4 of its unit.
  const a = -0.5;
  const near = (s: number) => (a + 2) * s ** 3 - (a + 3) * s ** 2 + 1;
  const far = (s: number) => a * s ** 3 - 5 * a * s ** 2 + 8 * a * s - 4 * a;
  const taps = [near(0.25), near(0.25), near(0.75), far(1.25)];
  const sum = taps.reduce((x, y) => x + y);
  const expected = taps.map((v) => v / sum);
  assertClose(
    resampleMatrix(4, 2, "antialias"),
    [...expected, ...expected.toReversed()],
    1e-15,
  );
  // Doubling three: as wide as ever, over the samples that there are. Output 0 lies at 1/4, and the samples at 1/2, 3/2, 5/2.
  const [first, second] = [near(0.25), far(1.25)];
  const row = [first, second, 0].map((v) => v / (first + second));
  assertClose(resampleMatrix(3, 6, "antialias").subarray(0, 3), row, 1e-15);
});

Deno.test("resampleMatrix() with antialiasing has rows that sum to 1, and takes what it stands for", () => {
  for (const mode of ["antialias", "offset_antialias"] as const) {
    for (const [from, to] of [[1, 1], [1, 7], [7, 1], [37, 16], [16, 37], [5, 3]]) {
      const m = resampleMatrix(from, to, mode), wide = Math.max(1, from / to);
      for (let o = 0; o < to; o++) {
        const row = m.subarray(o * from, (o + 1) * from);
        assertClose([row.reduce((a, b) => a + b)], [1], 1e-14, `${from} → ${to}, ${mode}`);
        assert.ok(row.filter((v) => v !== 0).length <= 4 * wide + 1);
      }
    }
  }
  assertClose(resampleMatrix(5, 5, "antialias"), resampleMatrix(5, 5, "size"), 1e-15);
  assert.notDeepEqual(resampleMatrix(8, 4, "antialias"), resampleMatrix(8, 4, "size"));
});

/** pos [classes + grid², D] to a rows × cols grid, axis by axis. */
function reference(
  pos: Float64Array,
  dim: number,
  [grid, rows, cols]: [number, number, number],
  mode: PosInterp,
  classes: 0 | 1,
): Float64Array {
  const [wy, wx] = [resampleMatrix(grid, rows, mode), resampleMatrix(grid, cols, mode)];
  const y = new Float64Array((classes + rows * cols) * dim);
  y.set(pos.subarray(0, classes * dim));
  for (let i = classes * dim; i < y.length; i++) {
    const [d, token] = [i % dim, Math.floor(i / dim) - classes];
    const [r, c] = [Math.floor(token / cols), token % cols];
    for (let p = 0; p < grid; p++) {
      for (let q = 0; q < grid; q++) {
        y[i] += wy[r * grid + p] * wx[c * grid + q] * pos[(classes + p * grid + q) * dim + d];
      }
    }
  }
  return y;
}

// dim, then grid → rows × cols; the last keeps its grid and copies nothing.
const CASES: [number, [number, number, number], PosInterp, (0 | 1)?][] = [
  [1, [1, 3, 2], "offset"],
  [5, [4, 2, 3], "offset"],
  [3, [3, 5, 1], "size"],
  [5, [3, 3, 3], "offset"],
  [5, [4, 2, 3], "antialias"],
  [3, [5, 2, 7], "offset_antialias", 0],
  [4, [3, 3, 3], "size", 0],
];
for (const [dim, grids, mode, classes = 1] of CASES) {
  const [grid, rows, cols] = grids;
  gpuTest(
    `posEmbed() equals f64, forward and backward: ${dim} × ${grids} by ${mode}, ${classes} before`,
    async (gpu) => {
      const [from, to] = [classes + grid * grid, classes + rows * cols];
      const x = normals(from * dim, 1), dy = normals(to * dim, 2);
      const [y, dx] = await values(gpu, () => {
        const pos = { data: gpu.tensor(x, [1, from, dim]), grad: gpu.empty([1, from, dim]) };
        const { y, backward } = posEmbed(gpu, pos, rows, cols, mode, classes);
        assert.deepEqual(y.shape, [1, to, dim]);
        const gradient = gpu.tensor(dy, y.shape);
        backward(gradient);
        backward(gradient);
        posEmbed(gpu, { data: pos.data }, rows, cols, mode, classes).backward(gradient);
        return [y, pos.grad];
      });
      const keeps = rows === grid && cols === grid;
      const f = (x: Float64Array) => keeps ? x : reference(x, dim, grids, mode, classes);
      assertClose(y, f(Float64Array.from(x)), 2e-6, "y");
      assertGradient(dx, f, [x], 0, doubled(dy), 2e-6, "added up");
    },
  );
}

gpuTest("posEmbed() refuses positions that are not a square grid", (gpu) => {
  const data = gpu.empty([1, 6, 2], "pos");
  assert.throws(
    () => posEmbed(gpu, { data }, 2, 2),
    /1 \+ grid² positions but found pos\[1, 6, 2\]/,
  );
  data.destroy();
});
