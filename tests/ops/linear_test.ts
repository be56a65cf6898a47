import assert from "node:assert/strict";
import { geluInput, linear } from "../../lib/ops/linear.ts";
import { erf } from "../../lib/prove/erf.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";
import { doubled, values } from "../support/ops.ts";

const gelu = (v: number) => 0.5 * v * (1 + erf(v * Math.SQRT1_2));

/** x · Wᵀ + b, W [b.length, in]. */
function reference(x: Float64Array, w: Float64Array, b: Float64Array): Float64Array {
  const [from, to] = [w.length / b.length, b.length];
  return matmulF64(x, w, [x.length / from, from, to], false, true).map((v, i) => v + b[i % to]);
}

// More rows than a chunk of the bias gradient; whole vec4s take the kernels that training takes.
for (const [rows, from, to] of [[1, 1, 1], [131, 5, 3], [5, 8, 12]]) {
  gpuTest(
    `linear() equals f64, forward and backward, at x [${rows}, ${from}], W [${to}, ${from}]`,
    async (gpu) => {
      const sizes = [rows * from, to * from, to, rows * to];
      const [x, w, b, dy] = sizes.map((n, i) => normals(n, i + 1));
      const [y, dx, dw, db] = await values(gpu, () => {
        const weight = { data: gpu.tensor(w, [to, from]), grad: gpu.empty([to, from]) };
        const bias = { data: gpu.tensor(b), grad: gpu.empty([to]) };
        const { y, pre, backward } = linear(gpu, gpu.tensor(x, [rows, from]), weight, bias);
        assert.equal(pre, undefined);
        const gradient = gpu.tensor(dy, [rows, to]);
        const dx = backward(gradient)!;
        assert.equal(backward(gradient, { input: false }), undefined);
        return [y, dx, weight.grad, bias.grad];
      });
      const inputs = [x, w, b];
      const [x64, w64, b64] = inputs.map((t) => Float64Array.from(t));
      assertClose(y, reference(x64, w64, b64), 2e-6, "y");
      assertGradient(dx, reference, inputs, 0, dy, 2e-6, "dx");
      assertGradient(dw, reference, inputs, 1, doubled(dy), 2e-6, "dw, added up");
      assertGradient(db, reference, inputs, 2, doubled(dy), 2e-6, "db, added up");
    },
  );
}

gpuTest("linear() twice, with GELU between and a residual around, equals f64", async (gpu) => {
  // As in a block of the ViT: y = x + W2 · gelu(W1 · x + b1) + b2.
  const [rows, dim, hidden] = [3, 5, 7];
  const sizes = [rows * dim, hidden * dim, hidden, dim * hidden, dim, rows * dim];
  const [x, w1, b1, w2, b2, dy] = sizes.map((n, i) => normals(n, i + 1));
  const [y, pre, dx, dw1, db1, dw2, db2] = await values(gpu, () => {
    const grad = (...shape: number[]) => gpu.empty(shape);
    const weight1 = { data: gpu.tensor(w1, [hidden, dim]), grad: grad(hidden, dim) };
    const weight2 = { data: gpu.tensor(w2, [dim, hidden]), grad: grad(dim, hidden) };
    const bias1 = { data: gpu.tensor(b1), grad: grad(hidden) };
    const bias2 = { data: gpu.tensor(b2), grad: grad(dim) };
    const input = gpu.tensor(x, [rows, dim]);
    const first = linear(gpu, input, weight1, bias1, { gelu: true });
    const second = linear(gpu, first.y, weight2, bias2, { residual: input });
    const d = second.backward(gpu.tensor(dy, [rows, dim]), { geluGradOf: first.pre });
    const grads = [weight1.grad, bias1.grad, weight2.grad, bias2.grad];
    return [second.y, first.pre!, first.backward(d!)!, ...grads];
  });
  const mlp = (...[x, w1, b1, w2, b2]: Float64Array[]) =>
    reference(reference(x, w1, b1).map(gelu), w2, b2).map((v, i) => v + x[i]);
  const inputs = [x, w1, b1, w2, b2];
  const f64 = inputs.map((t) => Float64Array.from(t));
  assertClose(pre, reference(f64[0], f64[1], f64[2]), 2e-6, "pre");
  assertClose(y, mlp(...f64), 2e-6, "y");
  // backward() leaves out the residual: its gradient is dy itself.
  assertGradient(dx.map((v, i) => v + dy[i]), mlp, inputs, 0, dy, 3e-6, "dx");
  [dw1, db1, dw2, db2].forEach((found, i) => assertGradient(found, mlp, inputs, i + 1, dy, 3e-6));
});

gpuTest("linear() takes tokens [B, N, D], weights of more dimensions and no bias", async (gpu) => {
  const x = normals(2 * 3 * 12, 1), w = normals(4 * 12, 2);
  const [y] = await values(gpu, () => {
    const { y } = linear(gpu, gpu.tensor(x, [2, 3, 12]), { data: gpu.tensor(w, [4, 3, 2, 2]) });
    assert.deepEqual(y.shape, [2, 3, 4]);
    return [y];
  });
  assertClose(y, matmulF64(x, w, [6, 12, 4], false, true), 2e-6);
});

gpuTest("linear() keeps what GELU was of unless nobody comes back", (gpu) => {
  gpu.scope(() => {
    const [x, data] = [gpu.empty([5, 3]), gpu.empty([7, 3])];
    const kept = linear(gpu, x, { data }, undefined, { gelu: true });
    assert.equal(geluInput(kept), kept.pre);
    const alone = linear(gpu, x, { data }, undefined, { gelu: true, forwardOnly: true });
    assert.throws(() => geluInput(alone), /expected what GELU was of.* but it was not kept/);
    return [];
  });
});

gpuTest("linear() equals f64 at extreme values", async (gpu) => {
  const rows = [[1e4, -1e4, 1e4], [0, 0, 0], [1e-30, 1e-30, -1e-30], [1e18, 1, 1e-18], [7, 7, 7]];
  const x = Float32Array.from(rows.flat()), w = normals(21, 3), b = new Float32Array(7);
  const [y, active] = await values(gpu, () => {
    const [t, weight] = [gpu.tensor(x, [5, 3]), { data: gpu.tensor(w, [7, 3]) }];
    const bias = { data: gpu.tensor(b) };
    return [linear(gpu, t, weight, bias).y, linear(gpu, t, weight, bias, { gelu: true }).y];
  });
  const expected = reference(...[x, w, b].map((t) => Float64Array.from(t)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ]);
  rows.forEach((row, r) => {
    const [from, to] = [7 * r, 7 * r + 7];
    assertClose(y.subarray(from, to), expected.subarray(from, to), 1e-6, `[${row}]`);
    const activated = expected.subarray(from, to).map(gelu);
    assertClose(active.subarray(from, to), activated, 1e-6, `gelu of [${row}]`);
  });
});
