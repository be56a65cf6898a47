import assert from "node:assert/strict";
import { type Gpu, record, type Tensor } from "../../lib/gpu.ts";
import { infoNceReference } from "../../lib/loss.ts";
import { DinoModel, FEATURES, initialize, Parameters } from "../../lib/model.ts";
import { readFeatures } from "../../lib/model/reads.ts";
import { type StepValues, Trainer, type TrainerOptions } from "../../lib/train.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";

const BATCH = 3, VIEWS = 3;
const VIT = { imageSize: 12, patchSize: 4, dim: 8, depth: 2, heads: 2, initStd: 0.3 };
const HEAD = { outDim: 10, hiddenDim: 12, bottleneckDim: 6 };
const CONTRASTIVE = { feature: "quad", hiddenDim: 10, outDim: 6 } as const;
const STILL: StepValues = {
  step: 0,
  teacherTemp: 0.04,
  momentum: 1,
  lr: 0,
  weightDecay: 0,
  freezeLastLayer: false,
};

function cropsOf(gpu: Gpu): Tensor[] {
  return [[2 * BATCH, 3, 12, 12], [BATCH, 3, 8, 8]].map((shape, i) => {
    const tensor = gpu.persistent(shape);
    tensor.write(normals(tensor.size, 7 + i));
    return tensor;
  });
}

/** What a step at rest leaves: its gradients by name, and outputs. */
async function stepOf(gpu: Gpu, model: DinoModel, options: Partial<TrainerOptions>) {
  using trainer = new Trainer(gpu, model, { loss: { nCrops: VIEWS }, clip: 0, ...options });
  trainer.load(initialize(model.specs(), 1));
  const crops = cropsOf(gpu);
  const program = await record(gpu, () => trainer.step(crops));
  trainer.set(STILL);
  program.run();
  const grads = new Map<string, Float32Array>();
  for (const { name, grad } of trainer.student.all) if (grad) grads.set(name, await grad.read());
  const { metrics, contrastive, pairLoss } = program.outputs;
  const [loss] = await metrics.read();
  const found = {
    grads,
    loss,
    hasTeacher: !!trainer.teacher,
    pairs: await pairLoss.read(),
    contrastive: contrastive && await contrastive.loss.read(),
    accuracy: contrastive && await contrastive.accuracy.read(),
  };
  for (const t of [program, ...crops]) t.destroy();
  return found;
}

gpuTest("a step's gradients are the sum of those of its terms", async (gpu) => {
  const both = await stepOf(gpu, new DinoModel(VIT, HEAD, { contrastive: CONTRASTIVE }), {
    contrastive: { weight: 0.5 },
  });
  const dino = await stepOf(gpu, new DinoModel(VIT, HEAD), {});
  // The same weights: their streams go by place, so the head's come from the model with both.
  assert.ok(both.hasTeacher && dino.hasTeacher);
  assert.equal(dino.contrastive, undefined);
  assert.equal(both.loss, dino.loss, "DINO's loss does not hold the other");
  const none = await stepOf(gpu, new DinoModel(VIT, HEAD, { contrastive: CONTRASTIVE }), {
    contrastive: { weight: 0 },
  });
  const twice = await stepOf(gpu, new DinoModel(VIT, HEAD, { contrastive: CONTRASTIVE }), {
    contrastive: { weight: 1 },
  });
  for (const [name, values] of both.grads) {
    if (name.startsWith("contrastive")) continue;
    assertClose(none.grads.get(name)!, dino.grads.get(name)!, 2e-5, name);
    const middle = twice.grads.get(name)!.map((x, i) => (x + none.grads.get(name)![i]) / 2);
    assertClose(values, middle, 2e-5, name);
  }
  const head = "contrastive_head.mlp.0.weight";
  assert.ok(none.grads.get(head)!.every((x) => x === 0));
  assertClose(both.grads.get(head)!.map((x) => 2 * x), twice.grads.get(head)!, 2e-5, head);
});

