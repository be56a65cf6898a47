import assert from "node:assert/strict";
import { type Gpu, record, type Tensor } from "../lib/gpu.ts";
import { DinoModel, initialize, Parameters } from "../lib/model.ts";
import { firstNonFinite, type NonFinite, type StepAddress } from "../lib/non_finite.ts";
import { Trainer } from "../lib/train.ts";
import { gpuTest } from "./support/gpu.ts";
import { normals } from "./support/numbers.ts";

const GLOBAL = [4, 3, 8, 8], LOCAL = [6, 3, 4, 4], DIM = 8, K = 10;
/** Twice this is more than f32 holds. */
const HUGE = 3e38;

/** What a test spoils. */
interface Spoils {
  pictures?: (crops: Float32Array[]) => void;
  student?: (name: string, weights: Float32Array) => void;
  teacher?: (name: string, weights: Float32Array) => void;
}

/** A model's weights and crops, spoilt. */
function setUp(gpu: Gpu, spoils: Spoils, shapes = [GLOBAL, LOCAL], outDim = K, dropPathRate = 0) {
  const model = new DinoModel(
    { imageSize: shapes[0][3], patchSize: 4, dim: DIM, depth: 2, heads: 2, dropPathRate },
    { outDim, hiddenDim: 12, bottleneckDim: 4 },
  );
  const [student, teacher] = (["student", "teacher"] as const).map((who) => {
    const weights = initialize(model.specs(), 0);
    for (const [name, values] of weights) spoils[who]?.(name, values);
    const params = new Parameters(gpu, model.specs());
    params.load(weights);
    return params;
  });
  const pictures = shapes.map((shape, i) => normals(shape.reduce((a, b) => a * b, 1), i));
  spoils.pictures?.(pictures);
  const crops = pictures.map((values, i) => gpu.tensor(values, shapes[i]));
  const destroy = () => [student, teacher, ...crops].forEach((part) => part.destroy());
  return { model, student, teacher, crops, destroy };
}

/** What is found with these spoils. */
async function find(gpu: Gpu, spoils: Spoils, ...rest: [number[][]?, number?]) {
  const state = setUp(gpu, spoils, ...rest);
  const found = await firstNonFinite(gpu, state);
  state.destroy();
  return found;
}

/** A spoil of one weight. */
const set = (tensor: string, ...spoilt: [index: number, value: number][]) => {
  return (name: string, values: Float32Array) => {
    if (name === tensor) { for (const [index, value] of spoilt) values[index] = value; }
  };
};

const brief = (found?: NonFinite) =>
  found && [found.name, found.views, found.index, found.value, found.count];

gpuTest("firstNonFinite() finds nothing among finite numbers, however large", async (gpu) => {
  const pictures = ([global]: Float32Array[]) => void global.fill(1e15, 0, 50);
  assert.equal(await find(gpu, { pictures, student: set("cls_token", [0, 1e15]) }), undefined);
});

gpuTest("firstNonFinite() names the picture, its place and how many numbers", async (gpu) => {
  const pictures = ([, local]: Float32Array[]) => {
    local[4 * 48 + 2 * 16 + 3 * 4 + 1] = -Infinity;
    local.fill(NaN, 5 * 48, 5 * 48 + 7);
  };
  const found = await find(gpu, { pictures, student: set("norm.bias", [0, NaN]) });
  assert.deepEqual(brief(found), ["crops", "4×4", [4, 2, 3, 1], "-Infinity", 8]);
  assert.deepEqual(found!.shape, LOCAL);
  assert.equal(
    found!.text,
    "crops (4×4): -Infinity at [4, 2, 3, 1], the first of 8 in 288 numbers",
  );
});

gpuTest("firstNonFinite() names parameters, the student's first", async (gpu) => {
  const teacher = set("blocks.0.attn.qkv.weight", [5 * DIM + 2, NaN], [7 * DIM, Infinity]);
  const student = set("head.last_layer.weight_g", [3, Infinity]);
  const found = await find(gpu, { teacher, student });
  const name = "head.last_layer.weight_g";
  assert.deepEqual(brief(found), [`student.${name}`, undefined, [3, 0], "Infinity", 1]);
  assert.deepEqual(
    brief(await find(gpu, { teacher })),
    ["teacher.blocks.0.attn.qkv.weight", undefined, [5, 2], "NaN", 2],
  );
});

