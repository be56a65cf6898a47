import assert from "node:assert/strict";
import { DinoLoss } from "../../lib/loss.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { lossReference, sinkhornReference } from "../support/loss.ts";
import { lossCase, runLoss, settingsOf } from "../support/loss_run.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

Deno.test("the Sinkhorn–Knopp reference gives distributions that use all prototypes alike", () => {
  const rows = Array.from({ length: 12 }, (_, r) => Array.from(normals(5, r + 1, 0.05)));
  const q = sinkhornReference(rows, 0.1);
  for (const row of q) assert.ok(Math.abs(row.reduce((a, b) => a + b) - 1) < 1e-12);
  for (let k = 0; k < 5; k++) {
    const share = q.reduce((sum, row) => sum + row[k], 0) / q.length;
    assert.ok(Math.abs(share - 1 / 5) < 2e-3, `prototype ${k} has ${share}`);
  }
});

for (const shape of [[1, 2, 2, 3], [3, 2, 5, 7], [2, 3, 4, 131], [5, 1, 3, 65]]) {
  gpuTest(`DinoLoss with Sinkhorn–Knopp equals f64 at [B, G, V, K] = [${shape}]`, async (gpu) => {
    const c = { ...lossCase(shape), centering: "sinkhorn_knopp" as const };
    const expected = lossReference(c);
    await eachLanes(gpu, async (what) => {
      const found = await runLoss(gpu, c);
      for (const key of ["loss", "teacherEntropy", "meanEntropy"] as const) {
        assertClose([found[key]], [expected[key]], 1e-5, `${key}, ${what}`);
      }
      assertClose(found.pairs, expected.pairs, 1e-5, what);
      assertClose(found.grad, expected.grad, 1e-5, what);
      const objective = (student: Float64Array) => [lossReference({ ...c, student }).loss];
      assertGradient(found.grad, objective, [c.student], 0, [1], 1e-5, what);
      assert.deepEqual(Array.from(found.center), Array.from(c.center), "the centre is not used");
    });
  });
}

gpuTest("DinoLoss with Sinkhorn–Knopp stays finite at logits of ±1e4", async (gpu) => {
  const c = lossCase([3, 2, 3, 40]);
  const far = (rows: ArrayLike<number>) => Float32Array.from(rows, (x) => 1e4 * Math.sign(x));
  const found = await runLoss(gpu, {
    ...c,
    student: far(c.student),
    teacher: far(c.teacher),
    centering: "sinkhorn_knopp",
  });
  for (const x of [found.loss, found.teacherEntropy, ...Array.from(found.grad)]) {
    assert.ok(Number.isFinite(x));
  }
  assert.ok(found.loss >= found.teacherEntropy && found.teacherEntropy >= 0);
});

gpuTest("Sinkhorn–Knopp spreads a teacher that gives all to one prototype", async (gpu) => {
  const c = lossCase([16, 2, 2, 8]);
  const peaked = Float32Array.from(c.teacher, (x, i) => x / 20 + (i % 8 === 3 ? 1 : 0));
  const entropy = async (centering: "none" | "sinkhorn_knopp") => {
    const loss = new DinoLoss({ ...settingsOf(c), centering, gpu });
    const found = await loss.forward(Float32Array.from(c.student), peaked);
    loss.destroy();
    return found.meanTeacherEntropy;
  };
  assert.ok(await entropy("none") < 0.01);
  assert.ok(await entropy("sinkhorn_knopp") > 0.99 * Math.log(8));
});
