import assert from "node:assert/strict";
import { configDefaults, parseConfig } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { openGpu, StepScalars } from "../../lib/gpu.ts";
import {
  DinoLoss,
  dinoLoss,
  type DinoLossContext,
  type DinoLossInput,
  dinoLossReference,
  type DinoLossResult,
  type DinoLossSettings,
} from "../../lib/loss.ts";
import { assertGradient } from "../support/gradients.ts";
import { asGpu, gpuTest } from "../support/gpu.ts";
import { type LossCase, lossCase, runLoss, settingsOf } from "../support/loss.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

/** Frees what a call of the loss made. */
function free({ metrics, pairLoss, gradStudent, batchMean }: DinoLossResult): void {
  for (const t of [metrics, pairLoss, gradStudent, batchMean]) t.destroy();
}

// [B, G, V, K]: one image, one to three global views, as few classes as there can be, odd numbers of them,
// more than lanes, whole vec4s.
const SHAPES = [
  [1, 1, 2, 2],
  [1, 2, 2, 3],
  [3, 2, 5, 7],
  [2, 3, 4, 131],
  [5, 1, 3, 65],
  [2, 3, 3, 9],
  [2, 2, 4, 68],
  [2, 3, 4, 132],
];
for (const shape of SHAPES) {
  gpuTest(`DinoLoss equals f64, with its gradient, at [B, G, V, K] = [${shape}]`, async (gpu) => {
    const c = lossCase(shape);
    const expected = dinoLossReference(c);
    await eachLanes(gpu, async (what) => {
      const found = await runLoss(gpu, c);
      for (const key of ["loss", "teacherEntropy", "meanTeacherEntropy", "kl"] as const) {
        assertClose([found[key]], [expected[key]], 3e-6, `${key}, ${what}`);
      }
      assertClose(found.pairLoss, expected.pairLoss, 3e-6, `pairs, ${what}`);
      assertClose(found.gradStudent, expected.gradStudent, 3e-6, `gradient, ${what}`);
      const objective = (student: Float64Array) => [dinoLossReference({ ...c, student }).loss];
      assertGradient(
        found.gradStudent,
        objective,
        [c.student],
        0,
        [1],
        3e-6,
        `differences, ${what}`,
      );
    });
  });
}

for (const dim of [8195, 8200]) {
  gpuTest(`DinoLoss equals f64 where 256 lanes of a GPU share rows of ${dim}`, async (gpu) => {
    const c = lossCase([2, 2, 3, dim]);
    const expected = dinoLossReference(c);
    const runs = [await asGpu(gpu, () => runLoss(gpu, c)), await asGpu(gpu, () => runLoss(gpu, c))];
    assert.deepEqual(runs[0], runs[1], "the same inputs gave other bits");
    const [found] = runs;
    for (const key of ["loss", "teacherEntropy", "meanTeacherEntropy", "kl"] as const) {
      assertClose([found[key]], [expected[key]], 3e-6, key);
    }
    assertClose(found.pairLoss, expected.pairLoss, 3e-6, "pairs");
    assertClose(found.gradStudent, expected.gradStudent, 3e-6, "gradient");
  });
}

for (const dim of [67, 68]) {
  gpuTest(`DinoLoss stays exact at ${dim} logits of ±1e4`, async (gpu) => {
    const [batch, globals, views] = [2, 2, 4];
    const extreme = (n: number, seed: number) =>
      normals(n, seed).map((v) => 1e4 * Math.sign(Math.round(v)));
    const c: LossCase = {
      ...lossCase([batch, globals, views, dim]),
      student: extreme(views * batch * dim, 1),
      teacher: extreme(globals * batch * dim, 2),
      center: new Float32Array(dim),
    };
    const expected = dinoLossReference(c);
    assert.ok(expected.loss > 1e4, "the case is not extreme");
    await eachLanes(gpu, async (what) => {
      const found = await runLoss(gpu, c);
      assertClose([found.loss, found.kl], [expected.loss, expected.kl], 1e-6, what);
      assertClose([found.teacherEntropy], [expected.teacherEntropy], 1e-6, what);
      assertClose(found.gradStudent, expected.gradStudent, 1e-6, what);
    });
    // One class far above all others, in teacher and student alike: nothing is left to learn.
    const peak = (rows: number) =>
      Float32Array.from({ length: rows * dim }, (_, i) => i % dim ? -1e4 : 1e4);
    const same = await runLoss(gpu, {
      ...c,
      student: peak(views * batch),
      teacher: peak(globals * batch),
    });
    assert.deepEqual([same.loss, same.teacherEntropy, same.meanTeacherEntropy, same.kl], [
      0,
      0,
      0,
      0,
    ]);
    assert.ok(Array.from(same.gradStudent).every((g) => g === 0));
  });
}

