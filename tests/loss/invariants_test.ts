/**
 * What must hold of the DINO loss whatever the logits: of the f64 reference, which needs nothing but Deno, and
 * of the kernels, where there is an adapter. Each law is also shown to fail for a loss that breaks it.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { dinoLossReference } from "../../lib/loss.ts";
import { gpuTest } from "../support/gpu.ts";
import { type LossCase, lossCase, type LossReport, runLoss } from "../support/loss.ts";
import { assertClose } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

type Loss = (c: LossCase) => LossReport | Promise<LossReport>;

/** A law: rejects when `loss` breaks it for the case. `eps` is what rounding may do, relatively. */
type Law = (loss: Loss, c: LossCase, eps: number) => Promise<void>;

/** Rows [views · B, K] under another order of views and samples. */
function reorder(
  { batch, outDim: dim }: LossCase,
  rows: ArrayLike<number>,
  view: (v: number) => number,
  sample: (b: number) => number = (b) => b,
): Float32Array {
  return Float32Array.from(rows, (_, i) => {
    const [row, k] = [Math.floor(i / dim), i % dim];
    return rows[(view(Math.floor(row / batch)) * batch + sample(row % batch)) * dim + k];
  });
}

const shifted = (c: LossCase, rows: ArrayLike<number>, by: (row: number) => number) =>
  Float32Array.from(rows, (x, i) => x + by(Math.floor(i / c.outDim)));

/** The largest gradient that an element could have. */
const unit = (c: LossCase) =>
  c.nGlobalCrops / (c.studentTemp * c.nGlobalCrops * (c.nCrops - 1) * c.batch);

function assertSame(
  c: LossCase,
  found: LossReport,
  expected: LossReport,
  eps: number,
  what: string,
) {
  for (const key of ["loss", "teacherEntropy", "meanTeacherEntropy", "kl"] as const) {
    const off = Math.abs(found[key] - expected[key]);
    assert.ok(
      off <= eps * (1 + Math.abs(expected.loss)),
      `${what}: ${key} ${found[key]}, not ${expected[key]}`,
    );
  }
  const plus = (x: ArrayLike<number>) => Float64Array.from(x, (g) => g + unit(c));
  assertClose(plus(found.gradStudent), plus(expected.gradStudent), eps, `${what}: gradient`);
}

