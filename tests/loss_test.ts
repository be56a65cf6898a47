import assert from "node:assert/strict";
import fc from "fast-check";
import { HatchlingError } from "../lib/errors.ts";
import type { Gpu } from "../lib/gpu/mod.ts";
import { DinoLoss, type DinoLossOptions } from "../lib/loss.ts";
import { assertGradient } from "./support/gradients.ts";
import { gpuTest } from "./support/gpu.ts";
import { type LossCase, lossReference } from "./support/loss.ts";
import { assertClose, normals } from "./support/numbers.ts";
import { eachLanes } from "./support/ops.ts";

/** Random logits of that shape. */
function lossCase(
  [batch, globals, views, dim]: readonly number[],
  seed = 1,
  scale = 1,
): LossCase {
  return {
    batch,
    globals,
    views,
    dim,
    student: normals(views * batch * dim, seed, scale),
    teacher: normals(globals * batch * dim, seed + 1, scale / 4),
    center: normals(dim, seed + 2, scale / 8),
    studentTemp: 0.1,
    teacherTemp: 0.04,
  };
}

/** Runs the loss; also gives the centre after the update. */
async function run(gpu: Gpu, c: LossCase) {
  const loss = new DinoLoss(gpu, {
    outDim: c.dim,
    nCrops: c.views,
    nGlobalCrops: c.globals,
    studentTemp: c.studentTemp,
    teacherTemp: c.teacherTemp,
  });
  loss.center.write(Float32Array.from(c.center));
  const tensors = gpu.scope(() => {
    const student = gpu.tensor(Float32Array.from(c.student), [c.views * c.batch, c.dim]);
    const teacher = gpu.tensor(Float32Array.from(c.teacher), [c.globals * c.batch, c.dim]);
    const { metrics, gradStudent, pairLoss } = loss.forward(student, teacher);
    loss.updateCenter(teacher);
    return [metrics, gradStudent, pairLoss];
  });
  assert.deepEqual(tensors[1].shape, [c.views * c.batch, c.dim]);
  assert.deepEqual(tensors[2].shape, [c.globals, c.views]);
  const [metrics, grad, pairs, center] = await gpu.read([...tensors, loss.center]);
  for (const t of [...tensors, loss]) t.destroy();
  const [value, teacherEntropy, meanEntropy, kl] = metrics;
  return { loss: value, teacherEntropy, meanEntropy, kl, grad, pairs, center };
}

/** Rows [views · batch, K] under another order of views and samples. */
function reorder(
  { batch, dim }: LossCase,
  rows: ArrayLike<number>,
  view: (v: number) => number,
  sample: (b: number) => number = (b) => b,
): Float32Array {
  return Float32Array.from(rows, (_, i) => {
    const [row, k] = [Math.floor(i / dim), i % dim];
    return rows[(view(Math.floor(row / batch)) * batch + sample(row % batch)) * dim + k];
  });
}

// [B, G, V, K]: one image, one to three global views, as few classes as there can be, odd numbers of them,
// more than lanes.
for (
  const shape of [[1, 1, 2, 2], [1, 2, 2, 3], [3, 2, 5, 7], [2, 3, 4, 131], [5, 1, 3, 65], [
    2,
    3,
    3,
    9,
  ]]
) {
  gpuTest(`DinoLoss equals f64, with its gradient, at [B, G, V, K] = [${shape}]`, async (gpu) => {
    const c = lossCase(shape);
    const expected = lossReference(c);
    await eachLanes(gpu, async (what) => {
      const found = await run(gpu, c);
      for (const key of ["loss", "teacherEntropy", "meanEntropy", "kl"] as const) {
        assertClose([found[key]], [expected[key]], 3e-6, `${key}, ${what}`);
      }
      assertClose(found.pairs, expected.pairs, 3e-6, `pairs, ${what}`);
      assertClose(found.grad, expected.grad, 3e-6, `gradient, ${what}`);
      const objective = (student: Float64Array) => [lossReference({ ...c, student }).loss];
      assertGradient(found.grad, objective, [c.student], 0, [1], 3e-6, `differences, ${what}`);
    });
  });
}

gpuTest("DinoLoss stays exact at logits of ±1e4", async (gpu) => {
  const [batch, globals, views, dim] = [2, 2, 4, 67];
  const extreme = (n: number, seed: number) =>
    normals(n, seed).map((v) => 1e4 * Math.sign(Math.round(v)));
  const c: LossCase = {
    ...lossCase([batch, globals, views, dim]),
    student: extreme(views * batch * dim, 1),
    teacher: extreme(globals * batch * dim, 2),
    center: new Float32Array(dim),
  };
  const expected = lossReference(c);
  assert.ok(expected.loss > 1e4, "the case is not extreme");
  await eachLanes(gpu, async (what) => {
    const found = await run(gpu, c);
    assertClose([found.loss, found.kl], [expected.loss, expected.kl], 1e-6, what);
    assertClose([found.teacherEntropy], [expected.teacherEntropy], 1e-6, what);
    assertClose(found.grad, expected.grad, 1e-6, what);
  });
  // One class far above all others, in teacher and student alike: nothing is left to learn.
  const peak = (rows: number) =>
    Float32Array.from({ length: rows * dim }, (_, i) => i % dim ? -1e4 : 1e4);
  const same = await run(gpu, {
    ...c,
    student: peak(views * batch),
    teacher: peak(globals * batch),
  });
  assert.deepEqual([same.loss, same.teacherEntropy, same.meanEntropy, same.kl], [0, 0, 0, 0]);
  assert.ok(same.grad.every((g) => g === 0));
});