gpuTest("DinoLoss uses the centre from before, per dimension, then moves it", async (gpu) => {
  const c = lossCase([3, 2, 3, 5]);
  const dim = c.outDim;
  const loss = new DinoLoss({ outDim: dim, nCrops: 3, centerMomentum: 0.75 });
  const teacher = gpu.tensor(Float32Array.from(c.teacher), [6, dim]);
  const student = gpu.tensor(Float32Array.from(c.student), [9, dim]);
  const { batchMean } = dinoLossReference(c);
  let center = Array<number>(dim).fill(0);
  for (let step = 0; step < 4; step++) {
    const updateCenter = step !== 2;
    const result = gpu.scope(() => loss.forward(student, teacher, { updateCenter }));
    const values = await loss.read(result);
    assertClose([values.loss], [dinoLossReference({ ...c, center }).loss], 3e-6, `step ${step}`);
    if (updateCenter) center = center.map((x, k) => 0.75 * x + 0.25 * batchMean[k]);
    assertClose(values.center, center, 1e-6, `centre of step ${step}`);
    free(result);
  }
  for (const t of [teacher, student, loss]) t.destroy();
});

gpuTest("DinoLoss.updateCenter() does nothing for a bad step", async (gpu) => {
  const loss = new DinoLoss({ gpu, outDim: 3, nCrops: 2 });
  const start = Float32Array.of(1, 2, 3);
  loss.center.write(start);
  const batchMean = gpu.tensor(Float32Array.of(5, 5, 5));
  const [sound, odd] = [1, NaN].map((x) => gpu.tensor(Float32Array.of(x, 0, 0, 0)));
  const flag = gpu.tensor(Uint32Array.of(1, 1));
  loss.updateCenter({ metrics: sound, batchMean }, flag);
  loss.updateCenter({ metrics: odd, batchMean });
  assert.deepEqual(await loss.center.read(), start);
  loss.updateCenter({ metrics: sound, batchMean });
  assertClose(await loss.center.read(), [1.4, 2.3, 3.2], 1e-6);
  for (const t of [batchMean, sound, odd, flag, loss]) t.destroy();
});

for (
  const [value, where] of [
    [NaN, "student"],
    [-Infinity, "student"],
    [-Infinity, "teacher"],
    [Infinity, "teacher"],
  ] as const
) {
  gpuTest(`DinoLoss.read() refuses a loss made of ${value} in ${where} logits`, async (gpu) => {
    const c = lossCase([2, 2, 3, 67]);
    await eachLanes(gpu, async () => {
      const loss = new DinoLoss({ outDim: 67, nCrops: 3 });
      const rows = { student: Float32Array.from(c.student), teacher: Float32Array.from(c.teacher) };
      rows[where][70] = value;
      const result = gpu.scope(() =>
        loss.forward(gpu.tensor(rows.student, [6, 67]), gpu.tensor(rows.teacher, [4, 67]))
      );
      await assert.rejects(
        loss.read(result),
        /expected a finite loss but found (NaN|Infinity).*the centre is as it was/,
      );
      assert.ok((await loss.center.read()).every((x) => x === 0), "the centre moved");
      free(result);
      loss.destroy();
    });
  });
}