const LAWS: Record<string, Law> = {
  "loss ≥ teacher entropy ≥ 0, and the mean distribution is the more spread one, up to ln K":
    async (
      loss,
      c,
      eps,
    ) => {
      const r = await loss(c);
      assert.ok(r.loss >= 0, `the loss is negative: ${r.loss}`);
      assert.ok(r.teacherEntropy >= 0, `entropy ${r.teacherEntropy} below 0`);
      assert.ok(
        r.loss >= r.teacherEntropy - eps * r.loss,
        `loss ${r.loss} below ${r.teacherEntropy}`,
      );
      assert.ok(
        r.meanTeacherEntropy >= r.teacherEntropy - eps * (1 + r.meanTeacherEntropy),
        "mean below the parts",
      );
      assert.ok(r.meanTeacherEntropy <= Math.log(c.outDim) * (1 + eps), "mean above ln K");
      assert.ok(Math.abs(r.kl - (r.loss - r.teacherEntropy)) <= eps * (1 + r.loss), "kl");
    },
  "ln K, with no gradient, where all rows are uniform": async (loss, c, eps) => {
    const flat = (rows: ArrayLike<number>) => Float32Array.from(rows, () => 7.5);
    const r = await loss({
      ...c,
      student: flat(c.student),
      teacher: flat(c.teacher),
      center: new Float32Array(c.outDim),
    });
    const ln = Math.log(c.outDim);
    assertClose([r.loss, r.teacherEntropy], [ln, ln], 1e-6);
    assertClose([r.meanTeacherEntropy], [ln], eps);
    const largest = Math.max(...Array.from(r.gradStudent, Math.abs).slice(0, 1e4));
    assert.ok(largest <= 1e-6 * unit(c), `a gradient of ${largest}`);
  },
  "a constant added to any row of logits changes nothing": async (loss, c, eps) => {
    // Multiples of 1/8 up to 2: the sums stay exact enough for f32 logits of the order of 1.
    const by = (row: number) => ((row * 7) % 17 - 8) / 4;
    const other = {
      ...c,
      student: shifted(c, c.student, by),
      teacher: shifted(c, c.teacher, (r) => by(r + 3)),
    };
    assertSame(c, await loss(other), await loss(c), 30 * eps, "shifted");
  },
  "a constant added to the centre changes nothing, so a scalar centre would do nothing": async (
    loss,
    c,
    eps,
  ) => {
    const moved = { ...c, center: Float32Array.from(c.center, (x) => x + 1.5) };
    assertSame(c, await loss(moved), await loss(c), 30 * eps, "scalar centre");
    const flat = await loss({ ...c, center: new Float32Array(c.outDim).fill(0.7) });
    assertSame(c, flat, await loss({ ...c, center: new Float32Array(c.outDim) }), 30 * eps, "flat");
  },
  "the order of the samples does not matter": async (loss, c, eps) => {
    const turn = (b: number) => (b + 1) % c.batch;
    const same = (v: number) => v;
    const found = await loss({
      ...c,
      student: reorder(c, c.student, same, turn),
      teacher: reorder(c, c.teacher, same, turn),
    });
    const before = await loss(c);
    const gradStudent = reorder(c, before.gradStudent, same, turn);
    assertSame(c, found, { ...before, gradStudent }, eps, "permuted samples");
    assertClose(found.center, before.center, eps, "centre");
  },
  "the global views are symmetric": async (loss, c, eps) => {
    const swap = (v: number) => v < c.nGlobalCrops ? c.nGlobalCrops - 1 - v : v;
    const found = await loss({
      ...c,
      student: reorder(c, c.student, swap),
      teacher: reorder(c, c.teacher, swap),
    });
    const before = await loss(c);
    assertSame(
      c,
      found,
      { ...before, gradStudent: reorder(c, before.gradStudent, swap) },
      eps,
      "swapped views",
    );
  },
  "G (V − 1) pairs count, none of a view with itself": async (loss, c, eps) => {
    const { pairLoss: pairs, loss: value } = await loss(c);
    assert.equal(pairs.length, c.nGlobalCrops * c.nCrops);
    const list = Array.from(pairs);
    list.forEach((pair, i) => {
      const own = Math.floor(i / c.nCrops) === i % c.nCrops;
      assert.ok(own ? pair === 0 : pair > 0, `pair ${i} is ${pair}`);
    });
    const terms = c.nGlobalCrops * (c.nCrops - 1);
    assertClose([list.reduce((a, b) => a + b) / terms], [value], eps, "mean of the pairs");
  },
  "each row of the gradient sums to 0": async (loss, c, eps) => {
    const { gradStudent: grad } = await loss(c);
    for (let r = 0; r < c.nCrops * c.batch; r++) {
      const row = Array.from({ length: c.outDim }, (_, k) => grad[r * c.outDim + k]);
      const sum = row.reduce((a, b) => a + b);
      assert.ok(Math.abs(sum) <= 10 * eps * unit(c), `row ${r} sums to ${sum}`);
      // With one global view, that view has no target but itself.
      const targets = c.nGlobalCrops - (r < c.nGlobalCrops * c.batch ? 1 : 0);
      assert.equal(row.some((g) => g !== 0), targets > 0, `row ${r} has a gradient`);
    }
  },
  "the gradient is that of central differences": async (loss, c) => {
    const { gradStudent: grad } = await loss(c);
    const step = 1e-5;
    for (let n = 0; n < 5; n++) {
      const i = Math.floor((n + 0.5) * grad.length / 5);
      const at = (by: number) => {
        const student = Float64Array.from(c.student);
        student[i] += by;
        return dinoLossReference({ ...c, student }).loss;
      };
      const slope = (at(step) - at(-step)) / (2 * step);
      assert.ok(Math.abs(grad[i] - slope) <= 1e-5 * unit(c), `${grad[i]}, not ${slope} at ${i}`);
    }
  },
  "the teacher gets no gradient: that of the student takes its targets as they are": async (
    loss,
    c,
  ) => {
    // A teacher's row acts through its distribution alone: where the student agrees with it, nothing moves.
    const rows = (n: number, temp: number) =>
      Float32Array.from({ length: n * c.batch * c.outDim }, (_, i) => {
        const [b, k] = [Math.floor(i / c.outDim) % c.batch, i % c.outDim];
        return c.teacher[b * c.outDim + k] * temp;
      });
    const { gradStudent: grad } = await loss({
      ...c,
      student: rows(c.nCrops, c.studentTemp),
      teacher: rows(c.nGlobalCrops, c.teacherTemp),
      center: new Float32Array(c.outDim),
    });
    assert.equal(grad.length, c.nCrops * c.batch * c.outDim);
    const largest = Math.max(...Array.from(grad, Math.abs));
    assert.ok(largest <= 1e-5 * unit(c), `a gradient of ${largest} where they agree`);
  },
  "the centre is the moving average of the mean per dimension": async (loss, c, eps) => {
    const { center } = await loss(c);
    const rows = c.nGlobalCrops * c.batch;
    const expected = Array.from({ length: c.outDim }, (_, k) => {
      let sum = 0;
      for (let r = 0; r < rows; r++) sum += c.teacher[r * c.outDim + k];
      return c.centerMomentum * c.center[k] + (1 - c.centerMomentum) * sum / rows;
    });
    assertClose(center, expected, eps, "centre");
  },
  "finite and exact at logits of ±1e4": async (loss, c, eps) => {
    const extreme = (rows: ArrayLike<number>) =>
      Float32Array.from(rows, (x) => 1e4 * Math.sign(Math.round(2 * x)));
    const far = {
      ...c,
      student: extreme(c.student),
      teacher: extreme(c.teacher),
      center: new Float32Array(c.outDim),
    };
    const found = await loss(far);
    const expected = dinoLossReference(far);
    for (
      const x of [found.loss, found.kl, found.teacherEntropy, ...Array.from(found.gradStudent)]
    ) {
      assert.ok(Number.isFinite(x), `found ${x}`);
    }
    assertSame(c, found, expected, eps, "extreme");
  },
};

