import assert from "node:assert/strict";
import { type Gpu, openGpu, record, type Tensor } from "../../lib/gpu.ts";
import { DinoLoss, type DinoLossSettings } from "../../lib/loss.ts";
import type { LastLayer } from "../../lib/model.ts";
import { defaultChunk } from "../../lib/loss/head.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { type HeadCase, headReference, lossCase, settingsOf } from "../support/loss.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

/** Random bottlenecks and layers of the shape [B, G, V, K, D]; bottlenecks of length 1. */
function headCase([batch, globals, views, dim, width]: readonly number[], seed = 1): HeadCase {
  const rows = (n: number, seed: number) => {
    const x = normals(n * width, seed);
    for (let r = 0; r < n; r++) {
      const row = x.subarray(r * width, (r + 1) * width);
      const norm = Math.hypot(...row);
      row.forEach((v, d) => row[d] = v / norm);
    }
    return x;
  };
  const { student: _, teacher: __, ...c } = lossCase([batch, globals, views, dim], seed);
  return {
    ...c,
    width,
    x: rows(views * batch, seed),
    v: normals(dim * width, seed + 1, 3),
    g: normals(dim, seed + 2).map((x) => 1 + x / 4),
    teacherX: rows(globals * batch, seed + 3),
    teacherV: normals(dim * width, seed + 4),
    teacherG: new Float32Array(dim).fill(1),
    center: normals(dim, seed + 5, 0.1),
  };
}

/** Bottleneck and last layer, as forwardHead takes them. */
const input = (bottleneck: Tensor, lastLayer: LastLayer) => ({ bottleneck, lastLayer });

/** A last layer on the GPU, with gradients that hold `filled` at first. */
function layerOf(gpu: Gpu, c: HeadCase, v: ArrayLike<number>, g: ArrayLike<number>, filled = 0) {
  const weight = (values: ArrayLike<number>, shape: number[]) => ({
    data: gpu.tensor(Float32Array.from(values), shape),
    grad: gpu.tensor(new Float32Array(values.length).fill(filled), shape),
    filled: filled !== 0,
  });
  return { weightV: weight(v, [c.outDim, c.width]), weightG: weight(g, [c.outDim, 1]) };
}

/** forwardHead on the GPU; the gradients start at `filled` and are added to. */
async function run(gpu: Gpu, c: HeadCase, settings: Partial<DinoLossSettings> = {}, filled = 0) {
  const loss = new DinoLoss({ ...settingsOf(c), ...settings, gpu });
  loss.center.write(Float32Array.from(c.center));
  const made = gpu.scope(() => {
    const student = layerOf(gpu, c, c.v, c.g, filled);
    const teacher = layerOf(gpu, c, c.teacherV, c.teacherG, 7);
    const x = gpu.tensor(Float32Array.from(c.x), [c.nCrops * c.batch, c.width]);
    const y = gpu.tensor(Float32Array.from(c.teacherX), [c.nGlobalCrops * c.batch, c.width]);
    const result = loss.forwardHead(input(x, student), input(y, teacher));
    const { metrics, pairLoss, gradBottleneck, batchMean } = result;
    const [v, g] = [student.weightV.grad, student.weightG.grad];
    return [metrics, pairLoss, gradBottleneck, v, g, teacher.weightV.grad, batchMean];
  });
  const [metrics, pairs, x, v, g, teacherV, _, center] = await gpu.read([...made, loss.center]);
  for (const t of [...made, loss]) t.destroy();
  assert.ok(teacherV.every((value) => value === 7), "the teacher's gradient was touched");
  return { metrics, pairs, x, v, g, center };
}