gpuTest("DinoLoss reads temperatures from step scalars", async (gpu) => {
  const c = lossCase([2, 2, 3, 9]);
  const scalars = new StepScalars(gpu, ["other", "studentTemp", "teacherTemp"]);
  const loss = new DinoLoss({
    outDim: 9,
    nCrops: 3,
    centering: "none",
    temperaturesAt: { student: scalars.at("studentTemp"), teacher: scalars.at("teacherTemp") },
  });
  const student = gpu.tensor(Float32Array.from(c.student), [6, 9]);
  const teacher = gpu.tensor(Float32Array.from(c.teacher), [4, 9]);
  for (const [studentTemp, teacherTemp] of [[0.1, 0.07], [0.2, 0.04]]) {
    const expected = dinoLossReference({ ...c, centering: "none", studentTemp, teacherTemp });
    scalars.write({ studentTemp, teacherTemp });
    const result = gpu.scope(() => loss.forward(student, teacher));
    const found = await loss.read(result);
    assertClose([found.loss], [expected.loss], 3e-6);
    assert.deepEqual(found.center, new Float32Array(9), "there is none to move");
    free(result);
  }
  const other = new StepScalars(gpu, ["teacherTemp"]);
  const apart = new DinoLoss({
    outDim: 9,
    nCrops: 3,
    temperaturesAt: { student: scalars.at("studentTemp"), teacher: other.at("teacherTemp") },
  });
  assert.throws(() => apart.forward(student, teacher), /Expected scalars of one table but found/);
  for (const t of [student, teacher, loss, apart, scalars, other]) t.destroy();
});

gpuTest("DinoLoss has temperatures of its own or step scalars, not both", (gpu) => {
  const scalars = new StepScalars(gpu, ["student", "teacher"]);
  const temperaturesAt = { student: scalars.at("student"), teacher: scalars.at("teacher") };
  const options = { outDim: 9, nCrops: 3, temperaturesAt };
  assert.equal(new DinoLoss(options).options.studentTemp, undefined);
  assert.throws(
    // @ts-expect-error It comes with every step.
    () => new DinoLoss({ ...options, studentTemp: 0.1 }),
    /no temperatures beside temperaturesAt but found studentTemp 0.1 and teacherTemp undefined/,
  );
  assert.throws(
    // @ts-expect-error It comes with every step.
    () => new DinoLoss({ ...options, teacherTemp: 0.04 }),
    /no temperatures beside temperaturesAt but found studentTemp undefined and teacherTemp 0.04/,
  );
  const { loss, augmentation } = configDefaults();
  const shared = DinoLoss.fromConfig(loss, augmentation, 9, { temperaturesAt });
  assert.equal(shared.options.teacherTemp, undefined);
  scalars.destroy();
});

gpuTest("dinoLoss() is DinoLoss for plain arrays, and frees the GPU that it opens", async (gpu) => {
  const { destroy } = GPUDevice.prototype;
  let freed = 0;
  GPUDevice.prototype.destroy = function () {
    freed++;
    destroy.call(this);
  };
  for (const shape of [[1, 2, 2, 5], [3, 1, 4, 70]]) {
    const c = lossCase(shape);
    const expected = await runLoss(gpu, c);
    const [student, teacher, center] = [c.student, c.teacher, c.center]
      .map((x) => Float32Array.from(x));
    for (const given of [{ gpu }, {}]) {
      const before = gpu.memory.liveBytes;
      const promise = dinoLoss({ ...settingsOf(c), student, teacher, center, ...given });
      if (!given.gpu) { for (const values of [student, teacher, center]) values.fill(0); // copied
       }
      const { lossOverLnK, ...found } = await promise;
      assert.equal(lossOverLnK, expected.loss / Math.log(c.outDim));
      assert.deepEqual(found, expected);
      assert.equal(gpu.memory.liveBytes, before);
    }
  }
  GPUDevice.prototype.destroy = destroy;
  assert.equal(freed, 2);
});

