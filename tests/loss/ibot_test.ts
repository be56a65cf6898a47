import assert from "node:assert/strict";
import { record } from "../../lib/gpu.ts";
import { IbotLoss, ibotLoss, type IbotLossOptions, ibotLossReference } from "../../lib/loss.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { type IbotCase, ibotCase, ibotExpected, ibotSettings, runIbot } from "../support/ibot.ts";
import { assertClose } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

const CENTERINGS = ["center", "sinkhorn_knopp", "none"] as const;

// [M, K], rows that do not count: one token; odd numbers; whole vec4s; more rows than lanes; most rows padding.
const SHAPES: [rows: number, outDim: number, padding: number][] = [
  ...[[1, 2, 0], [3, 7, 1], [5, 64, 2], [70, 5, 3], [9, 131, 7], [4, 260, 0]] as [
    number,
    number,
    number,
  ][],
];
for (const [rows, outDim, padding] of SHAPES) {
  gpuTest(
    `IbotLoss equals f64 at [M, K] = [${rows}, ${outDim}], ${padding} of weight 0`,
    async (gpu) => {
      for (const centering of CENTERINGS) {
        const c: IbotCase = { ...ibotCase([rows, outDim], { padding }), centering, weight: 0.7 };
        const expected = ibotExpected(c);
        await eachLanes(gpu, async (lanes) => {
          const what = `${centering}, ${lanes}`;
          const found = await runIbot(gpu, c);
          assertClose(found.metrics, expected.metrics, 5e-6, `metrics, ${what}`);
          assertClose(found.gradStudent, expected.gradStudent, 1e-5, `gradient, ${what}`);
          assertClose(found.batchMean, expected.batchMean, 5e-6, `mean, ${what}`);
          if (centering === "center") assertClose(found.center, expected.center, 5e-6, what);
          else assert.ok(found.center.every((x) => x === 0), "the centre is not used");
          const objective = (
            student: Float64Array,
          ) => [0.7 * ibotLossReference({ ...c, student }).loss];
          assertGradient(found.gradStudent, objective, [c.student], 0, [1], 1e-5, what);
        });
      }
    },
  );
}

gpuTest("IbotLoss does not see what does not count, NaN included", async (gpu) => {
  const c = ibotCase([6, 20], { padding: 2 });
  const expected = await runIbot(gpu, c);
  for (const value of [NaN, Infinity, 1e38]) {
    const odd = (x: ArrayLike<number>) => Float32Array.from(x, (v, i) => i < 4 * 20 ? v : value);
    const found = await runIbot(gpu, { ...c, student: odd(c.student), teacher: odd(c.teacher) });
    assert.deepEqual(found, expected, `${value}`);
  }
  const sinkhorn = { ...c, centering: "sinkhorn_knopp" as const };
  const other = (x: ArrayLike<number>) => Float32Array.from(x, (v, i) => i < 4 * 20 ? v : 3 * v);
  assert.deepEqual(
    await runIbot(gpu, { ...sinkhorn, student: other(c.student), teacher: other(c.teacher) }),
    await runIbot(gpu, sinkhorn),
  );
});

gpuTest("IbotLoss of no masked token is 0 and leaves the centre alone", async (gpu) => {
  for (const centering of CENTERINGS) {
    const c = { ...ibotCase([5, 9], { padding: 5 }), centering };
    const { metrics, gradStudent, center } = await runIbot(gpu, c);
    assert.ok(metrics.every((x) => x === 0), `${metrics}`);
    assert.ok(gradStudent.every((x) => x === 0));
    assert.deepEqual(center, centering === "center" ? c.center : new Float32Array(9));
  }
});

gpuTest(
  "IbotLoss is not finite where a logit that counts is not, and then leaves the centre alone",
  async (gpu) => {
    const c = ibotCase([4, 10], { padding: 1 });
    for (const value of [NaN, Infinity, -Infinity]) {
      for (const key of ["student", "teacher"] as const) {
        const odd = Float32Array.from(c[key], (v, i) => i === 17 ? value : v);
        const { metrics, center } = await runIbot(gpu, { ...c, [key]: odd });
        assert.ok(!Number.isFinite(metrics[0]), `${value} in the ${key} gave ${metrics[0]}`);
        assert.deepEqual(center, c.center);
      }
    }
  },
);