gpuTest("InfoNCE alone has no teacher, and the loss and slopes of its reference", async (gpu) => {
  const model = new DinoModel(VIT, null, {
    contrastive: { ...CONTRASTIVE, learnedTemperature: 0.2 },
  });
  const found = await stepOf(gpu, model, { contrastive: { temperature: 0.7 } });
  assert.equal(found.hasTeacher, false);
  assert.deepEqual([...found.contrastive!], [found.loss]);
  const crops = cropsOf(gpu);
  const params = new Parameters(gpu, model.specs());
  const weights = initialize(model.specs(), 1);
  const reference = async (changed: ReadonlyMap<string, Float32Array>) => {
    params.load(changed);
    const { y } = gpu.scope(() => {
      const { feature } = model.contrastive!;
      const reads = readFeatures(gpu, model.backbone, params, crops, { features: [feature] });
      return { y: model.contrastive!.forward(gpu, params, reads.feature(feature)).y };
    });
    const queries = await y.read();
    y.destroy();
    const [logScale] = changed.get("contrastive_head.logit_scale")!;
    return infoNceReference({
      queries,
      dim: CONTRASTIVE.outDim,
      views: VIEWS,
      temperature: Math.exp(-logScale),
    });
  };
  const { loss, accuracy } = await reference(weights);
  assert.ok(Math.abs(found.loss - loss) < 1e-5 * loss, `${found.loss} and ${loss}`);
  assert.ok(Math.abs(found.accuracy![0] - accuracy) < 1e-6);
  const H = 2e-2;
  for (
    const name of [
      "contrastive_head.logit_scale",
      "contrastive_head.mlp.2.bias",
      "norm.bias",
      "blocks.1.mlp.fc2.bias",
      "patch_embed.proj.bias",
    ]
  ) {
    const at = 0;
    const moved = async (by: number) => {
      const values = weights.get(name)!.slice();
      values[at] += by;
      return (await reference(new Map([...weights, [name, values]]))).loss;
    };
    const slope = (await moved(H) - await moved(-H)) / (2 * H);
    const gradient = found.grads.get(name)![at];
    assert.ok(
      Math.abs(gradient - slope) < 2e-2 * Math.max(0.02, Math.abs(slope)),
      `${name}: ${gradient} and ${slope}`,
    );
  }
  for (const t of [params, ...crops]) t.destroy();
});

gpuTest("keys of the teacher get no gradient of their own", async (gpu) => {
  const model = () => new DinoModel(VIT, null, { contrastive: CONTRASTIVE });
  const own = await stepOf(gpu, model(), {});
  const teacher = await stepOf(gpu, model(), { contrastive: { teacherKeys: true } });
  assert.deepEqual([own.hasTeacher, teacher.hasTeacher], [false, true]);
  assert.ok(Math.abs(own.loss - teacher.loss) < 1e-6, "the teacher is a copy at first");
  assert.notDeepEqual(own.grads.get("norm.weight"), teacher.grads.get("norm.weight"));
});

gpuTest("gradients of several features of one pass add up", async (gpu) => {
  const model = new DinoModel(VIT, HEAD);
  const crops = cropsOf(gpu);
  const params = new Parameters(gpu, model.specs(), { grad: true });
  params.load(initialize(model.specs(), 2));
  const sequences = 3 * BATCH;
  const gradientOf = async (words: readonly (typeof FEATURES)[number][]) => {
    const program = await record(gpu, () => {
      const reads = readFeatures(gpu, model.backbone, params, crops, { features: words });
      params.zeroGrad();
      for (const word of words) {
        const { shape, size } = reads.feature(word);
        assert.equal(shape[0], sequences);
        reads.give(word, gpu.tensor(normals(size, word.length), shape));
      }
      reads.backward();
      return {};
    });
    program.run();
    const found = await params.get("patch_embed.proj.weight").grad!.read();
    program.destroy();
    return found;
  };
  const all = await gradientOf(FEATURES);
  const sum = new Float64Array(all.length);
  for (const word of FEATURES) (await gradientOf([word])).forEach((x, i) => sum[i] += x);
  assertClose(all, Float32Array.from(sum), 1e-4, "patch_embed.proj.weight");
  for (const t of [params, ...crops]) t.destroy();
});

gpuTest("a model's heads and a trainer's settings belong together", (gpu) => {
  assert.throws(() => new DinoModel(VIT, null), /expected a head to train through/);
  const alone = new DinoModel(VIT, null, { contrastive: CONTRASTIVE });
  assert.throws(
    () => new Trainer(gpu, alone, { loss: { nCrops: 3, koleoWeight: 0.1 }, clip: 0 }),
    /koleoWeight 0 without DINO's head/,
  );
  assert.throws(
    () =>
      new Trainer(gpu, new DinoModel(VIT, HEAD), {
        loss: { nCrops: 3 },
        clip: 0,
        contrastive: {},
      }),
    /expected a model with a contrastive head/,
  );
  using none = new Parameters(gpu, []);
  assert.throws(() => alone.forward(gpu, none, []), /expected DINO's head/);
  return Promise.resolve();
});