gpuTest("dinoLoss() names what is not finite", async (gpu) => {
  const c = lossCase([2, 2, 3, 4]);
  const [student, teacher] = [c.student, c.teacher].map((x) => Float32Array.from(x));
  const spoilt = student.slice();
  spoilt[4 * 3 + 2] = NaN;
  const run = (change: Partial<DinoLossInput>) =>
    dinoLoss({ student, teacher, outDim: 4, nCrops: 3, gpu, ...change });
  await assert.rejects(
    run({ student: spoilt }),
    /in student but found NaN in row 3 \(view 1, sample 1\), column 2: .*learning rate/,
  );
  await assert.rejects(
    run({ teacher: teacher.map((x, i) => i ? x : -Infinity) }),
    /in teacher but found -Infinity in row 0 \(view 0, sample 0\), column 0/,
  );
  await assert.rejects(
    run({ student: student.map((x) => x < 0 ? -3e38 : 3e38) }),
    /expected a finite loss but found .* overflow when divided by a temperature/,
  );
  await assert.rejects(run({ teacherTemp: 0 }), /teacherTemp .* above 0 .* but found 0/);
});

Deno.test("DinoLoss.fromConfig() takes every setting from the configuration", () => {
  const text = "augmentation: {n_global_crops: 3, num_local_views: 4}\n" +
    "loss: {student_temp: 0.2, teacher_temp: 0.05, center_momentum: 0.8, " +
    "centering: sinkhorn_knopp, koleo_weight: 0.1, chunk_size: 128}";
  const config = parseConfig(text, { file: "c.yaml" });
  const loss = DinoLoss.fromConfig(config.loss, config.augmentation, 1000);
  assert.deepEqual(loss.options, {
    outDim: 1000,
    nCrops: 7,
    nGlobalCrops: 3,
    studentTemp: 0.2,
    teacherTemp: 0.05,
    centerMomentum: 0.8,
    centering: "sinkhorn_knopp",
    koleoWeight: 0.1,
    chunkSize: 128,
  });
});

Deno.test("DinoLoss says which setting does not fit, its value and what to do", () => {
  const good = { outDim: 4, nCrops: 3 };
  const wrong: [Partial<DinoLossSettings & DinoLossContext>, RegExp][] = [
    [{ outDim: 1 }, /expected outDim to be whole and at least 2 but found 1: give the number/],
    [{ outDim: 4.5 }, /outDim .* found 4\.5/],
    [{ nCrops: 1 }, /nCrops to be whole and at least 2, since it counts the global views.*: give/],
    [{ nGlobalCrops: 4 }, /nCrops to be whole and at least 4/],
    [{ nGlobalCrops: 0 }, /nGlobalCrops to be whole and at least 1 but found 0/],
    [
      { studentTemp: -1 },
      /studentTemp to be a number above 0 and finite in float32 but found -1: .* 0\.1 is usual/,
    ],
    [{ studentTemp: 0 }, /studentTemp to be a number above 0 .* but found 0/],
    [
      { teacherTemp: NaN },
      /teacherTemp to be a number above 0 .* but found NaN: .* 0\.04 is usual/,
    ],
    [{ teacherTemp: Infinity }, /teacherTemp .* but found Infinity/],
    [{ centerMomentum: 1 }, /centerMomentum in \[0, 1\) but found 1: .* 0\.9 is usual/],
    [{ centerMomentum: -0.1 }, /centerMomentum in \[0, 1\) but found -0\.1/],
    [
      { centering: "sinkhorn" as "none" },
      /one of center, sinkhorn_knopp, none but found sinkhorn:/,
    ],
    [{ koleoWeight: -1 }, /koleoWeight to be a number, 0 or more and finite but found -1/],
    [{ teacherTemp: "0.07" as never }, /teacherTemp to be a number .* but found 0\.07/],
    [{ teacherTemp: 1e-46 }, /teacherTemp .* in float32 but found 1e-46/],
    [
      { teacherTemperature: 0.07 } as never,
      /settings among outDim, .* but found teacherTemperature/,
    ],
    [{ center: [0, 0, 0, 0] as never }, /a Float32Array of outDim \(4\) .* found Array of 4 with/],
    [
      { center: new Float32Array(4), centering: "none" },
      /with centering center, but found Float32Array of 4 with centering none: give/,
    ],
    [{ center: new Float32Array(3) }, /outDim \(4\) numbers, .* found Float32Array of 3 with/],
    [
      { center: Float32Array.of(0, NaN, 0, 0) },
      /finite numbers in center but found NaN .* column 1/,
    ],
    [{ outDim: 200, chunkSize: 100 }, /a multiple of 64, or outDim \(200\) or more but found 100/],
  ];
  for (const [options, pattern] of wrong) {
    assert.throws(() => new DinoLoss({ ...good, ...options }), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, pattern);
      return true;
    });
  }
});

