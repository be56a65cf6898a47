import assert from "node:assert/strict";
import type { Gpu } from "../../lib/gpu/mod.ts";
import { attention } from "../../lib/ops/attention.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

interface Size {
  batch: number;
  tokens: number;
  heads: number;
  headDim: number;
}

/** y [B, N, D] and probabilities [B, heads, N, N] from qkv [B, N, 3, heads, headDim]. */
function reference(qkv: ArrayLike<number>, { batch, tokens, heads, headDim }: Size) {
  const dim = heads * headDim;
  const y = new Float64Array(batch * tokens * dim);
  const map = new Float64Array(batch * heads * tokens * tokens);
  const at = (b: number, token: number, part: number, h: number) =>
    ((b * tokens + token) * 3 + part) * dim + h * headDim;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < tokens; i++) {
        const first = ((b * heads + h) * tokens + i) * tokens;
        const row = map.subarray(first, first + tokens);
        for (let j = 0; j < tokens; j++) {
          const [q, k] = [at(b, i, 0, h), at(b, j, 1, h)];
          for (let d = 0; d < headDim; d++) row[j] += qkv[q + d] * qkv[k + d];
          row[j] /= Math.sqrt(headDim);
        }
        const top = Math.max(...row);
        const total = row.reduce((sum, s) => sum + Math.exp(s - top), 0);
        for (let j = 0; j < tokens; j++) {
          row[j] = Math.exp(row[j] - top) / total;
          const v = at(b, j, 2, h);
          const out = (b * tokens + i) * dim + h * headDim;
          for (let d = 0; d < headDim; d++) y[out + d] += row[j] * qkv[v + d];
        }
      }
    }
  }
  return { y, map };
}

function run(gpu: Gpu, qkv: Float32Array, dy: Float32Array, size: Size) {
  const { batch, tokens, heads, headDim } = size;
  return values(gpu, () => {
    const x = gpu.tensor(qkv, [batch, tokens, 3 * heads * headDim]);
    const { y, map, backward } = attention(gpu, x, heads);
    return [y, map(), backward(gpu.tensor(dy, y.shape))];
  });
}

// Whole vec4s and odd head sizes, one token, more tokens and queries than a workgroup.
const SIZES: [number, number, number, number][] = [
  [2, 1, 3, 4],
  [1, 197, 2, 4],
  [2, 5, 3, 9],
  [1, 7, 1, 14],
  [3, 67, 1, 14],
];
for (const [batch, tokens, heads, headDim] of SIZES) {
  const size = { batch, tokens, heads, headDim };
  gpuTest(
    `attention() equals f64, forward and backward, for ${JSON.stringify(size)}`,
    async (gpu) => {
      const dim = heads * headDim;
      const qkv = normals(batch * tokens * 3 * dim, 1), dy = normals(batch * tokens * dim, 2);
      const [y, map, dqkv] = await run(gpu, qkv, dy, size);
      const expected = reference(qkv, size);
      assertClose(y, expected.y, 2e-6, "y");
      assertClose(map, expected.map, 3e-6, "map");
      assertGradient(dqkv, (x) => reference(x, size).y, [qkv], 0, dy, 3e-6);
    },
  );
}

gpuTest("attention() averages the values when all keys are equal", async (gpu) => {
  const size = { batch: 1, tokens: 7, heads: 1, headDim: 9 };
  for (const scale of [0, 1e-30, 1]) {
    const qkv = normals(7 * 27, 3);
    qkv.forEach((v, i) => {
      const part = Math.floor(i / 9) % 3;
      if (part === 0) qkv[i] = scale * v;
      if (part === 1) qkv[i] = scale * Math.fround(qkv[9 + i % 9]);
    });
    const [y, map] = await run(gpu, qkv, normals(63, 4), size);
    assertClose(map, map.map(() => 1 / 7), 1e-6, `map, ${scale}`);
    assertClose(y, reference(qkv, size).y, 2e-6, `y, ${scale}`);
  }
});

for (const headDim of [4, 14]) {
  gpuTest(
    `attention() picks one value when scores are huge, head size ${headDim}`,
    async (gpu) => {
      // Token i asks for token (i + 1) mod 3 alone, by 1e4 · 1e4: p is 1 there and 0 elsewhere.
      const size = { batch: 1, tokens: 3, heads: 1, headDim };
      const qkv = normals(3 * 3 * headDim, 5, 1e4), dy = normals(3 * headDim, 6);
      const pick = (i: number) => (i + 1) % 3;
      for (let i = 0; i < 3; i++) {
        for (let d = 0; d < headDim; d++) {
          const key = Math.fround((d % 3 === i ? 1e4 : -1e4) + d * 1.1);
          qkv[(i * 3 + 1) * headDim + d] = key;
        }
      }
      for (let i = 0; i < 3; i++) {
        for (let d = 0; d < headDim; d++) {
          qkv[i * 3 * headDim + d] = qkv[(pick(i) * 3 + 1) * headDim + d] * (1 + 0.01 * d);
        }
      }
      const [y, map, dqkv] = await run(gpu, qkv, dy, size);
      const expected = reference(qkv, size);
      assertClose(expected.map, map.map((_, i) => i % 3 === pick(Math.floor(i / 3)) ? 1 : 0), 0);
      assertClose(map, expected.map, 1e-6, "map");
      assertClose(y, expected.y, 1e-6, "y");
      // dv is dy of the token that asked. dq and dk are 0 · (dy · v − delta), of rounding at 1e4.
      for (let i = 0; i < 3; i++) {
        const dv = dqkv.subarray((pick(i) * 3 + 2) * headDim, (pick(i) * 3 + 3) * headDim);
        assertClose(dv, dy.subarray(i * headDim, (i + 1) * headDim), 1e-6, `dv of ${pick(i)}`);
      }
      assert.ok(dqkv.every(Number.isFinite), "a gradient is not finite");
    },
  );
}

gpuTest("attention() refuses heads that do not divide the width, or are too wide", (gpu) => {
  const [a, b] = [gpu.empty([1, 2, 15], "a"), gpu.empty([1, 2, 3 * 132], "b")];
  assert.throws(() => attention(gpu, a, 2), /a multiple of 2 heads .* but found a\[1, 2, 15\]/);
  assert.throws(() => attention(gpu, b, 1), /at most 128 dimensions but found b\[1, 2, 396\]/);
  a.destroy();
  b.destroy();
});
