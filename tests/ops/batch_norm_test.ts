import assert from "node:assert/strict";
import { batchNorm } from "../../lib/ops.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { doubled, eachLanes, values } from "../support/ops.ts";

interface How {
  relu?: boolean;
  /** Statistics that are not the batch's. */
  running?: { mean: ArrayLike<number>; variance: ArrayLike<number> };
}

/** Mean and variance over R of every column. */
function statsF64(x: ArrayLike<number>, cols: number) {
  const rows = x.length / cols;
  const mean = new Float64Array(cols), variance = new Float64Array(cols);
  for (let i = 0; i < x.length; i++) mean[i % cols] += x[i] / rows;
  for (let i = 0; i < x.length; i++) variance[i % cols] += (x[i] - mean[i % cols]) ** 2 / rows;
  return { mean, variance };
}

/** Batch norm over columns; a fourth input is a residual. */
function reference({ relu, running }: How) {
  return (x: Float64Array, w: Float64Array, b: Float64Array, z?: Float64Array): Float64Array => {
    const cols = w.length, { mean, variance } = running ?? statsF64(x, cols);
    return x.map((v, i) => {
      const c = i % cols;
      const y = (v - mean[c]) / Math.sqrt(variance[c] + 1e-5) * w[c] + b[c] + (z?.[i] ?? 0);
      return relu ? Math.max(y, 0) : y;
    });
  };
}

// Two rows, whole vec4s or not, more columns than lanes, more rows than a chunk.
for (const [rows, cols] of [[2, 1], [3, 7], [35, 68], [131, 5], [4100, 4], [1030, 3]]) {
  gpuTest(`batchNorm() equals f64, forward and backward, at [${rows}, ${cols}]`, async (gpu) => {
    const [x, w, b, z, dy] = [rows * cols, cols, cols, rows * cols, rows * cols].map((n, i) =>
      normals(n, i + 1)
    );
    const running = { mean: normals(cols, 8), variance: normals(cols, 9).map((v) => v * v + 0.1) };
    await eachLanes(gpu, async (what) => {
      for (const train of [true, false]) {
        for (const fused of [true, false]) {
          const name = `${train ? "train" : "eval"}${fused ? ", fused" : ""}, ${what}`;
          const found = await values(gpu, () => {
            const weight = { data: gpu.tensor(w), grad: gpu.empty([cols]) };
            const bias = { data: gpu.tensor(b), grad: gpu.empty([cols]) };
            const [mean, variance] = [running.mean, running.variance].map((v) => gpu.tensor(v));
            const options = { train, relu: fused, residual: fused ? gpu.tensor(z) : undefined };
            const input = gpu.tensor(x, [rows, cols]);
            const run = batchNorm(gpu, input, { weight, bias, mean, variance }, options);
            const gradient = gpu.tensor(dy, [rows, cols]);
            run.backward(gradient);
            const { x: dx, residual } = run.backward(gradient);
            return [
              run.y,
              dx,
              weight.grad,
              bias.grad,
              mean,
              variance,
              ...residual ? [residual] : [],
            ];
          });
          const [y, dx, dw, db, mean, variance, dz] = found;
          const ref = reference({ relu: fused, running: train ? undefined : running });
          const inputs = fused ? [x, w, b, z] : [x, w, b];
          const all = inputs.map((v) => Float64Array.from(v));
          const expected = ref(all[0], all[1], all[2], all[3]);
          assertClose(y, expected, 2e-6, `y, ${name}`);
          // At two rows x̂ is ±1 whatever x is, and dx all but 0.
          if (rows > 2 || !train) assertGradient(dx, ref, inputs, 0, dy, 2e-5, `dx, ${name}`);
          // Backward ran twice: the second time added.
          assertGradient(dw, ref, inputs, 1, doubled(dy), 5e-6, `dw, ${name}`);
          assertGradient(db, ref, inputs, 2, doubled(dy), 5e-6, `db, ${name}`);
          if (fused) assert.deepEqual(dz, dy.map((g, i) => y[i] > 0 ? g : 0));
          const of = statsF64(x, cols), unbiased = rows / (rows - 1);
          const moved = (old: ArrayLike<number>, now: ArrayLike<number>, scale = 1) =>
            Array.from(old, (v, c) => train ? 0.9 * v + 0.1 * scale * now[c] : v);
          assertClose(mean, moved(running.mean, of.mean), 1e-6, `running mean, ${name}`);
          assertClose(
            variance,
            moved(running.variance, of.variance, unbiased),
            1e-6,
            `running variance, ${name}`,
          );
        }
      }
    });
  });
}

gpuTest("batchNorm() equals f64 in columns of extreme values", async (gpu) => {
  const rows = 300, noise = normals(rows, 9);
  const columns = {
    "zeros": noise.map(() => 0),
    "equal": noise.map(() => 12345.678),
    "1e4 and -1e4": noise.map((v) => v < 0 ? -1e4 : 1e4),
    "around 1e-20": noise.map((v) => v * 1e-20),
    "around 1000": noise.map((v) => v + 1000),
    "huge": noise.map((v) => v * 1e15),
    "one outlier": noise.map((v, i) => i === 0 ? 1e4 : v * 1e-3),
  };
  const all = Object.values(columns), cols = all.length;
  const x = Float32Array.from(
    { length: rows * cols },
    (_, i) => all[i % cols][Math.floor(i / cols)],
  );
  const w = normals(cols, 10), b = normals(cols, 11);
  await eachLanes(gpu, async (what) => {
    const [y, mean, variance] = await values(gpu, () => {
      const [weight, bias] = [w, b].map((v) => ({ data: gpu.tensor(v) }));
      const [mean, variance] = [0, 1].map((v) => gpu.tensor(new Float32Array(cols).fill(v)));
      const weights = { weight, bias, mean, variance };
      const { y } = batchNorm(gpu, gpu.tensor(x, [rows, cols]), weights, { train: true });
      return [y, mean, variance];
    });
    const [x64, w64, b64] = [x, w, b].map((v) => Float64Array.from(v));
    const expected = reference({})(x64, w64, b64), of = statsF64(x, cols);
    Object.keys(columns).forEach((name, c) => {
      const column = (t: ArrayLike<number>) =>
        Array.from({ length: rows }, (_, r) => t[r * cols + c]);
      assertClose(column(y), column(expected), 3e-5, `${name}, ${what}`);
      assertClose([mean[c]], [0.1 * of.mean[c]], 1e-6, `running mean of ${name}, ${what}`);
      const unbiased = of.variance[c] * rows / (rows - 1);
      assertClose([variance[c]], [0.9 + 0.1 * unbiased], 2e-5, `variance of ${name}, ${what}`);
    });
  });
});

gpuTest("batchNorm() says what does not fit", (gpu) => {
  const [x, one, four] = [[4, 4], [1, 4], [4]].map((shape) => gpu.persistent(shape));
  const weights = { weight: { data: four }, bias: { data: four }, mean: four, variance: four };
  assert.throws(() => batchNorm(gpu, one, weights, { train: true }), /two rows or more/);
  assert.throws(() => batchNorm(gpu, x, { ...weights, mean: x }), /4 numbers in mean/);
  assert.throws(() => batchNorm(gpu, x, weights, { residual: one }), /a residual like/);
  for (const t of [x, one, four]) t.destroy();
});
