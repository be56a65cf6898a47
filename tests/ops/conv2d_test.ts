import assert from "node:assert/strict";
import type { Gpu } from "../../lib/gpu.ts";
import { channelsLast, conv2d } from "../../lib/ops.ts";
import { VARIANTS } from "../../lib/ops/matmul/variants.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { doubled, values } from "../support/ops.ts";

interface Case {
  x: [batch: number, height: number, width: number, channels: number];
  outputs: number;
  side: number;
  stride: number;
  padding: number;
  /** Channels of the weight, where x has more. */
  used?: number;
}

/** Rows and columns of the result. */
const placesOf = ({ x: [, height, width], side, stride, padding }: Case) =>
  [height, width].map((n) => Math.floor((n + 2 * padding - side) / stride) + 1);

/** As PyTorch defines conv2d, channels last. */
function reference(c: Case) {
  const { x: [batch, height, width, channels], outputs, side, stride, padding } = c;
  const [rows, cols] = placesOf(c), used = c.used ?? channels;
  return (x: Float64Array, w: Float64Array): Float64Array => {
    const y = new Float64Array(batch * rows * cols * outputs);
    let at = 0;
    for (let b = 0; b < batch; b++) {
      for (let r = 0; r < rows; r++) {
        for (let q = 0; q < cols; q++) {
          for (let o = 0; o < outputs; o++, at++) {
            for (let dy = 0; dy < side; dy++) {
              const py = r * stride + dy - padding;
              if (py < 0 || py >= height) continue;
              for (let dx = 0; dx < side; dx++) {
                const px = q * stride + dx - padding;
                if (px < 0 || px >= width) continue;
                const from = ((b * height + py) * width + px) * channels;
                for (let ch = 0; ch < used; ch++) {
                  y[at] += x[from + ch] * w[((o * used + ch) * side + dy) * side + dx];
                }
              }
            }
          }
        }
      }
    }
    return y;
  };
}

/** Kernels of each kind; tiles differ in nothing that a convolution's operands know of. */
const SOME = ["plain", "staged 64x64", "staged 64x128", "subgroup"];

/** Runs `fn` with some of the kernels that this adapter may choose. */
async function eachVariant(
  gpu: Gpu,
  variants: readonly string[],
  fn: (what: string) => Promise<void>,
): Promise<void> {
  const classes = ["NN", "NT", "TN"].flatMap((mode) =>
    ["skinny", "small", "medium", "large"].map((size) => `matmul ${mode} ${size}`)
  );
  const before = gpu.choices;
  try {
    for (const variant of variants) {
      gpu.choices = new Map(classes.map((name) => [name, variant]));
      await fn(variant);
    }
  } finally {
    gpu.choices = before;
  }
}

const CASES: Case[] = [
  { x: [2, 5, 7, 8], outputs: 12, side: 3, stride: 1, padding: 1 },
  { x: [2, 7, 5, 8], outputs: 4, side: 3, stride: 2, padding: 1 },
  { x: [1, 8, 6, 4], outputs: 68, side: 3, stride: 2, padding: 1 },
  { x: [2, 11, 9, 4], outputs: 8, side: 7, stride: 2, padding: 3, used: 3 },
  { x: [1, 9, 8, 3], outputs: 5, side: 7, stride: 2, padding: 3 },
  { x: [2, 4, 3, 5], outputs: 3, side: 3, stride: 1, padding: 1 },
  { x: [3, 5, 4, 8], outputs: 20, side: 1, stride: 1, padding: 0 },
  { x: [3, 5, 4, 8], outputs: 20, side: 1, stride: 2, padding: 0 },
  { x: [2, 1, 1, 4], outputs: 4, side: 3, stride: 2, padding: 1 },
  { x: [1, 6, 6, 1], outputs: 1, side: 3, stride: 1, padding: 0 },
];

for (const c of CASES) {
  const { x: shape, outputs, side, stride, padding } = c, used = c.used ?? shape[3];
  gpuTest(
    `conv2d() equals f64, forward and backward, ${side}×${side} at [${shape}] → ${outputs}, stride ${stride}`,
    async (gpu) => {
      const places = placesOf(c);
      const size = shape.reduce((a, b) => a * b);
      const x = normals(size, 1), w = normals(outputs * used * side * side, 2);
      const dy = normals(shape[0] * places[0] * places[1] * outputs, 3), z = normals(size, 4);
      const ref = reference(c);
      const expected = ref(Float64Array.from(x), Float64Array.from(w));
      await eachVariant(gpu, c === CASES[0] ? VARIANTS : SOME, async (what) => {
        const [y, dx, dxPlus, dw] = await values(gpu, () => {
          const grad = gpu.empty([outputs, used, side, side]);
          const weight = { data: gpu.tensor(w, [outputs, used, side, side]), grad };
          const run = conv2d(gpu, gpu.tensor(x, shape), weight, { stride, padding });
          const gradient = gpu.tensor(dy, run.y.shape);
          const add = gpu.tensor(z, shape);
          const dx = run.backward(gradient)!;
          return [run.y, dx, run.backward(gradient, { add })!, grad];
        });
        assertClose(y, expected, 2e-6, `y, ${what}`);
        assertGradient(dx, ref, [x, w], 0, dy, 3e-6, `dx, ${what}`);
        assertClose(dxPlus, dx.map((v, i) => v + z[i]), 1e-6, `dx + add, ${what}`);
        // Backward ran twice: the second time added.
        assertGradient(dw, ref, [x, w], 1, doubled(dy), 3e-6, `dw, ${what}`);
      });
    },
  );
}