const shapes = fc.record({
  batch: fc.integer({ min: 1, max: 4 }),
  globals: fc.integer({ min: 1, max: 4 }),
  locals: fc.integer({ min: 0, max: 3 }),
  dim: fc.integer({ min: 2, max: 70 }),
  seed: fc.integer({ min: 1, max: 1e6 }),
  scale: fc.constantFrom(0.1, 0.5, 1),
});

async function holds(law: Law, loss: Loss, eps: number, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(shapes, async ({ batch, globals, locals, dim, seed, scale }) => {
      const views = Math.max(2, globals + locals);
      await law(loss, lossCase([batch, globals, views, dim], seed, scale), eps);
    }),
    { numRuns, seed: 7 },
  );
}

for (const [name, law] of Object.entries(LAWS)) {
  Deno.test(`f64 reference: ${name}`, () => holds(law, dinoLossReference, 1e-7, 40));
  gpuTest(
    `DinoLoss: ${name}`,
    (gpu) => eachLanes(gpu, () => holds(law, (c) => runLoss(gpu, c), 2e-5, 12)),
  );
}

Deno.test("ln K at uniform holds to 1e-6 for the reference at K = 65536", async () => {
  await LAWS["ln K, with no gradient, where all rows are uniform"](
    dinoLossReference,
    lossCase([1, 2, 2, 65536]),
    1e-6,
  );
});