gpuTest("IbotLoss equals f64 at logits of ±1e4, and at equal ones", async (gpu) => {
  // Without a centre: 1e4 less a small number is rounded by far more than the temperature.
  const c = { ...ibotCase([4, 40], { padding: 1 }), center: new Float32Array(40) };
  const far = (x: ArrayLike<number>) => Float32Array.from(x, (v) => 1e4 * Math.sign(v));
  const cases = [
    { ...c, student: far(c.student), teacher: far(c.teacher) },
    {
      ...c,
      student: new Float32Array(160).fill(7),
      teacher: new Float32Array(160),
    },
  ];
  for (const extreme of cases) {
    const expected = ibotExpected(extreme);
    await eachLanes(gpu, async (what) => {
      const found = await runIbot(gpu, extreme);
      assertClose(found.metrics, expected.metrics, 2e-6, what);
      assertClose([1, ...found.gradStudent], [1, ...expected.gradStudent], 2e-6, what);
    });
  }
});

gpuTest("IbotLoss in micro-batches is that of the whole batch", async (gpu) => {
  const c = ibotCase([12, 24], { padding: 2 });
  const loss = new IbotLoss({ ...ibotSettings(c), weight: 2, gpu });
  const whole = ibotExpected({ ...c, weight: 2, center: new Float32Array(24) });
  // Logits of a last layer that is the unit matrix are the bottleneck itself.
  const unit = Float32Array.from({ length: 24 * 24 }, (_, i) => i % 25 === 0 ? 1 : 0);
  const made = gpu.scope(() => {
    const layer = () => ({
      weightV: { data: gpu.tensor(unit, [24, 24]) },
      weightG: { data: gpu.tensor(new Float32Array(24).fill(1), [24, 1]) },
    });
    const sums = {
      rows: gpu.tensor(new Float32Array(3)),
      meanTeacher: gpu.tensor(new Float32Array(24)),
      batchSum: gpu.tensor(new Float32Array(24)),
    };
    const grads = [0, 1, 2].map((m) => {
      const part = (x: ArrayLike<number>) =>
        Float32Array.from(x).subarray(m * 4 * 24, (m + 1) * 4 * 24);
      const head = (x: ArrayLike<number>) => ({
        bottleneck: gpu.tensor(part(x), [4, 24]),
        lastLayer: layer(),
      });
      // A micro-batch's weights are as if it were alone: three times its share of the batch.
      const weights = gpu.tensor(c.weights.subarray(4 * m, 4 * m + 4).map((w) => 3 * w));
      const microBatch = { sums, accumulationSteps: 3 };
      return loss.forwardMicroBatch(head(c.student), head(c.teacher), weights, microBatch);
    });
    const result = loss.finish(sums);
    loss.updateCenter(result);
    return [result.metrics, result.batchMean, ...grads];
  });
  const [metrics, mean, a, b, d, center] = await gpu.read([...made, loss.center]);
  assertClose(metrics, whole.metrics, 5e-6, "metrics");
  assertClose(mean, whole.batchMean, 5e-6, "mean");
  assertClose(center, whole.center, 5e-6, "centre");
  assertClose([...a, ...b, ...d], whole.gradStudent, 1e-5, "gradient");
  for (const t of [...made, loss]) t.destroy();
});

gpuTest("IbotLoss replays in a program with the same bits, and heeds the flag", async (gpu) => {
  const c = ibotCase([6, 33], { padding: 2 });
  const expected = await runIbot(gpu, c);
  const loss = new IbotLoss({ ...ibotSettings(c), gpu });
  const [s, t] = [c.student, c.teacher].map((x) => gpu.tensor(Float32Array.from(x), [6, 33]));
  const weights = gpu.tensor(c.weights), flag = gpu.persistent([3]);
  const program = await record(gpu, () => {
    const result = loss.forward(s, t, weights, { updateCenter: false });
    loss.updateCenter(result, flag);
    return result;
  });
  for (const set of [0, 1, 0]) {
    flag.write(Uint32Array.of(set, 0, 0));
    loss.center.write(c.center);
    program.run();
    const { metrics, gradStudent } = program.outputs;
    const [m, g, center] = await gpu.read([metrics, gradStudent, loss.center]);
    assert.deepEqual([m, g], [expected.metrics, expected.gradStudent]);
    assert.deepEqual(center, set ? c.center : expected.center);
  }
  for (const x of [program, loss, s, t, weights, flag]) x.destroy();
});