gpuTest("conv2d() equals f64 where long sums are cut, and at extreme values", async (gpu) => {
  const c: Case = { x: [3, 31, 37, 4], outputs: 8, side: 3, stride: 1, padding: 1 };
  const n = 3 * 31 * 37, x = normals(n * 4, 5), w = normals(8 * 4 * 9, 6, 1e-15);
  x.forEach((v, i) => x[i] = i % 4 === 3 ? v * 1e15 : i % 4 === 2 ? 0 : v + 1e4);
  const dy = normals(n * 8, 7), ref = reference(c);
  const [y, dw] = await values(gpu, () => {
    const grad = gpu.empty([8, 4, 3, 3]);
    const weight = { data: gpu.tensor(w, [8, 4, 3, 3]), grad };
    const run = conv2d(gpu, gpu.tensor(x, c.x), weight, { padding: 1 });
    run.backward(gpu.tensor(dy, run.y.shape), { input: false });
    return [run.y, grad];
  });
  const [x64, w64] = [x, w].map((v) => Float64Array.from(v));
  assertClose(y, ref(x64, w64), 1e-6);
  // By channel, as they differ by many orders of magnitude. The convolution is linear in its weight.
  for (const [channel, tolerance] of [[0, 2e-5], [1, 2e-5], [2, 0], [3, 2e-6]]) {
    const expected: number[] = [], found: number[] = [];
    for (let o = 0; o < 8; o += 7) {
      for (let tap = 0; tap < 9; tap++) {
        const at = (o * 4 + channel) * 9 + tap;
        const one = new Float64Array(w.length);
        one[at] = 1;
        expected.push(ref(x64, one).reduce((sum, v, i) => sum + v * dy[i], 0));
        found.push(dw[at]);
      }
    }
    assertClose(found, expected, tolerance, `dw of channel ${channel}`);
  }
});

gpuTest(
  "conv2d() runs twice as well as once, and without a gradient of its weight",
  async (gpu) => {
    const x = normals(2 * 4 * 4 * 4, 1), w = normals(4 * 4 * 9, 2);
    const [y, dx] = await values(gpu, () => {
      const run = conv2d(gpu, gpu.tensor(x, [2, 4, 4, 4]), { data: gpu.tensor(w, [4, 4, 3, 3]) }, {
        padding: 1,
      });
      return [run.y, run.backward(run.y)!];
    });
    assert.ok(y.every(Number.isFinite) && dx.every(Number.isFinite));
  },
);

gpuTest("conv2d() says what does not fit", (gpu) => {
  const x = gpu.persistent([1, 4, 4, 4]), w = gpu.persistent([4, 8, 3, 3]);
  const fits = gpu.persistent([4, 4, 5, 5]);
  assert.throws(() => conv2d(gpu, x, { data: w }), /C ≤ C'/);
  assert.throws(() => conv2d(gpu, x, { data: fits }), /a window fits/);
  assert.throws(() => conv2d(gpu, x, { data: fits }, { padding: 1, stride: 0 }), /stride 0/);
  assert.throws(() => conv2d(gpu, x, { data: fits }, { padding: 0.5 }), /padding 0\.5/);
  for (const t of [x, w, fits]) t.destroy();
});

for (const channels of [1, 3, 4, 5]) {
  gpuTest(`channelsLast() moves ${channels} channels there and back`, async (gpu) => {
    const shape = [2, channels, 3, 5], x = normals(30 * channels, 8);
    const [y, back] = await values(gpu, () => {
      const moved = channelsLast(gpu, gpu.tensor(x, shape));
      return [moved.y, moved.back(moved.y)];
    });
    const padded = 4 * Math.ceil(channels / 4);
    assert.equal(y.length, 30 * padded);
    y.forEach((v, i) => {
      const channel = i % padded, pixel = Math.floor(i / padded);
      const from = (Math.floor(pixel / 15) * channels + channel) * 15 + pixel % 15;
      assert.equal(v, channel < channels ? x[from] : 0);
    });
    assert.deepEqual(back, x);
  });
}
