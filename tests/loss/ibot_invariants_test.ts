/** What must hold of the iBOT loss whatever the logits: of the f64 reference, which needs nothing but Deno. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { dinoLossReference, type IbotLossReference, ibotLossReference } from "../../lib/loss.ts";
import { type IbotCase, ibotCase } from "../support/ibot.ts";
import { assertClose } from "../support/numbers.ts";

const CASES = fc.record({
  rows: fc.integer({ min: 1, max: 12 }),
  outDim: fc.integer({ min: 2, max: 20 }),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  seed: fc.integer({ min: 1, max: 1e6 }),
  scale: fc.constantFrom(0.1, 1, 10),
  centering: fc.constantFrom("center" as const, "sinkhorn_knopp" as const, "none" as const),
});

/** A law of any case; `total` is what the weights add up to. */
function law(name: string, check: (c: IbotCase, r: IbotLossReference, total: number) => void) {
  Deno.test(`the iBOT loss: ${name}`, () => {
    fc.assert(
      fc.property(CASES, ({ rows, outDim, share, seed, scale, centering }) => {
        const padding = Math.floor(share * (rows - 1));
        const c = { ...ibotCase([rows, outDim], { seed, scale, padding }), centering };
        check(c, ibotLossReference(c), c.weights.reduce((a, b) => a + b, 0));
      }),
      { numRuns: 60, seed: 11 },
    );
  });
}

const close = (a: number, b: number, what: string) =>
  assert.ok(Math.abs(a - b) <= 1e-9 * (1 + Math.abs(b)), `${what}: ${a}, not ${b}`);

law("loss ≥ teacher entropy ≥ 0, and the mean distribution has at most ln K", (c, r) => {
  assert.ok(r.teacherEntropy >= 0 && r.loss >= r.teacherEntropy - 1e-9 * (1 + r.loss));
  assert.ok(r.meanTeacherEntropy <= Math.log(c.outDim) + 1e-9);
  close(r.kl, r.loss - r.teacherEntropy, "kl");
  assert.equal(r.masked, c.weights.filter((w) => w > 0).length);
});

law("ln K, with no gradient, where all rows are uniform", (c, _, total) => {
  const flat = new Float32Array(c.student.length).fill(3);
  const center = new Float32Array(c.outDim);
  const r = ibotLossReference({ ...c, student: flat, teacher: flat, center });
  close(r.loss, total * Math.log(c.outDim), "loss");
  assert.ok(r.gradStudent.every((g) => Math.abs(g) < 1e-12));
});

law("what is added to all logits of a row changes nothing but the mean", (c, r) => {
  const by = (x: ArrayLike<number>) =>
    Float64Array.from(x, (v, i) => v + Math.floor(i / c.outDim) % 5);
  const moved = ibotLossReference({ ...c, student: by(c.student), teacher: by(c.teacher) });
  if (c.centering !== "sinkhorn_knopp") close(moved.loss, r.loss, "loss");
  const alone = ibotLossReference({ ...c, student: by(c.student) });
  close(alone.loss, r.loss, "the student's");
  assertClose([1, ...alone.gradStudent], [1, ...r.gradStudent], 1e-9);
});

law("each row of the gradient sums to 0, and is 0 where the token does not count", (c, r) => {
  for (let m = 0; m < c.weights.length; m++) {
    const row = r.gradStudent.subarray(m * c.outDim, (m + 1) * c.outDim);
    const sum = row.reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum) <= 1e-9 * (1 + Math.max(...row.map(Math.abs))));
    if (c.weights[m] === 0) assert.ok(row.every((g) => g === 0));
  }
});

law("the order of the tokens does not matter, nor what those hold that do not count", (c, r) => {
  const n = c.weights.length, turn = (m: number) => (m + 1) % n;
  const rows = (x: ArrayLike<number>) =>
    Float64Array.from(x, (_, i) => x[turn(Math.floor(i / c.outDim)) * c.outDim + i % c.outDim]);
  const weights = c.weights.map((_, m) => c.weights[turn(m)]);
  const found = ibotLossReference({
    ...c,
    student: rows(c.student),
    teacher: rows(c.teacher),
    weights,
  });
  for (const key of ["loss", "teacherEntropy", "meanTeacherEntropy"] as const) {
    close(found[key], r[key], key);
  }
  assertClose(found.center, r.center, 1e-9);
  const other = (x: ArrayLike<number>) =>
    Float64Array.from(x, (v, i) => c.weights[Math.floor(i / c.outDim)] ? v : 1e3 * i);
  assert.deepEqual(
    ibotLossReference({ ...c, student: other(c.student), teacher: other(c.teacher) }),
    r,
  );
});

law("a token's loss is that of the DINO loss of one teacher view and one other view", (c, r) => {
  if (c.centering === "sinkhorn_knopp") return; // which would balance all tokens at once
  let loss = 0;
  c.weights.forEach((w, m) => {
    if (w === 0) return;
    const row = (x: ArrayLike<number>) => Array.from(x).slice(m * c.outDim, (m + 1) * c.outDim);
    const student = [...row(c.teacher), ...row(c.student)];
    const { weight: _, weights: __, ...settings } = c;
    const dino = { ...settings, nCrops: 2, nGlobalCrops: 1, teacher: row(c.teacher), student };
    const { loss: own, gradStudent } = dinoLossReference(dino);
    loss += w * own;
    const grad = r.gradStudent.subarray(m * c.outDim, (m + 1) * c.outDim);
    assertClose(gradStudent.subarray(c.outDim).map((g) => w * g), grad, 1e-9);
  });
  close(loss, r.loss, "loss");
});

Deno.test("the iBOT loss: its weight is on the gradient, and no token is no loss", () => {
  const c = ibotCase([5, 4]);
  const [one, two] = [ibotLossReference(c), ibotLossReference({ ...c, weight: 2 })];
  assert.equal(two.loss, one.loss);
  assertClose(two.gradStudent, one.gradStudent.map((g) => 2 * g), 1e-15);
  const none = ibotLossReference({ ...c, weights: new Float32Array(5) });
  for (const key of ["loss", "teacherEntropy", "meanTeacherEntropy", "masked"] as const) {
    assert.ok(none[key] === 0, key);
  }
  assert.deepEqual(none.center, [...c.center]);
});