gpuTest("firstNonFinite() names the block that overflows, the teacher's first", async (gpu) => {
  // Each block adds its last bias to the residual stream: one more than f32 holds.
  const overflow = (name: string, values: Float32Array) => {
    if (/^blocks\.\d\.mlp\.fc2\.bias$/.test(name)) values[5] = HUGE;
  };
  // In the student both crop sizes overflow; the first, of 1 + 4 tokens, comes first.
  const found = ["block.1", "8×8", [0, 0, 5], "Infinity", 4 * 5];
  const [name, ...rest] = found;
  assert.deepEqual(brief(await find(gpu, { student: overflow })), [`student.${name}`, ...rest]);
  const both = await find(gpu, { student: overflow, teacher: overflow });
  assert.deepEqual(brief(both), [`teacher.${name}`, ...rest]);
  assert.deepEqual(both!.shape, [4, 5, DIM]);
});

gpuTest("firstNonFinite() looks at every crop size", async (gpu) => {
  const row = (name: string, values: Float32Array) => {
    if (name === "patch_embed.proj.weight") values.fill(1, 6 * 48, 7 * 48);
  };
  const pictures = ([, local]: Float32Array[]) => void local.fill(1e37, 3 * 48, 4 * 48);
  const found = await find(gpu, { pictures, student: row, teacher: row });
  assert.deepEqual(brief(found), ["student.tokens", "4×4", [3, 1, 6], "Infinity", 1]);
});

gpuTest("firstNonFinite() looks behind the blocks", async (gpu) => {
  // One large element of all class tokens is more than 2 in the last norm.
  const norm = (name: string, values: Float32Array) => {
    if (name === "cls_token") values[0] = 10;
    if (name === "norm.weight") values[0] = HUGE;
  };
  assert.deepEqual(
    brief(await find(gpu, { teacher: norm })),
    ["teacher.features", undefined, [0, 0], "Infinity", 4],
  );
  // A hidden layer's bias, twice.
  const bias = (name: string, values: Float32Array) => {
    if (name === "head.mlp.2.bias") values[0] = HUGE;
    if (name === "head.mlp.4.weight") values.fill(2, 12, 13);
  };
  assert.deepEqual(
    brief(await find(gpu, { student: bias })),
    ["student.bottleneck", undefined, [0, 1], "Infinity", 10],
  );
});

/** The length of one output is beyond f32 once the direction, which is short, is made a unit vector. */
const lastOutput = (outDim: number) => (name: string, values: Float32Array) => {
  if (name === "head.last_layer.weight_g") values[outDim - 1] = HUGE;
  if (name === "head.last_layer.weight_v") values.fill(0.01, 4 * (outDim - 1));
};

gpuTest("firstNonFinite() names the logits", async (gpu) => {
  const found = (await find(gpu, { student: lastOutput(K) }))!;
  assert.deepEqual([found.name, found.index, found.count], ["student.logits", [0, K - 1], 10]);
  assert.deepEqual(found.shape, [10, K]);
});

gpuTest("firstNonFinite() counts tensors that are larger than one read", async (gpu) => {
  const size = 3 * 1024 * 1024;
  const large = await find(gpu, {
    pictures: ([values]) => {
      // Before and behind the end of the first read, in the second picture, and at the very end.
      for (const at of [2 ** 22 - 1, 2 ** 22, 2 * size - 1]) values[at] = NaN;
    },
  }, [[2, 3, 1024, 1024], [2, 3, 4, 4]]);
  const at = 2 ** 22 - 1 - size;
  const place = [1, at >> 20, (at >> 10) & 1023, at & 1023];
  assert.deepEqual(brief(large), ["crops", "1024×1024", place, "NaN", 3]);
  // 80 rows of logits in two chunks.
  const outDim = 65536;
  const wide = (await find(gpu, { student: lastOutput(outDim) }, [[80, 3, 4, 4]], outDim))!;
  assert.deepEqual([wide.name, wide.index], ["student.logits", [0, outDim - 1]]);
  assert.deepEqual([wide.shape, wide.count], [[80, outDim], 80]);
});