gpuTest("DinoLoss: ln K at uniform holds to 1e-6 at any K", async (gpu) => {
  for (const dim of [2, 3, 1000, 4096, 65536]) {
    for (const lanes of dim <= 4096 ? [1, 64] : [64]) {
      gpu.lanes = lanes;
      try {
        await LAWS["ln K, with no gradient, where all rows are uniform"](
          (c) => runLoss(gpu, c),
          lossCase([1, 2, 3, dim]),
          2e-5,
        );
      } finally {
        gpu.lanes = undefined;
      }
    }
  }
});

/** The reference with one thing wrong. */
function broken(change: (c: LossCase, r: LossReport) => Partial<LossReport>): Loss {
  return (c) => {
    const report = dinoLossReference(c);
    return { ...report, ...change(c, report) };
  };
}

/** The loop of the notebook that DINO tutorials copied: over raw outputs, not over chunked distributions. */
const notebook: Loss = broken((c) => {
  let total = 0;
  for (let g = 0; g < c.nGlobalCrops * c.batch; g++) {
    for (let v = 0; v < c.nCrops * c.batch; v++) {
      for (let k = 0; k < c.outDim; k++) {
        total -= c.teacher[g * c.outDim + k] * c.student[v * c.outDim + k];
      }
    }
  }
  return { loss: total / (c.nGlobalCrops * c.nCrops) };
});

const scalarCenter = broken((c, r) => {
  const all = Array.from(c.teacher).reduce((a, b) => a + b) / c.teacher.length;
  return {
    center: Array.from(c.center, (x) => c.centerMomentum * x + (1 - c.centerMomentum) * all),
    loss: r.loss,
  };
});

const unnormalised = broken((c) => {
  const q = (i: number) => Math.exp(c.teacher[i] / c.teacherTemp);
  return {
    loss: dinoLossReference(c).loss + Array.from(c.teacher, (_, i) => q(i)).reduce((a, b) => a + b),
  };
});

const ownPairs = broken((_, r) => ({ pairLoss: Array.from(r.pairLoss, (p) => p + 1e-3) }));
const meanLess = broken((c, r) => ({ loss: r.loss / c.batch, kl: r.loss / c.batch }));
const firstSample = broken((c, r) => ({ loss: r.loss + c.student[0] }));
const teacherGrad = broken((c, r) => ({
  gradStudent: Array.from(r.gradStudent, (g, i) => g + 0.01 * c.teacher[i % c.teacher.length]),
}));

const COUNTEREXAMPLES: [string, Loss, string[]][] = [
  ["the notebook's loop over raw tensors", notebook, [
    "loss ≥ teacher entropy ≥ 0, and the mean distribution is the more spread one, up to ln K",
    "ln K, with no gradient, where all rows are uniform",
    "a constant added to any row of logits changes nothing",
    "G (V − 1) pairs count, none of a view with itself",
    "finite and exact at logits of ±1e4",
  ]],
  ["a scalar centre", scalarCenter, ["the centre is the moving average of the mean per dimension"]],
  ["targets that are no distribution", unnormalised, [
    "a constant added to any row of logits changes nothing",
  ]],
  ["pairs of a view with itself", ownPairs, ["G (V − 1) pairs count, none of a view with itself"]],
  ["a mean taken twice", meanLess, ["ln K, with no gradient, where all rows are uniform"]],
  ["a loss that looks at one sample", firstSample, [
    "the order of the samples does not matter",
    "the global views are symmetric",
  ]],
  ["a gradient with a part of the teacher's", teacherGrad, [
    "each row of the gradient sums to 0",
    "the gradient is that of central differences",
  ]],
];

for (const [what, loss, laws] of COUNTEREXAMPLES) {
  Deno.test(`the laws catch ${what}`, async () => {
    for (const law of laws) await assert.rejects(holds(LAWS[law], loss, 2e-5, 40), `${law} holds`);
  });
}