gpuTest("DinoLoss is ln K where teacher and student are uniform", async (gpu) => {
  for (const dim of [2, 3, 1000]) {
    const c = lossCase([2, 2, 4, dim], 1, 0);
    const found = await run(gpu, { ...c, student: Float32Array.from(c.student, () => 7.5) });
    const ln = Math.log(dim);
    const rounding = Math.max(1e-6, dim * 2 ** -24); // of K equal terms added one by one
    assertClose([found.loss, found.teacherEntropy, found.meanEntropy], [ln, ln, ln], rounding);
    assert.ok(Math.abs(found.kl) <= rounding * ln); // a difference of two such sums
    assertClose(Float32Array.from(found.grad, (g) => 1 + g), found.grad.map(() => 1), 1e-6);
  }
});

gpuTest("DinoLoss holds its inequalities and symmetries for any logits", async (gpu) => {
  const shapes = fc.record({
    batch: fc.integer({ min: 1, max: 4 }),
    globals: fc.integer({ min: 1, max: 3 }),
    locals: fc.integer({ min: 0, max: 3 }),
    dim: fc.integer({ min: 2, max: 70 }),
    seed: fc.integer({ min: 1, max: 1e6 }),
    scale: fc.constantFrom(1e-3, 0.1, 1, 5),
  });
  await fc.assert(
    fc.asyncProperty(shapes, async ({ batch, globals, locals, dim, seed, scale }) => {
      const views = Math.max(2, globals + locals);
      const c = lossCase([batch, globals, views, dim], seed, scale);
      const found = await run(gpu, c);
      const close = (a: number, b: number, what: string) =>
        assert.ok(Math.abs(a - b) <= 1e-5 * (1 + Math.abs(b)), `${what}: ${a} against ${b}`);

      // Cross-entropy ≥ entropy ≥ 0; the mean distribution is at least as spread, and K bounds it.
      assert.ok(found.teacherEntropy >= 0, "entropy below 0");
      assert.ok(found.loss >= found.teacherEntropy * (1 - 1e-5), "loss below entropy");
      assert.ok(found.meanEntropy >= found.teacherEntropy * (1 - 1e-5), "mean below the parts");
      assert.ok(found.meanEntropy <= Math.log(dim) * (1 + 1e-5), "mean above ln K");
      // Of the pairs, G (V − 1) count.
      const terms = globals * (views - 1);
      close(found.pairs.reduce((a, b) => a + b) / terms, found.loss, "terms");
      for (let g = 0; g < globals; g++) assert.equal(found.pairs[g * views + g], 0);
      // A softmax does not see a shift, so a row of the gradient sums to 0.
      const unit = 1 / (c.studentTemp * terms * batch);
      for (let r = 0; r < views * batch; r++) {
        const sum = found.grad.subarray(r * dim, (r + 1) * dim).reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum) <= 1e-5 * globals * unit, `row ${r} sums to ${sum}`);
      }
      const shifted = await run(gpu, {
        ...c,
        student: Float32Array.from(c.student, (x) => x + 2),
        teacher: Float32Array.from(c.teacher, (x) => x - 1),
      });
      assert.ok(Math.abs(shifted.loss - found.loss) <= 1e-4 * (1 + found.loss), "shift");
      // Neither the order of samples nor that of the global views matters.
      const turn = (b: number) => (b + 1) % batch;
      const swap = (v: number) => v < globals ? globals - 1 - v : v;
      const moved = await run(gpu, {
        ...c,
        student: reorder(c, c.student, swap, turn),
        teacher: reorder(c, c.teacher, swap, turn),
      });
      for (const key of ["loss", "teacherEntropy", "meanEntropy", "kl"] as const) {
        close(moved[key], found[key], key);
      }
      const expected = reorder(c, found.grad, swap, turn);
      assertClose(
        Float32Array.from(moved.grad, (g) => g + unit),
        expected.map((g) => g + unit),
        1e-5,
      );
      assertClose(moved.center, found.center, 1e-5, "centre");
    }),
    { numRuns: 12, seed: 7 },
  );
});

