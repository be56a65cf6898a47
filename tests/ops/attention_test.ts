import assert from "node:assert/strict";
import { type Gpu, openGpu } from "../../lib/gpu.ts";
import { attention, type AttentionVariant } from "../../lib/ops/attention.ts";
import { assertGradient } from "../support/gradients.ts";
import { asGpu, gpuTest } from "../support/gpu.ts";
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

function run(
  gpu: Gpu,
  qkv: Float32Array,
  dy: Float32Array,
  size: Size,
  variant: AttentionVariant | undefined,
) {
  const { batch, tokens, heads, headDim } = size;
  return values(gpu, () => {
    const x = gpu.tensor(qkv, [batch, tokens, 3 * heads * headDim]);
    const { y, map, backward } = attention(gpu, x, heads, { variant });
    return [y, map(), backward(gpu.tensor(dy, y.shape))];
  });
}

/** What this adapter can run: lanes broadcast whole vec4s. */
function variantsOf(gpu: Gpu, headDim: number): AttentionVariant[] {
  const broadcast = gpu.subgroupSize >= 8 && headDim % 4 === 0;
  const all: AttentionVariant[] = ["plain", "tiled4", "tiled8"];
  return broadcast ? [...all, "subgroup"] : all;
}

// [batch, tokens, heads, headDim]: whole vec4s and odd head sizes; tokens around 8 and 16, which lanes share, and more
// than a workgroup or what it stages; 1 to 3 queries per lane, which meet others one by one or in pairs, of odd and
// even numbers of tokens.
const SIZES: [number, number, number, number][] = [
  [2, 1, 3, 4],
  [1, 197, 2, 4],
  [2, 5, 3, 9],
  [1, 7, 1, 14],
  [3, 67, 1, 14],
  [2, 8, 2, 1],
  [1, 9, 3, 6],
  [2, 9, 3, 16],
  [2, 16, 2, 32],
  [2, 17, 3, 64],
  [2, 37, 2, 32],
  [1, 50, 1, 48],
  [1, 65, 2, 64],
  [2, 8, 1, 100],
  [1, 65, 1, 128],
];
for (const [batch, tokens, heads, headDim] of SIZES) {
  const size = { batch, tokens, heads, headDim };
  gpuTest(
    `attention() equals f64, forward and backward, for ${JSON.stringify(size)}`,
    async (gpu) => {
      const dim = heads * headDim;
      const qkv = normals(batch * tokens * 3 * dim, 1), dy = normals(batch * tokens * dim, 2);
      const expected = reference(qkv, size);
      for (const variant of variantsOf(gpu, headDim)) {
        const [y, map, dqkv] = await run(gpu, qkv, dy, size, variant);
        assertClose(y, expected.y, 2e-6, `y, ${variant}`);
        assertClose(map, expected.map, 3e-6, `map, ${variant}`);
        assertGradient(dqkv, (x) => reference(x, size).y, [qkv], 0, dy, 3e-6, variant);
      }
    },
  );
}

for (const headDim of [8, 9]) {
  gpuTest(
    `attention() averages the values when all keys are equal, head size ${headDim}`,
    async (gpu) => {
      const size = { batch: 1, tokens: 7, heads: 1, headDim };
      for (const variant of variantsOf(gpu, headDim)) {
        for (const scale of [0, 1e-30, 1]) {
          const qkv = normals(7 * 3 * headDim, 3);
          qkv.forEach((v, i) => {
            const part = Math.floor(i / headDim) % 3;
            if (part === 0) qkv[i] = scale * v;
            if (part === 1) qkv[i] = scale * Math.fround(qkv[headDim + i % headDim]);
          });
          const [y, map] = await run(gpu, qkv, normals(7 * headDim, 4), size, variant);
          assertClose(map, map.map(() => 1 / 7), 1e-6, `map, ${scale}, ${variant}`);
          assertClose(y, reference(qkv, size).y, 2e-6, `y, ${scale}, ${variant}`);
        }
      }
    },
  );
}