gpuTest("DinoLoss says which shape does not fit, before anything runs", async (gpu) => {
  const loss = new DinoLoss({ gpu, outDim: 4, nCrops: 3 });
  const shapes: [number[], number[]][] = [
    [[6, 5], [4, 4]],
    [[7, 4], [4, 4]],
    [[6, 4], [6, 4]],
    [[6, 4], [8, 2]],
    [[4, 6], [4, 4]],
  ];
  const says = (kind: string, found: string) => (error: Error) =>
    error.message.includes(
      `expected student [3·B, 4] and teacher [2·B, 4], each a ${kind}, but found ${found}`,
    );
  for (const [student, teacher] of shapes) {
    const [s, t] = [gpu.persistent(student, "s"), gpu.persistent(teacher, "t")];
    assert.throws(() => loss.forward(s, t), says("Tensor", `s[${student.join(", ")}] and t[`));
    for (const tensor of [s, t]) tensor.destroy();
  }
  const zeros = (n: number) => new Float32Array(n);
  const tensor = gpu.persistent([6, 4], "s");
  assert.throws(
    // @ts-expect-error dinoLoss() takes arrays.
    () => loss.forward(tensor, zeros(16)),
    says("Tensor", "s[6, 4] and Float32Array of 16"),
  );
  const odd: [unknown, unknown, string][] = [
    [zeros(25), zeros(16), "Float32Array of 25 and Float32Array of 16"],
    [zeros(0), zeros(0), "Float32Array of 0 and"],
    [tensor, zeros(16), "s[6, 4] and Float32Array of 16"],
    [Array(24).fill(0), zeros(16), "Array of 24 and"],
    [zeros(24), undefined, "Float32Array of 24 and undefined"],
  ];
  for (const [student, teacher, found] of odd) {
    const input = { student, teacher, outDim: 4, nCrops: 3, gpu };
    await assert.rejects(dinoLoss(input as DinoLossInput), says("Float32Array", found));
  }
  const other = await openGpu();
  assert.throws(
    () => loss.forward(tensor, other.persistent([4, 4])),
    /expected tensors of one GPU but found those of several: open one GPU/,
  );
  const two = [other.persistent([6, 4]), other.persistent([4, 4])] as const;
  assert.throws(
    () => loss.forward(...two),
    /the GPU that holds its centre .* one loss for each GPU/,
  );
  other.destroy();
  for (const t of [tensor, loss]) t.destroy();
  assert.throws(
    () => new DinoLoss(undefined as never),
    /expected settings among .* found undefined/,
  );
});

gpuTest("DinoLoss with centering none subtracts nothing and keeps nothing", async (gpu) => {
  const c = { ...lossCase([2, 2, 3, 9]), centering: "none" as const };
  const found = await runLoss(gpu, c); // writes a centre that is not zero
  assertClose([found.loss], [dinoLossReference(c).loss], 3e-6);
  assertClose(found.gradStudent, dinoLossReference(c).gradStudent, 3e-6);
  const centred = dinoLossReference({ ...c, centering: "center" }).loss;
  assert.ok(Math.abs(found.loss - centred) > 1e-2, "the case does not tell");
});

gpuTest("DinoLoss leaves nothing but its results, and ends when it is destroyed", (gpu) => {
  const c = lossCase([2, 2, 3, 9]);
  const loss = new DinoLoss(settingsOf(c));
  assert.throws(() => loss.center, /none is known yet: call forward first/);
  const student = gpu.tensor(Float32Array.from(c.student), [6, 9]);
  const teacher = gpu.tensor(Float32Array.from(c.teacher), [4, 9]);
  free(loss.forward(student, teacher)); // no scope around it
  const before = gpu.memory.liveBytes;
  free(loss.forward(student, teacher));
  assert.equal(gpu.memory.liveBytes, before);
  loss.destroy();
  assert.throws(() => loss.forward(student, teacher), /this one was destroyed: make a new one/);
  for (const t of [student, teacher]) t.destroy();
});