gpuTest("DinoLoss uses the centre from before the update, per dimension", async (gpu) => {
  const c = lossCase([3, 2, 3, 5]);
  const { dim } = c;
  const loss = new DinoLoss(gpu, { outDim: dim, nCrops: 3, centerMomentum: 0.75 });
  const teacher = gpu.tensor(Float32Array.from(c.teacher), [6, dim]);
  const student = gpu.tensor(Float32Array.from(c.student), [9, dim]);
  const mean = Array.from(
    { length: dim },
    (_, k) =>
      Array.from({ length: 6 }, (_, r) => c.teacher[r * dim + k]).reduce((a, b) => a + b) / 6,
  );
  let center = Array<number>(dim).fill(0);
  for (let step = 0; step < 4; step++) {
    const { metrics } = gpu.scope(() => ({ metrics: loss.forward(student, teacher).metrics }));
    loss.updateCenter(teacher);
    const [[value], found] = await gpu.read([metrics, loss.center]);
    metrics.destroy();
    assertClose([value], [lossReference({ ...c, center }).loss], 3e-6, `loss of step ${step}`);
    center = center.map((x, k) => 0.75 * x + 0.25 * mean[k]);
    assertClose(found, center, 1e-6, `centre of step ${step}`);
  }
  for (const t of [teacher, student, loss]) t.destroy();
});

gpuTest("DinoLoss.updateCenter() does nothing while the flag is set", async (gpu) => {
  const loss = new DinoLoss(gpu, { outDim: 3, nCrops: 2 });
  loss.center.write(Float32Array.of(1, 2, 3));
  const teacher = gpu.tensor(Float32Array.of(1, NaN, Infinity, 1, 1, 1), [2, 3]);
  const flag = gpu.tensor(Uint32Array.of(1, 1));
  loss.updateCenter(teacher, flag);
  assert.deepEqual(await loss.center.read(), Float32Array.of(1, 2, 3));
  for (const t of [teacher, flag, loss]) t.destroy();
});

gpuTest("DinoLoss takes new temperatures", async (gpu) => {
  const c = lossCase([2, 2, 3, 9]);
  const loss = new DinoLoss(gpu, { outDim: 9, nCrops: 3 });
  loss.center.write(Float32Array.from(c.center));
  const student = gpu.tensor(Float32Array.from(c.student), [6, 9]);
  const teacher = gpu.tensor(Float32Array.from(c.teacher), [4, 9]);
  for (const [studentTemp, teacherTemp] of [[0.1, 0.07], [0.2, 0.04]]) {
    loss.setTemperatures(studentTemp, teacherTemp);
    const { metrics } = gpu.scope(() => ({ metrics: loss.forward(student, teacher).metrics }));
    const expected = lossReference({ ...c, studentTemp, teacherTemp }).loss;
    assertClose((await metrics.read()).subarray(0, 1), [expected], 3e-6);
    metrics.destroy();
  }
  assert.throws(() => loss.setTemperatures(0, 0.04), /expected studentTemp above 0 but found 0/);
  const source = { scalars: student, studentTemp: 0, teacherTemp: 1 };
  const shared = new DinoLoss(gpu, { outDim: 9, nCrops: 3 }, source);
  assert.throws(() => shared.setTemperatures(0.1, 0.04), /it reads step scalars: set them there/);
  for (const t of [student, teacher, loss, shared]) t.destroy();
});

gpuTest("DinoLoss says which option or shape does not fit", (gpu) => {
  const good: DinoLossOptions = { outDim: 4, nCrops: 3 };
  const wrong: [DinoLossOptions, RegExp][] = [
    [{ ...good, outDim: 1 }, /expected outDim to be whole and at least 2 but found 1/],
    [{ ...good, outDim: 4.5 }, /outDim .* found 4\.5/],
    [{ ...good, nCrops: 1 }, /nCrops to be whole and at least 2, since it counts the global views/],
    [{ ...good, nGlobalCrops: 4 }, /nCrops to be whole and at least 4/],
    [{ ...good, nGlobalCrops: 0 }, /nGlobalCrops to be whole and at least 1 but found 0/],
    [{ ...good, studentTemp: -1 }, /studentTemp above 0 but found -1/],
    [{ ...good, teacherTemp: NaN }, /teacherTemp above 0 but found NaN/],
    [{ ...good, centerMomentum: 1 }, /centerMomentum in \[0, 1\) but found 1/],
  ];
  for (const [options, pattern] of wrong) {
    assert.throws(() => new DinoLoss(gpu, options), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, pattern);
      return true;
    });
  }
  const loss = new DinoLoss(gpu, good);
  const shapes: [number[], number[]][] = [
    [[6, 5], [4, 4]],
    [[7, 4], [4, 4]],
    [[6, 4], [6, 4]],
    [[6, 4], [8, 2]],
    [[4, 6], [4, 4]],
  ];
  for (const [student, teacher] of shapes) {
    const [s, t] = [gpu.persistent(student, "s"), gpu.persistent(teacher, "t")];
    assert.throws(
      () => loss.forward(s, t),
      new RegExp(
        `expected student \\[3·B, 4\\] and teacher \\[2·B, 4\\] but found s\\[${
          student.join(", ")
        }\\]`,
      ),
    );
    for (const tensor of [s, t]) tensor.destroy();
  }
  loss.destroy();
});