for (const headDim of [4, 14, 64]) {
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
      const expected = reference(qkv, size);
      assertClose(
        expected.map,
        expected.map.map((_, i) => i % 3 === pick(Math.floor(i / 3)) ? 1 : 0),
        0,
      );
      for (const variant of variantsOf(gpu, headDim)) {
        const [y, map, dqkv] = await run(gpu, qkv, dy, size, variant);
        assertClose(map, expected.map, 1e-6, `map, ${variant}`);
        assertClose(y, expected.y, 1e-6, `y, ${variant}`);
        // dv is dy of the token that asked. dq and dk are 0 · (dy · v − delta), of rounding at 1e4.
        for (let i = 0; i < 3; i++) {
          const dv = dqkv.subarray((pick(i) * 3 + 2) * headDim, (pick(i) * 3 + 3) * headDim);
          const what = `dv of ${pick(i)}, ${variant}`;
          assertClose(dv, dy.subarray(i * headDim, (i + 1) * headDim), 1e-6, what);
        }
        assert.ok(dqkv.every(Number.isFinite), `a gradient of ${variant} is not finite`);
      }
    },
  );
}

gpuTest("attention() gives finite gradients when many scores are huge", async (gpu) => {
  // Of 65 tokens every query has another winner by thousands: only equal scores in all kernels give p = 1.
  const size = { batch: 1, tokens: 65, heads: 2, headDim: 64 };
  const qkv = normals(65 * 3 * 128, 7, 300), dy = normals(65 * 128, 8);
  const expected = reference(qkv, size);
  const dv = new Float64Array(65 * 128);
  for (let h = 0; h < 2; h++) {
    for (let i = 0; i < 65; i++) {
      for (let j = 0; j < 65; j++) {
        const p = expected.map[(h * 65 + i) * 65 + j];
        for (let d = h * 64; d < h * 64 + 64; d++) dv[j * 128 + d] += p * dy[i * 128 + d];
      }
    }
  }
  for (const variant of variantsOf(gpu, 64)) {
    const [y, map, dqkv] = await run(gpu, qkv, dy, size, variant);
    assertClose(map, expected.map, 1e-6, `map, ${variant}`);
    assertClose(y, expected.y, 1e-6, `y, ${variant}`);
    assertClose(
      dv.map((_, i) => dqkv[(Math.floor(i / 128) * 3 + 2) * 128 + i % 128]),
      dv,
      1e-6,
      `dv, ${variant}`,
    );
    assert.ok(dqkv.every(Number.isFinite), `a gradient of ${variant} is not finite`);
  }
});

gpuTest("attention() on a GPU takes its tiles: its profile, forced here", async () => {
  const gpu = await openGpu({ limits: "portable" });
  const size = { batch: 2, tokens: 37, heads: 2, headDim: 64 };
  const qkv = normals(2 * 37 * 3 * 128, 11), dy = normals(2 * 37 * 128, 12);
  const expected = await run(gpu, qkv, dy, size, "tiled4");
  const found = await asGpu(gpu, () => run(gpu, qkv, dy, size, undefined));
  assert.deepEqual(found, expected);
  assertClose(found[0], reference(qkv, size).y, 2e-6, "y");
  assertGradient(found[2], (x) => reference(x, size).y, [qkv], 0, dy, 3e-6);
  gpu.destroy();
});

gpuTest("attention() keeps to the limits and features that every adapter has", async () => {
  const gpu = await openGpu({ limits: "portable" });
  const size = { batch: 1, tokens: 33, heads: 1, headDim: 64 };
  const qkv = normals(33 * 3 * 64, 9);
  const expected = reference(qkv, size);
  for (const variant of [undefined, "plain", "tiled4", "tiled8"] as const) {
    const [y] = await run(gpu, qkv, normals(33 * 64, 10), size, variant);
    assertClose(y, expected.y, 2e-6, `y, ${variant}`);
  }
  gpu.destroy();
});

gpuTest("attention() refuses a variant that does not run here", (gpu) => {
  const a = gpu.empty([1, 2, 3 * 6], "a");
  assert.throws(
    () => attention(gpu, a, 1, { variant: "subgroup" }),
    /multiple of 4 .* but found \d+ and 6/,
  );
  a.destroy();
});

gpuTest("attention() refuses heads that do not divide the width, or are too wide", (gpu) => {
  const [a, b] = [gpu.empty([1, 2, 15], "a"), gpu.empty([1, 2, 3 * 132], "b")];
  assert.throws(() => attention(gpu, a, 2), /a multiple of 2 heads .* but found a\[1, 2, 15\]/);
  assert.throws(() => attention(gpu, b, 1), /at most 128 dimensions but found b\[1, 2, 396\]/);
  a.destroy();
  b.destroy();
});