gpuTest("ibotLoss() takes arrays, and checks them", async (gpu) => {
  const c = ibotCase([4, 6], { padding: 1 });
  const [student, teacher] = [c.student, c.teacher].map((x) => Float32Array.from(x));
  const found = await ibotLoss({
    ...ibotSettings(c),
    student,
    teacher,
    weights: c.weights,
    center: c.center,
    gpu,
  });
  const expected = ibotLossReference(c);
  assertClose([found.loss, found.kl, found.masked], [expected.loss, expected.kl, 3], 5e-6);
  assertClose(found.gradStudent, expected.gradStudent, 1e-5);
  assertClose(found.center, expected.center, 5e-6);
  const even = await ibotLoss({ outDim: 6, student, teacher, gpu });
  assertClose([even.loss], [ibotLossReference({ outDim: 6, student, teacher }).loss], 5e-6);
  const wrong: [Partial<Parameters<typeof ibotLoss>[0]>, RegExp][] = [
    [{ teacher: teacher.subarray(6) }, /found Float32Array of 24, Float32Array of 18 and/],
    [{ student: student.subarray(1) }, /\[M, 6\].* found Float32Array of 23/],
    [{ weights: new Float32Array(3) }, /and Float32Array of 3: row m/],
    [
      { student: student.map((x, i) => i === 13 ? NaN : x) },
      /finite numbers in student but found NaN in row 2, column 1/,
    ],
    [
      { weights: Float32Array.of(0, 1, Infinity, 0) },
      /finite numbers in weights but found Infinity in row 2/,
    ],
    [{ weight: -1 }, /IbotLoss: expected weight to be a number, 0 or more and finite but found -1/],
    [{ teacherTemp: 0 }, /IbotLoss: expected teacherTemp to be a number above 0/],
    [{ nCrops: 2 } as object, /IbotLoss: expected settings among .* but found nCrops/],
    [{ center: new Float32Array(5) }, /IbotLoss: expected center .* found Float32Array of 5/],
  ];
  for (const [settings, pattern] of wrong) {
    await assert.rejects(ibotLoss({ outDim: 6, student, teacher, gpu, ...settings }), pattern);
  }
});

gpuTest("IbotLoss says which tensor does not fit, and that it was destroyed", (gpu) => {
  const loss = new IbotLoss({ outDim: 5 });
  assert.throws(() => loss.center, /IbotLoss: expected a GPU for the centre/);
  gpu.scope(() => {
    const [a, w] = [gpu.empty([3, 5], "a"), gpu.empty([3], "w")];
    const wrong: [() => void, RegExp][] = [
      [
        () => loss.forward(gpu.empty([3, 4], "b"), a, w),
        /\[M, 5\].* found b\[3, 4\], a\[3, 5\] and w\[3\]/,
      ],
      [() => loss.forward(a, gpu.empty([2, 5], "b"), w), /found a\[3, 5\], b\[2, 5\] and w\[3\]/],
      [() => loss.forward(a, a, gpu.empty([2], "v")), /found a\[3, 5\], a\[3, 5\] and v\[2\]/],
      [() => loss.forward(a, a, undefined as never), /and undefined: row m/],
    ];
    for (const [run, pattern] of wrong) assert.throws(run, pattern);
    loss.destroy();
    assert.throws(
      () => loss.forward(a, a, w),
      /IbotLoss: expected a loss but this one was destroyed/,
    );
  });
  const temps: IbotLossOptions = { outDim: 1 };
  assert.throws(() => new IbotLoss(temps), /IbotLoss: expected outDim .* found 1/);
});
