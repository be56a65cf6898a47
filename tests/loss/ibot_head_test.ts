import assert from "node:assert/strict";
import type { Gpu } from "../../lib/gpu.ts";
import { IbotLoss, ibotLossReference, type IbotLossSettings } from "../../lib/loss.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { ibotCase, ibotExpected, ibotSettings } from "../support/ibot.ts";
import { logitsReference } from "../support/loss.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

/** Bottlenecks [M, D] of length 1 and last layers of K outputs; the last `padding` rows do not count. */
function headCase([rows, outDim, width]: readonly number[], padding: number) {
  const unit = (seed: number) => {
    const x = normals(rows * width, seed);
    return x.map((v, i) => v / Math.hypot(...x.subarray(i - i % width, i - i % width + width)));
  };
  const { student: _, teacher: __, ...c } = ibotCase([rows, outDim], { padding });
  return {
    ...c,
    width,
    x: unit(1),
    v: normals(outDim * width, 2, 3),
    g: normals(outDim, 3).map((x) => 1 + x / 4),
    teacherX: unit(4),
    teacherV: normals(outDim * width, 5),
    teacherG: new Float32Array(outDim).fill(1),
  };
}

type HeadCase = ReturnType<typeof headCase>;

/** With the logits that its layers make of its bottlenecks. */
const withLogits = (c: HeadCase) => ({
  ...c,
  student: logitsReference(c.x, c.v, c.g, c.width),
  teacher: logitsReference(c.teacherX, c.teacherV, c.teacherG, c.width),
});

/** forwardHead on the GPU; the gradients of the layer start at `filled` and are added to. */
async function run(gpu: Gpu, c: HeadCase, settings: Partial<IbotLossSettings>, filled = 0) {
  const loss = new IbotLoss({ ...ibotSettings(c), ...settings, gpu, center: c.center });
  const made = gpu.scope(() => {
    const weight = (values: Float32Array, shape: number[]) => ({
      data: gpu.tensor(values, shape),
      grad: gpu.tensor(new Float32Array(values.length).fill(filled), shape),
      filled: filled !== 0,
    });
    const head = (x: Float32Array, v: Float32Array, g: Float32Array) => ({
      bottleneck: gpu.tensor(x, [x.length / c.width, c.width]),
      lastLayer: { weightV: weight(v, [c.outDim, c.width]), weightG: weight(g, [c.outDim, 1]) },
    });
    const student = head(c.x, c.v, c.g), teacher = head(c.teacherX, c.teacherV, c.teacherG);
    const result = loss.forwardHead(student, teacher, gpu.tensor(c.weights));
    const { weightV, weightG } = student.lastLayer;
    const { metrics, gradBottleneck, batchMean } = result;
    return [metrics, gradBottleneck, weightV.grad, weightG.grad, batchMean];
  });
  const [metrics, x, v, g, batchMean, center] = await gpu.read([...made, loss.center]);
  for (const t of [...made, loss]) t.destroy();
  return { metrics, x, v, g, batchMean, center };
}

// [M, K, D]: whole chunks and a rest; one column left over; fewer rows than a vec4.
for (const [rows, outDim, width, padding] of [[5, 200, 9, 2], [8, 129, 16, 1], [2, 70, 5, 0]]) {
  gpuTest(
    `IbotLoss.forwardHead() equals f64 at [M, K, D] = [${rows}, ${outDim}, ${width}]`,
    async (gpu) => {
      const c = headCase([rows, outDim, width], padding);
      const expected = ibotExpected(withLogits(c));
      const one = await run(gpu, c, { chunkSize: 64, weight: 0.5 });
      for (const key of ["x", "v", "g"] as const) {
        const objective = (value: Float64Array) => [
          0.5 * ibotLossReference(withLogits({ ...c, [key]: value })).loss,
        ];
        assertGradient(one[key], objective, [c[key]], 0, [1], 2e-5, key);
      }
      assert.ok(one.x.subarray((rows - padding) * width).every((g) => g === 0), "padding");
      await eachLanes(gpu, async (lanes) => {
        for (const chunkSize of [64, outDim]) {
          const what = `chunks of ${chunkSize}, ${lanes}`;
          const found = await run(gpu, c, { chunkSize, weight: 0.5 });
          assertClose(found.metrics, expected.metrics, 5e-6, `metrics, ${what}`);
          assertClose(found.center, expected.center, 5e-6, `centre, ${what}`);
          assertClose(found.batchMean, expected.batchMean, 5e-6, `mean, ${what}`);
          for (const key of ["x", "v", "g"] as const) {
            assertClose(found[key], one[key], 5e-6, `${key}, ${what}`);
          }
        }
      });
    },
  );
}

gpuTest(
  "IbotLoss.forwardHead() gives in chunks what it gives at once, and adds to gradients",
  async (gpu) => {
    const c = headCase([7, 300, 12], 3);
    for (const centering of ["center", "sinkhorn_knopp", "none"] as const) {
      const center = centering === "center" ? c.center : undefined!;
      const whole = await run(gpu, { ...c, center }, { centering });
      const chunks = await run(gpu, { ...c, center }, { centering, chunkSize: 64 }, 3);
      for (const key of ["metrics", "x", "batchMean", "center"] as const) {
        assertClose(chunks[key], whole[key], 5e-6, `${key}, ${centering}`);
      }
      for (const key of ["v", "g"] as const) {
        assertClose(chunks[key], whole[key].map((x) => x + 3), 2e-6, `${key}, ${centering}`);
      }
    }
  },
);

gpuTest("IbotLoss.forwardHead() says which layer does not fit", (gpu) => {
  const loss = new IbotLoss({ outDim: 10, gpu });
  gpu.scope(() => {
    const head = (rows: number, width: number, outDim = 10) => ({
      bottleneck: gpu.empty([rows, width], "x"),
      lastLayer: {
        weightV: { data: gpu.empty([outDim, width], "v") },
        weightG: { data: gpu.empty([outDim, 1], "g") },
      },
    });
    const weights = gpu.empty([3], "w");
    assert.throws(
      () => loss.forwardHead(head(3, 4, 9), head(3, 4), weights),
      /IbotLoss: expected a last layer of weightV \[10, D\].* found v\[9, 4\] and g\[9, 1\]/,
    );
    assert.throws(
      () => loss.forwardHead(head(3, 4), head(2, 4), weights),
      /\[M, 4\] and weights \[M\].* found x\[3, 4\], x\[2, 4\] and w\[3\]/,
    );
  });
  loss.destroy();
});