// [B, G, V, K, D]: whole chunks and a rest, one column left over, more global views than fit one pass.
for (const shape of [[2, 2, 4, 200, 9], [1, 2, 3, 129, 16], [3, 3, 5, 64, 7], [2, 1, 3, 70, 5]]) {
  gpuTest(`DinoLoss.forwardHead() equals f64 at [B, G, V, K, D] = [${shape}]`, async (gpu) => {
    const c = headCase(shape);
    const expected = headReference(c);
    const { loss, teacherEntropy, meanTeacherEntropy, kl } = expected;
    await eachLanes(gpu, async (lanes) => {
      for (const chunkSize of [64, 128, shape[3]]) {
        const what = `chunks of ${chunkSize}, ${lanes}`;
        const found = await run(gpu, c, { chunkSize });
        assertClose(found.metrics, [loss, teacherEntropy, meanTeacherEntropy, kl], 5e-6, what);
        assertClose(found.pairs, expected.pairLoss, 5e-6, what);
        const center = expected.batchMean.map((mean, k) => 0.9 * c.center[k] + 0.1 * mean);
        assertClose(found.center, center, 5e-6, what);
        const of = (key: "x" | "v" | "g") => (value: Float64Array) => [
          headReference({ ...c, [key]: value }).loss,
        ];
        for (const key of ["x", "v", "g"] as const) {
          assertGradient(found[key], of(key), [c[key]], 0, [1], 2e-5, `${key}, ${what}`);
        }
      }
    });
  });
}

/** Length of every row. */
const lengths = (v: ArrayLike<number>, width: number) =>
  Float64Array.from(
    { length: v.length / width },
    (_, k) => Math.hypot(...Array.from({ length: width }, (_, d) => v[k * width + d])),
  );

gpuTest("DinoLoss.forwardHead() equals f64 with plain last layers", async (gpu) => {
  const plain = headCase([2, 2, 4, 200, 9]), { width } = plain;
  const c = { ...plain, g: lengths(plain.v, width), teacherG: lengths(plain.teacherV, width) };
  const { loss, teacherEntropy, meanTeacherEntropy, kl } = headReference(c);
  for (const chunkSize of [64, 200]) {
    for (const filled of [0, 3]) {
      const dino = new DinoLoss({ ...settingsOf(c), chunkSize, gpu });
      dino.center.write(Float32Array.from(c.center));
      const made = gpu.scope(() => {
        const { weightV } = layerOf(gpu, c, c.v, c.g, filled);
        const { weightV: { data } } = layerOf(gpu, c, c.teacherV, c.teacherG);
        const x = gpu.tensor(Float32Array.from(c.x), [c.nCrops * c.batch, width]);
        const y = gpu.tensor(Float32Array.from(c.teacherX), [c.nGlobalCrops * c.batch, width]);
        const found = dino.forwardHead(input(x, { weightV }), input(y, { weightV: { data } }));
        return [found.metrics, found.gradBottleneck, weightV.grad];
      });
      const [metrics, dx, dv] = await gpu.read(made);
      assertClose(metrics, [loss, teacherEntropy, meanTeacherEntropy, kl], 5e-6);
      const ofX = (x: Float64Array) => [headReference({ ...c, x }).loss];
      const ofV = (v: Float64Array) => [headReference({ ...c, v, g: lengths(v, width) }).loss];
      assertGradient(dx, ofX, [c.x], 0, [1], 2e-5, "x");
      const unfilled = dv.map((value) => value - filled);
      assertGradient(unfilled, ofV, [c.v], 0, [1], filled ? 1e-4 : 2e-5, "weight");
      for (const t of [...made, dino]) t.destroy();
    }
  }
});

gpuTest("DinoLoss.forwardHead() gives in chunks what it gives at once", async (gpu) => {
  const c = headCase([2, 2, 4, 1000, 33]);
  for (const centering of ["center", "sinkhorn_knopp", "none"] as const) {
    const whole = await run(gpu, c, { chunkSize: 1000, centering });
    for (const chunkSize of [64, 448]) {
      const found = await run(gpu, c, { chunkSize, centering });
      for (const key of ["metrics", "pairs", "x", "v", "g", "center"] as const) {
        assertClose(found[key], whole[key], 5e-6, `${key}, ${centering}, chunks of ${chunkSize}`);
      }
    }
  }
});

