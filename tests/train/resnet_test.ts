/** Running statistics of a ResNet in training: whose they are, and when they move. */
import assert from "node:assert/strict";
import { type Gpu, record } from "../../lib/gpu.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../lib/io/checkpoint.ts";
import { DinoModel, initialize, Parameters, ResNet, RunningStats } from "../../lib/model.ts";
import { firstNonFinite, Trainer } from "../../lib/train.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";

const BATCH = 2, RATES = { teacherTemp: 0.04, momentum: 0.9, lr: 1e-3, weightDecay: 0.04 };

async function setUp(gpu: Gpu, { seed = 1, accumulationSteps = 1 } = {}) {
  const resnet = new ResNet({ layers: 18, imageSize: 32, width: 2 });
  const model = new DinoModel(resnet, { outDim: 8, hiddenDim: 8, bottleneckDim: 4 });
  const trainer = new Trainer(gpu, model, { loss: { nCrops: 3 }, clip: 3, accumulationSteps });
  trainer.load(initialize(model.specs(), seed));
  const crops = [gpu.persistent([2 * BATCH, 3, 32, 32]), gpu.persistent([BATCH, 3, 24, 24])];
  const micro = await record(gpu, () => trainer.microStep(crops));
  const update = await record(gpu, () => trainer.update());
  const begin = (step: number) => trainer.set({ step, freezeLastLayer: false, ...RATES });
  const microStep = (step: number, index: number, first?: number) => {
    trainer.setMicroBatch(index);
    crops.forEach((crop, i) => {
      const pixels = normals(crop.size, 10 * step + 100 * index + i);
      crop.write(first === undefined ? pixels : pixels.fill(first, 0, 1));
    });
    micro.run();
  };
  return {
    ...{ resnet, model, trainer, crops, begin, microStep, update: () => update.run() },
    step(step: number) {
      begin(step);
      for (let i = 0; i < accumulationSteps; i++) microStep(step, i);
      update.run();
    },
    async state() {
      const { student, teacher, optimizer } = trainer;
      return [await student.save(), await teacher!.save(), ...(await optimizer.save()).values()];
    },
    destroy() {
      for (const part of [micro, update, trainer, ...crops]) part.destroy();
    },
  };
}

type Values = ReadonlyMap<string, Float32Array>;
const running = (values: Values) =>
  new Map([...values].filter(([name]) => name.includes("running_")));

/** Equal bits, without a list of the differences. */
function assertSame(found: readonly Values[], expected: readonly Values[]): void {
  found.forEach((values, i) => {
    for (const [name, value] of values) {
      const other = expected[i].get(name)!;
      assert.ok(value.every((v, j) => Object.is(v, other[j])), `${name} of part ${i} differs`);
    }
  });
}

gpuTest("a ResNet goes on from a checkpoint's bytes as if it had never stopped", async (gpu) => {
  const whole = await setUp(gpu);
  for (const step of [0, 1]) whole.step(step);
  const { trainer } = whole;
  const [student, teacher] = [await trainer.student.save(), await trainer.teacher!.save()];
  assert.notDeepEqual(running(student), running(teacher));
  const bytes = encodeCheckpoint({
    step: 2,
    epoch: 0,
    shapes: new Map(trainer.student.all.map(({ name, spec }) => [name, spec.shape])),
    student,
    teacher,
    moments: await trainer.optimizer.save(),
    stepCounts: {},
    buffers: new Map([["center", await trainer.loss!.center.read()]]),
    config: null,
  });
  whole.step(2);

  const resumed = await setUp(gpu, { seed: 2 });
  const state = await decodeCheckpoint(bytes);
  assert.ok(state.student.has("bn1.running_mean"));
  assert.ok(!state.moments.get("exp_avg")!.has("bn1.running_mean"));
  resumed.trainer.student.load(state.student);
  resumed.trainer.teacher!.load(state.teacher);
  resumed.trainer.optimizer.load(state.moments);
  resumed.trainer.loss!.center.write(state.buffers.get("center")!);
  resumed.trainer.setCounts({ done: 2, frozen: 0 });
  resumed.step(2);
  assertSame(await resumed.state(), await whole.state());
  for (const run of [whole, resumed]) run.destroy();
});

gpuTest(
  "a step that is left, or comes to nothing, has moved no running statistics",
  async (gpu) => {
    const [left, plain] = [await setUp(gpu), await setUp(gpu)];
    const before = await left.state();
    left.begin(0);
    left.microStep(5, 0);
    assertSame(await left.state(), before);
    left.trainer.setCounts({ done: 0, frozen: 0 });
    for (const run of [left, plain]) run.step(0);
    assertSame(await left.state(), await plain.state());

    const good = await left.state();
    left.begin(1);
    left.microStep(1, 0, NaN);
    left.update();
    assert.notEqual((await left.trainer.flag.read())[0], 0);
    assertSame(await left.state(), good);
    for (const run of [left, plain]) run.destroy();
  },
);

gpuTest(
  "micro-batches move running statistics one after the other, each by its own",
  async (gpu) => {
    const run = await setUp(gpu, { accumulationSteps: 2 });
    const start = await run.trainer.teacher!.save();
    // By hand: the teacher sees the global views of one micro-batch after the other.
    const params = new Parameters(gpu, run.model.specs());
    params.load(start);
    for (const index of [0, 1]) {
      const crop = gpu.tensor(normals(run.crops[0].size, 100 * index), run.crops[0].shape);
      const stats = new RunningStats(gpu, params);
      stats.begin();
      gpu.scope(() => {
        run.resnet.forward(gpu, params, [crop], { stats });
        return [];
      });
      stats.commit();
      for (const t of [stats, crop]) t.destroy();
    }
    run.step(0);
    const expected = running(await params.save()),
      found = running(await run.trainer.teacher!.save());
    assert.deepEqual(found, expected);
    const [mean, first] = [found, running(start)].map((of) => of.get("bn1.running_mean")!);
    assert.ok(mean.some((v, i) => v !== first[i]));
    for (const part of [run, params]) part.destroy();
  },
);

gpuTest("firstNonFinite() looks through a ResNet as the step normalises it", async (gpu) => {
  const { model, trainer, crops, destroy } = await setUp(gpu);
  crops.forEach((crop, i) => crop.write(normals(crop.size, i)));
  const { student, teacher } = trainer;
  assert.equal(await firstNonFinite(gpu, { model, student, teacher, crops }), undefined);
  // Finite by the running statistics, which say variance 1, but not by the batch's.
  const weights = await student.save();
  const scale = weights.get("layer3.0.bn2.weight")!.fill(3e38);
  student.load(new Map([...weights, ["layer3.0.bn2.weight", scale]]));
  const found = await firstNonFinite(gpu, { model, student, teacher, crops });
  assert.match(found!.name, /^student\.layer3\.0$/);
  destroy();
});

gpuTest("evaluation normalises by the running statistics, picture by picture", async (gpu) => {
  const { resnet, trainer, step, destroy } = await setUp(gpu);
  step(0);
  const x = normals(2 * 3 * 32 * 32, 6);
  const features = async (some: Float32Array) => {
    const images = gpu.tensor(some, [some.length / 3072, 3, 32, 32]);
    const { y } = gpu.scope(() => ({ y: resnet.forward(gpu, trainer.evaluated, [images]).y }));
    const values = await y.read();
    for (const t of [images, y]) t.destroy();
    return values;
  };
  const both = await features(x);
  assertClose(both.subarray(16), await features(x.subarray(3072)), 1e-6);
  destroy();
});
