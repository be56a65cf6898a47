/**
 * Start reading here: Hatchling from a tensor to a training step, in the order in which it is built up.
 *
 * Everything below is imported from `mod.ts` and `lib/ops.ts`, as your own scripts would.
 */
import assert from "node:assert/strict";
import { DinoLoss, DinoModel, initialize, openGpu, Parameters, record, Trainer } from "../mod.ts";
import { linear } from "../lib/ops.ts";
import { lacksAdapter } from "./support/gpu.ts";
import { testUnless } from "./support/permissions.ts";

testUnless([lacksAdapter], "a tour of Hatchling", async () => {
  // A GPU is opened once. Nothing before this line has touched one.
  const gpu = await openGpu();

  // A tensor is a shape over GPU memory: 2 rows of 3 numbers. Reading it back is the only thing to wait for.
  const x = gpu.tensor(new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3]);
  assert.deepEqual(await x.read(), new Float32Array([1, 2, 3, 4, 5, 6]));

  // An op computes y, and its `backward` turns dL/dy into dL/dx. A weight has data and, when it is trained,
  // a gradient that `backward` fills: dL/dW [out, in]. There is no tape: each op's rule is in lib/ops.
  const w = { data: gpu.tensor(new Float32Array([1, 0, -1]), [1, 3]), grad: gpu.empty([1, 3]) };
  const dy = gpu.tensor(new Float32Array([1, 10]), [2, 1]);
  const { y, backward } = linear(gpu, x, w); // y = x Wᵀ
  const dx = backward(dy)!;
  assert.deepEqual([...await y.read()], [-2, -2]); // 1 − 3 and 4 − 6
  assert.deepEqual([...await dx.read()], [1, 0, -1, 10, 0, -10]); // dy W
  assert.deepEqual([...await w.grad.read()], [41, 52, 63]); // dyᵀ x

  // GPU memory is not collected as garbage: who allocates, frees. `gpu.memory` counts what is left.
  for (const tensor of [x, w.data, w.grad, dy, y, dx]) tensor.destroy();
  assert.equal(gpu.memory.liveBytes, 0);

  // A model is a description without state: a vision transformer and its DINO head with 16 outputs. Its
  // parameters have timm's names and lie in one arena; they start from a seed, the same on every machine.
  const model = new DinoModel(
    { imageSize: 8, patchSize: 4, dim: 16, depth: 1, heads: 2 },
    { outDim: 16, hiddenDim: 32, bottleneckDim: 8 },
  );
  const params = new Parameters(gpu, model.specs());
  params.load(initialize(model.specs(), 0));

  // Two views of four images [2 · 4, 3, 8, 8]: a stripe pattern per image, the second view is brighter.
  const crops = gpu.tensor(
    Float32Array.from({ length: 8 * 192 }, (_, i) => {
      const view = Math.floor(i / (4 * 192)), image = Math.floor(i / 192) % 4;
      return Math.sin(i * (image + 1)) + view;
    }),
    [8, 3, 8, 8],
  );

  // The loss: the student's view of an image has to predict the teacher's other view of it. `gpu.scope`
  // frees what is made inside and not returned. Cross-entropy is never below the entropy of its target.
  const loss = new DinoLoss({ outDim: 16, nCrops: 2 });
  const { metrics } = gpu.scope(() => {
    const { logits } = model.forward(gpu, params, [crops]);
    return { metrics: loss.forward(logits, logits).metrics };
  });
  const [first, teacherEntropy] = await metrics.read();
  assert.ok(first >= teacherEntropy && teacherEntropy >= 0);
  for (const part of [metrics, loss, params]) part.destroy();

  // Training: the trainer holds student, teacher, centre and optimiser. Its step is recorded once, planned
  // and compiled; every run then replays it with new numbers, one submit and no allocation.
  const trainer = new Trainer(gpu, model, { loss: { nCrops: 2 }, clip: 3 });
  trainer.load(initialize(model.specs(), 0));
  const program = await record(gpu, () => trainer.step([crops]));
  const losses: number[] = [];
  for (let step = 0; step < 10; step++) {
    trainer.set({
      step,
      teacherTemp: 0.04,
      momentum: 0.996,
      lr: 3e-3,
      weightDecay: 0.04,
      freezeLastLayer: false,
    });
    program.run();
    losses.push((await program.outputs.metrics.read())[0]);
  }
  assert.ok(
    losses[9] < losses[0] - 0.1,
    `the loss did not fall: ${losses.map((l) => l.toFixed(3))}`,
  );

  // And nothing is left behind.
  for (const part of [program, trainer, crops]) part.destroy();
  assert.equal(gpu.memory.liveBytes, 0);
  gpu.destroy();
});