gpuTest("DinoLoss.forwardHead() adds to gradients that hold something", async (gpu) => {
  const c = headCase([2, 2, 3, 130, 6]);
  const plain = await run(gpu, c, { chunkSize: 64 });
  const added = await run(gpu, c, { chunkSize: 64 }, 3);
  for (const key of ["v", "g"] as const) {
    assertClose(added[key], plain[key].map((x) => x + 3), 1e-6, key);
  }
  assert.deepEqual(added.x, plain.x);
});

gpuTest(
  "DinoLoss.forwardHead() leaves a fixed weight_g alone and replays in a program",
  async (gpu) => {
    const c = headCase([2, 2, 3, 200, 8]);
    const expected = await run(gpu, c, { chunkSize: 64 });
    const loss = new DinoLoss({ ...settingsOf(c), chunkSize: 64, gpu });
    const student = layerOf(gpu, c, c.v, c.g);
    const teacher = layerOf(gpu, c, c.teacherV, c.teacherG);
    const fixed = { weightV: student.weightV, weightG: { data: student.weightG.data } };
    const x = gpu.tensor(Float32Array.from(c.x), [c.nCrops * c.batch, c.width]);
    const y = gpu.tensor(Float32Array.from(c.teacherX), [c.nGlobalCrops * c.batch, c.width]);
    const program = await record(gpu, () => {
      student.weightV.filled = false;
      return loss.forwardHead(input(x, fixed), input(y, teacher));
    });
    for (let i = 0; i < 2; i++) {
      loss.center.write(Float32Array.from(c.center));
      program.run();
      const { metrics, gradBottleneck } = program.outputs;
      const [m, gx, gv, gg] = await gpu.read([
        metrics,
        gradBottleneck,
        student.weightV.grad,
        student.weightG.grad,
      ]);
      assert.deepEqual(m, expected.metrics);
      assert.deepEqual(gx, expected.x);
      assert.deepEqual(gv, expected.v);
      assert.ok(gg.every((g) => g === 0));
    }
    for (const { weightV, weightG } of [student, teacher]) {
      for (const t of [weightV.data, weightV.grad, weightG.data, weightG.grad]) t.destroy();
    }
    for (const t of [program, loss, x, y]) t.destroy();
  },
);

gpuTest("DinoLoss.forwardHead() trains weight_g alone where weight_v is fixed", async (gpu) => {
  const c = headCase([2, 2, 3, 200, 8]);
  const expected = await run(gpu, c, { chunkSize: 64 });
  const loss = new DinoLoss({ ...settingsOf(c), chunkSize: 64, gpu });
  loss.center.write(Float32Array.from(c.center));
  const [result, grad] = gpu.scope(() => {
    const { weightV, weightG } = layerOf(gpu, c, c.v, c.g);
    const teacher = layerOf(gpu, c, c.teacherV, c.teacherG);
    const x = gpu.tensor(Float32Array.from(c.x), [6, 8]);
    const y = gpu.tensor(Float32Array.from(c.teacherX), [4, 8]);
    const student = { weightV: { data: weightV.data }, weightG };
    return [loss.forwardHead(input(x, student), input(y, teacher)), weightG.grad] as const;
  });
  assert.deepEqual(await grad.read(), expected.g);
  const { metrics, pairLoss, gradBottleneck, batchMean } = result;
  for (const t of [grad, metrics, pairLoss, gradBottleneck, batchMean, loss]) t.destroy();
});

Deno.test("defaultChunk() takes all columns while that is little, and else bounds what a chunk takes", () => {
  assert.equal(defaultChunk(1024, 256, 64), 1024);
  assert.equal(defaultChunk(4096, 768, 256), 4096);
  for (const [outDim, rows, width] of [[65536, 12, 256], [65536, 768, 256], [1e6, 5000, 384]]) {
    const chunk = defaultChunk(outDim, rows, width);
    const bytes = 4 * chunk * (rows + 3 * width);
    assert.equal(chunk % 64, 0);
    assert.ok(bytes <= 2 ** 24 && bytes > 0.9 * 2 ** 24, `${bytes} bytes at K ${outDim}`);
  }
  assert.equal(defaultChunk(65536, 1e6, 256), 64);
});

