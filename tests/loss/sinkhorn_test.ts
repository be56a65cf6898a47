import assert from "node:assert/strict";
import { dinoLoss, dinoLossReference } from "../../lib/loss.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { lossCase, runLoss, settingsOf } from "../support/loss.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

Deno.test("the Sinkhorn–Knopp reference gives distributions that use all prototypes alike", () => {
  const c = { ...lossCase([6, 2, 2, 5]), teacher: normals(12 * 5, 1, 0.05), teacherTemp: 0.1 };
  const plain = dinoLossReference({ ...c, centering: "none" });
  const even = dinoLossReference({ ...c, centering: "sinkhorn_knopp" });
  assert.ok(Math.log(5) - even.meanTeacherEntropy < 1e-5, `${even.meanTeacherEntropy}`);
  assert.ok(Math.log(5) - plain.meanTeacherEntropy > 1e-3, "they were alike before");
  assert.ok(even.teacherEntropy < even.meanTeacherEntropy - 0.05);
});

for (const shape of [[1, 2, 2, 3], [3, 2, 5, 7], [2, 3, 4, 131], [5, 1, 3, 65]]) {
  gpuTest(`DinoLoss with Sinkhorn–Knopp equals f64 at [B, G, V, K] = [${shape}]`, async (gpu) => {
    const c = { ...lossCase(shape), centering: "sinkhorn_knopp" as const };
    const expected = dinoLossReference(c);
    await eachLanes(gpu, async (what) => {
      const found = await runLoss(gpu, c);
      for (const key of ["loss", "teacherEntropy", "meanTeacherEntropy"] as const) {
        assertClose([found[key]], [expected[key]], 1e-5, `${key}, ${what}`);
      }
      assertClose(found.pairLoss, expected.pairLoss, 1e-5, what);
      assertClose(found.gradStudent, expected.gradStudent, 1e-5, what);
      const objective = (student: Float64Array) => [dinoLossReference({ ...c, student }).loss];
      assertGradient(found.gradStudent, objective, [c.student], 0, [1], 1e-5, what);
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
  for (const x of [found.loss, found.teacherEntropy, ...Array.from(found.gradStudent)]) {
    assert.ok(Number.isFinite(x));
  }
  assert.ok(found.loss >= found.teacherEntropy && found.teacherEntropy >= 0);
});

gpuTest("Sinkhorn–Knopp spreads a teacher that gives all to one prototype", async (gpu) => {
  const c = lossCase([16, 2, 2, 8]);
  const peaked = Float32Array.from(c.teacher, (x, i) => x / 20 + (i % 8 === 3 ? 1 : 0));
  const entropy = async (centering: "none" | "sinkhorn_knopp") => {
    const student = Float32Array.from(c.student);
    const found = await dinoLoss({ ...settingsOf(c), student, teacher: peaked, centering, gpu });
    return found.meanTeacherEntropy;
  };
  assert.ok(await entropy("none") < 0.01);
  assert.ok(await entropy("sinkhorn_knopp") > 0.99 * Math.log(8));
});