gpuTest("firstNonFinite() drops the same branches as the step", async (gpu) => {
  const student = (name: string, values: Float32Array) => {
    if (/^blocks\.\d\.mlp\.fc2\.bias$/.test(name)) values[5] = HUGE;
  };
  const state = setUp(gpu, { student }, [[16, 3, 8, 8]], K, 0.5);
  const counts: number[] = [];
  for (const step of [0, 1, 2]) {
    const program = await record(gpu, () => {
      const trace = new Map<string, Tensor>();
      const table = gpu.tensor(new Float32Array([step]));
      const dropPath = { seed: 7, step: { table, index: 0 } };
      state.model.backbone.forward(gpu, state.student, state.crops, { trace, dropPath });
      return { block: trace.get("block.1")! };
    });
    program.run();
    const expected = (await program.outputs.block.read()).filter((v) => !Number.isFinite(v)).length;
    program.destroy();
    const found = await firstNonFinite(gpu, { ...state, dropPath: { seed: 7, step } });
    assert.deepEqual([found!.name, found!.count], ["student.block.1", expected]);
    counts.push(expected / 5);
  }
  assert.ok(new Set(counts).size > 1 && Math.max(...counts) < 16, `samples: ${counts}`);
  assert.equal((await firstNonFinite(gpu, state))!.count, 16 * 5, "nothing is dropped");
  state.destroy();
});

gpuTest("firstNonFinite() drops the same branches as the micro-batch", async (gpu) => {
  const student = (name: string, values: Float32Array) => {
    if (/^blocks\.\d\.mlp\.fc2\.bias$/.test(name)) values[5] = HUGE;
  };
  // Of the last block on: the number of pictures whose branch is not dropped.
  const count = async (pictures: number, microBatch?: StepAddress["microBatch"]) => {
    const state = setUp(gpu, { student }, [[2 * pictures, 3, 8, 8]], K, 0.5);
    const found = await firstNonFinite(gpu, {
      ...state,
      dropPath: { seed: 7, step: 1, microBatch },
    });
    state.destroy();
    assert.equal(found!.name, "student.block.1");
    return found!.count / 5;
  };
  const parts: number[] = [];
  for (const index of [0, 1, 2]) {
    parts.push(await count(4, { batch: 4, index, accumulationSteps: 3 }));
  }
  assert.equal(parts.reduce((a, b) => a + b), await count(12));
  assert.ok(new Set(parts).size > 1, `samples: ${parts}`);
});

gpuTest("firstNonFinite() leaves the gradient to the flag that named it", async (gpu) => {
  const { model, destroy } = setUp(gpu, {});
  const trainer = new Trainer(gpu, model, { loss: { nCrops: 3, studentTemp: 1e-4 }, clip: 1 });
  const weights = initialize(model.specs(), 1);
  weights.get("head.last_layer.weight_v")!.fill(2e-38); // dL/dv is that of the weight over ‖v‖
  trainer.load(initialize(model.specs(), 1));
  trainer.student.load(weights);
  const [views, local] = [
    gpu.tensor(normals(4 * 192), GLOBAL),
    gpu.tensor(normals(96), [2, 3, 4, 4]),
  ];
  const program = await record(gpu, () => trainer.step([views, local]));
  trainer.set({
    step: 0,
    teacherTemp: 0.04,
    momentum: 0.9,
    lr: 0.1,
    weightDecay: 0,
    freezeLastLayer: false,
  });
  program.run();
  const [step, culprit] = await trainer.flag.readU32();
  assert.ok(step === 1 && culprit > 1, "a gradient was flagged");
  const inputs = { model, student: trainer.student, teacher: trainer.teacher };
  assert.equal(await firstNonFinite(gpu, { ...inputs, crops: [views, local] }), undefined);
  views.write(normals(4 * 192).fill(NaN, 3, 4));
  const found = await firstNonFinite(gpu, { ...inputs, crops: [views, local] });
  assert.deepEqual(brief(found), ["crops", "8×8", [0, 0, 0, 3], "NaN", 1]);
  for (const part of [program, trainer, views, local]) part.destroy();
  destroy();
});
