import assert from "node:assert/strict";
import { type Gpu, record } from "../../lib/gpu.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../lib/io/checkpoint.ts";
import { DinoModel, initialize } from "../../lib/model.ts";
import { LAST_LAYER, type StepValues, Trainer } from "../../lib/train.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { assertPaddingZero } from "../support/parameters.ts";

const BATCH = 3, K = 10;

/** A step that changes nothing: for a look at its gradients. */
const STILL: StepValues = {
  step: 0,
  teacherTemp: 0.04,
  momentum: 1,
  lr: 0,
  weightDecay: 0,
  freezeLastLayer: false,
};

/** A trainer with a recorded step over two global and one local view, on crops that differ by step. */
async function setUp(gpu: Gpu, seed = 1, studentTemp = 0.1) {
  const model = new DinoModel(
    { imageSize: 8, patchSize: 4, dim: 8, depth: 2, heads: 2, dropPathRate: 0.3 },
    { outDim: K, hiddenDim: 12, bottleneckDim: 6 },
  );
  const trainer = new Trainer(gpu, model, {
    loss: { nCrops: 3, centerMomentum: 0.8, studentTemp },
    clip: 0.3,
    seed,
  });
  trainer.load(initialize(model.specs(), seed));
  const crops = [gpu.persistent([2 * BATCH, 3, 8, 8]), gpu.persistent([BATCH, 3, 4, 4])];
  const program = await record(gpu, () => trainer.step(crops));
  const arenas = [
    ...trainer.student.data,
    ...trainer.teacher!.data,
    ...[...trainer.optimizer.moments.values()].flat(),
    trainer.loss!.center,
  ];
  return {
    model,
    trainer,
    program,
    /** Runs steps `from` up to, and without, `to`. */
    train(from: number, to: number, change: Partial<StepValues> = {}, spoil?: number) {
      for (let step = from; step < to; step++) {
        crops.forEach((t, i) => {
          const values = normals(t.size, 1000 + 2 * step + i);
          if (spoil !== undefined) values[5] = spoil;
          t.write(values);
        });
        trainer.set({
          step,
          teacherTemp: 0.04,
          momentum: 0.9 + 0.01 * step,
          lr: 0.01,
          weightDecay: 0.1,
          freezeLastLayer: step < 2,
          ...change,
        });
        program.run();
      }
    },
    /** Everything that training changes, as bits: NaN compares as well. */
    async state(): Promise<Uint32Array[]> {
      return (await gpu.read(arenas)).map((values) => new Uint32Array(values.buffer));
    },
    destroy() {
      for (const part of [program, trainer, ...crops]) part.destroy();
    },
  };
}

gpuTest("Trainer gives the same bits from the same seed", async (gpu) => {
  const [a, b, c] = [await setUp(gpu), await setUp(gpu), await setUp(gpu, 2)];
  for (const run of [a, b, c]) run.train(0, 4);
  const bits = await a.state();
  assert.deepEqual(await b.state(), bits);
  assert.notDeepEqual(await c.state(), bits);
  for (const run of [a, b, c]) run.destroy();
});

gpuTest("Trainer goes on from a checkpoint's bytes as if it had never stopped", async (gpu) => {
  const whole = await setUp(gpu);
  whole.train(0, 3);
  const { trainer } = whole;
  const bytes = encodeCheckpoint({
    step: 3,
    epoch: 0,
    shapes: new Map(trainer.student.all.map(({ name, spec }) => [name, spec.shape])),
    student: await trainer.student.save(),
    teacher: await trainer.teacher!.save(),
    moments: await trainer.optimizer.save(),
    stepCounts: { all: trainer.optimizer.counts[0], last: trainer.optimizer.counts[LAST_LAYER] },
    buffers: new Map([["center", await trainer.loss!.center.read()]]),
    config: null,
  });
  whole.train(3, 6);

  const resumed = await setUp(gpu, 1);
  const state = await decodeCheckpoint(bytes);
  resumed.trainer.student.load(state.student);
  resumed.trainer.teacher!.load(state.teacher);
  resumed.trainer.optimizer.load(state.moments);
  resumed.trainer.loss!.center.write(state.buffers.get("center")!);
  assert.deepEqual(state.stepCounts, { all: 3, last: 1 }, "frozen in steps 0 and 1");
  const { all, last } = state.stepCounts;
  resumed.trainer.setCounts({ done: all, frozen: all - last });
  resumed.train(3, 6);
  assert.deepEqual(await resumed.state(), await whole.state());
  for (const run of [whole, resumed]) run.destroy();
});