gpuTest("DinoLoss.forwardHead() says which shape does not fit", async (gpu) => {
  const c = headCase([2, 2, 3, 100, 8]);
  const loss = new DinoLoss({ ...settingsOf(c), gpu });
  const make = (...shape: number[]) => gpu.empty(shape, "t");
  const layer = (v: number[], g: number[]) => ({
    weightV: { data: make(...v) },
    weightG: { data: make(...g) },
  });
  const odd: [() => unknown, RegExp][] = [
    [
      () => loss.forwardHead(input(make(6, 8), layer([99, 8], [100, 1])), teacher),
      /expected a last layer of weightV \[100, D\] and weightG \[100, 1\].* found t\[99, 8\] and t\[100, 1\]/,
    ],
    [
      () => loss.forwardHead(student, input(make(4, 7), layer([100, 7], [100, 1]))),
      /last layers of one width but found 8 and 7/,
    ],
    [
      () => loss.forwardHead(input(make(5, 8), student.lastLayer), teacher),
      /expected student \[3·B, 8\] and teacher \[2·B, 8\].*found t\[5, 8\] and t\[4, 8\]/,
    ],
    [
      () =>
        loss.forwardHead(
          student,
          // @ts-expect-error A weight has data.
          input(make(4, 8), { weightV: student.lastLayer.weightV, weightG: {} }),
        ),
      /found t\[100, 8\] and undefined: rows are/,
    ],
  ];
  const student = input(make(6, 8), layer([100, 8], [100, 1]));
  const teacher = input(make(4, 8), layer([100, 8], [100, 1]));
  gpu.scope(() => {
    for (const [run, pattern] of odd) assert.throws(run, pattern);
  });
  const all = [student, teacher].flatMap(({ bottleneck, lastLayer: { weightV, weightG } }) => [
    bottleneck,
    weightV.data,
    weightG!.data,
  ]);
  for (const t of [...all, loss]) t.destroy();
  await gpu.idle();
});

gpuTest("DinoLoss.forwardHead() at K = 65536 needs no more memory than a few chunks", async () => {
  const gpu = await openGpu({ limits: "portable" });
  assert.equal(gpu.limits.maxStorageBufferBindingSize, 128 * 2 ** 20);
  const c = headCase([4, 2, 10, 65536, 96]);
  const loss = new DinoLoss({ ...settingsOf(c), gpu });
  const student = layerOf(gpu, c, c.v, c.g);
  const teacher = layerOf(gpu, c, c.teacherV, c.teacherG);
  const x = gpu.tensor(Float32Array.from(c.x), [40, 96]);
  const y = gpu.tensor(Float32Array.from(c.teacherX), [8, 96]);
  const before = gpu.memory.liveBytes;
  const result = gpu.scope(() => loss.forwardHead(input(x, student), input(y, teacher)));
  const peak = gpu.memory.peakBytes - before;
  const { loss: value, teacherEntropy } = await loss.read(result);
  assert.ok(value > teacherEntropy && teacherEntropy > 0);
  // The chunk's budget, and vectors over K: mean, share and its sums, one of each network's rows.
  // On GPUs, sums over a chunk come in at most 128 parts of a bottleneck's gradient.
  const parts = gpu.isSoftware ? 0 : 128 * 4 * 40 * 96;
  assert.ok(peak < 2 ** 24 + 4 * (3 * 65536) + 2 ** 16 + parts, `${peak} bytes`);

  // Logits over 128 MiB: forward names the way out.
  const logits = gpu.empty([640, 65536], "logits");
  const teacherLogits = gpu.empty([128, 65536]);
  assert.throws(
    () => loss.forward(logits, teacherLogits),
    /at most 134217728 bytes.*found logits\[640, 65536\] of 167772160: use forwardHead/,
  );
  gpu.destroy();
});