gpuTest("Trainer.step() does its parts in DINO's order", async (gpu) => {
  const { trainer, model, program, train, destroy } = await setUp(gpu);
  train(0, 1); // the last layer is frozen
  const start = initialize(model.specs(), 1);
  const [student, teacher] = [await trainer.student.save(), await trainer.teacher!.save()];
  const [mean, [loss, entropy], center] = await gpu.read([
    program.outputs.batchMean!,
    program.outputs.metrics,
    trainer.loss!.center,
  ]);
  // The centre was zero for this step, and then moved by the mean of the teacher's raw logits.
  assertClose(center, mean.map((v) => 0.2 * v), 1e-6, "centre");
  assert.ok(loss >= entropy && entropy > 0);
  for (const { name } of trainer.student.all) {
    const [from, to] = [start.get(name)!, student.get(name)!];
    if (name.startsWith("head.last_layer.")) assert.deepEqual(to, from, `${name} is frozen`);
    else assert.notDeepEqual(to, from, `${name} moves`);
    // The teacher starts as a copy and follows the student's new weights.
    assertClose(teacher.get(name)!, to.map((v, i) => 0.9 * from[i] + 0.1 * v), 1e-6, name);
  }
  // Each tensor by itself is clipped: its first moment shows the gradient that the optimiser saw.
  const expAvg = (await trainer.optimizer.save()).get("exp_avg")!;
  const norms = (await gpu.read(program.outputs.norms.map((chunk) => chunk.norms))).flatMap((
    v,
  ) => [...v]);
  let clipped = 0;
  program.outputs.norms.flatMap((chunk) => chunk.names).forEach((name, i) => {
    if (name.startsWith("head.last_layer.")) return;
    if (norms[i] > 0.3) clipped++;
    assertClose([Math.hypot(...expAvg.get(name)!)], [0.1 * Math.min(norms[i], 0.3)], 1e-5, name);
  });
  assert.ok(clipped > 0, "nothing was clipped");
  destroy();
});

gpuTest("Trainer leaves zeros between its tensors, gradients included", async (gpu) => {
  const { trainer, train, destroy } = await setUp(gpu);
  train(0, 3);
  const { student, teacher, optimizer } = trainer;
  for (const arena of [student.data, student.grads, teacher!.data, ...optimizer.moments.values()]) {
    await assertPaddingZero(gpu, student, arena, arena[0].toString());
  }
  destroy();
});

gpuTest("Trainer adds KoLeo's gradient to that of the global views' features", async (gpu) => {
  const biases: Float32Array[] = [];
  const model = new DinoModel(
    { imageSize: 8, patchSize: 4, dim: 8, depth: 1, heads: 2 },
    { outDim: K, hiddenDim: 12, bottleneckDim: 6 },
  );
  const crops = [[2 * BATCH, 3, 8, 8], [BATCH, 3, 4, 4]].map((shape, i) => {
    const tensor = gpu.persistent(shape);
    tensor.write(normals(tensor.size, i));
    return tensor;
  });
  let expected: Float32Array = new Float32Array();
  for (const koleoWeight of [0, 0.5]) {
    const loss = { nCrops: 3, koleoWeight };
    const trainer = new Trainer(gpu, model, { loss, clip: 0 });
    trainer.load(initialize(model.specs(), 1));
    if (koleoWeight) {
      const { gradFeatures, koleo: value } = gpu.scope(() => {
        const { features } = model.forward(gpu, trainer.student, crops);
        const { loss, gradFeatures } = trainer.loss!.koleo(features)!;
        return { gradFeatures, koleo: loss };
      });
      expected = await gradFeatures.read();
      assert.ok(Number.isFinite((await value.read())[0]));
      for (const t of [gradFeatures, value]) t.destroy();
    }
    const program = await record(gpu, () => trainer.step(crops));
    assert.equal(!!program.outputs.koleo, koleoWeight > 0);
    trainer.set(STILL);
    program.run();
    biases.push(await trainer.student.get("norm.bias").grad!.read());
    for (const part of [program, trainer]) part.destroy();
  }
  // The features are the last norm's output: its bias gets the sum over their rows.
  const sums = Array.from({ length: 8 }, (_, d) => {
    return expected.reduce((sum, x, i) => sum + (i % 8 === d ? x : 0), 0);
  });
  assert.equal(expected.length, 2 * BATCH * 8);
  assertClose(biases[1].map((x, d) => x - biases[0][d]), sums, 1e-4, "norm.bias");
  for (const t of crops) t.destroy();
});

gpuTest("Trainer finds the same gradients with logits in chunks, in less memory", async (gpu) => {
  const model = new DinoModel(
    { imageSize: 8, patchSize: 4, dim: 8, depth: 1, heads: 2 },
    { outDim: 2000, hiddenDim: 12, bottleneckDim: 6 },
  );
  const crops = gpu.tensor(normals(3 * BATCH * 192, 5), [3 * BATCH, 3, 8, 8]);
  const views = [crops.view([6, 3, 8, 8]), crops.view([3, 3, 8, 8], 6 * 192)];
  const found: { grads: Float32Array[]; bytes: number }[] = [];
  for (const chunkSize of [undefined, 128]) {
    const trainer = new Trainer(gpu, model, { loss: { nCrops: 3, chunkSize }, clip: 0 });
    trainer.load(initialize(model.specs(), 1));
    const program = await record(gpu, () => trainer.step(views));
    trainer.set(STILL);
    program.run();
    found.push({ grads: await gpu.read(trainer.student.grads), bytes: program.temporaryBytes });
    for (const part of [program, trainer]) part.destroy();
  }
  const [whole, chunked] = found;
  whole.grads.forEach((grad, i) => assertClose(chunked.grads[i], grad, 1e-5, `chunk ${i}`));
  assert.ok(chunked.bytes < whole.bytes, `${chunked.bytes} bytes, not below ${whole.bytes}`);
  crops.destroy();
});

for (const value of [NaN, Infinity]) {
  gpuTest(`Trainer undoes a step with ${value} in a picture, and all after it`, async (gpu) => {
    const { trainer, train, state, destroy } = await setUp(gpu);
    train(0, 3);
    const before = await state();
    train(3, 4, {}, value);
    assert.deepEqual(await state(), before);
    assert.deepEqual([...await trainer.flag.readU32()], [4, 1, 0], "step 3, the loss");
    train(4, 6); // sound pictures again, but nobody has looked at the flag
    assert.deepEqual(await state(), before);
    assert.deepEqual([...await trainer.flag.readU32()], [4, 1, 0]);
    trainer.clearFlag();
    train(6, 7);
    assert.deepEqual([...await trainer.flag.readU32()], [0, 0, 0]);
    assert.notDeepEqual(await state(), before);
    destroy();
  });
}

gpuTest("Trainer names the gradient that is not finite", async (gpu) => {
  const { trainer, program, train, state, destroy } = await setUp(gpu, 1, 1e-4);
  // Weight norm ignores the length of v, but the gradient of v is that of the weight over it: the steep
  // loss and a v near the smallest f32 exceed the largest one.
  const weights = await trainer.student.save();
  weights.get("head.last_layer.weight_v")!.fill(2e-38);
  trainer.student.load(weights);
  const before = await state();
  train(0, 1);
  const names = program.outputs.norms.flatMap((chunk) => chunk.names);
  const [step, culprit] = await trainer.flag.readU32();
  assert.deepEqual([step, names[culprit - 2]], [1, "head.last_layer.weight_v"]);
  assert.ok(Number.isFinite((await program.outputs.metrics.read())[0]), "the loss is finite");
  assert.deepEqual(await state(), before);
  destroy();
});

gpuTest("Trainer takes the teacher's temperature with every step, and nowhere else", (gpu) => {
  const model = new DinoModel(
    { imageSize: 8, patchSize: 4, dim: 8, depth: 1, heads: 2 },
    { outDim: K, hiddenDim: 12, bottleneckDim: 6 },
  );
  const at = gpu.memory.liveBytes;
  assert.throws(
    // @ts-expect-error It would do nothing.
    () => new Trainer(gpu, model, { loss: { nCrops: 2, teacherTemp: 0.04 }, clip: 3 }),
    /expected no loss.teacherTemp but found 0.04: give it to set\(\) with every step/,
  );
  assert.throws(
    () => new Trainer(gpu, model, { loss: { nCrops: 2, studentTemp: 0 }, clip: 3 }),
    /studentTemp to be a number above 0/,
  );
  assert.equal(gpu.memory.liveBytes, at, "what is refused takes no memory");
});
