import assert from "node:assert/strict";
import { HatchlingError } from "../../lib/errors.ts";
import { type Gpu, sizeOf } from "../../lib/gpu.ts";
import {
  DinoHead,
  type DinoHeadConfig,
  DinoModel,
  initialize,
  Parameters,
} from "../../lib/model.ts";
import { gpuTest } from "../support/gpu.ts";
import { normals } from "../support/numbers.ts";

Deno.test("DinoHead has the names and shapes of facebookresearch/dino", () => {
  const specs = new DinoHead({ inDim: 384, outDim: 65536 }).specs();
  const normal = { normal: 0.02 }, zero = { constant: 0 };
  assert.deepEqual(specs, [
    { name: "head.mlp.0.weight", shape: [2048, 384], init: normal },
    { name: "head.mlp.0.bias", shape: [2048], init: zero },
    { name: "head.mlp.2.weight", shape: [2048, 2048], init: normal },
    { name: "head.mlp.2.bias", shape: [2048], init: zero },
    { name: "head.mlp.4.weight", shape: [256, 2048], init: normal },
    { name: "head.mlp.4.bias", shape: [256], init: zero },
    {
      name: "head.last_layer.weight_g",
      shape: [65536, 1],
      init: { constant: 1 },
      trainable: false,
    },
    { name: "head.last_layer.weight_v", shape: [65536, 256], init: { uniform: 1 / 16 } },
  ]);
  assert.equal(specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0), 22_352_128);
});

Deno.test("DinoHead takes one layer or many, and a trained gain", () => {
  const names = (layers: number) =>
    new DinoHead({ inDim: 4, outDim: 8, layers }).specs().map(({ name }) => name)
      .filter((name) => name.endsWith("weight"));
  assert.deepEqual(names(1), ["head.mlp.weight"]);
  assert.deepEqual(names(2), ["head.mlp.0.weight", "head.mlp.2.weight"]);
  assert.deepEqual(names(4), [0, 2, 4, 6].map((i) => `head.mlp.${i}.weight`));
  const specs = new DinoHead({ inDim: 4, outDim: 8, normLastLayer: false }).specs();
  assert.notEqual(specs.find(({ name }) => name.endsWith("weight_g"))!.trainable, false);
});

Deno.test("DinoHead says which size does not fit", () => {
  const good: DinoHeadConfig = { inDim: 4, outDim: 8 };
  const wrong: [Partial<DinoHeadConfig>, RegExp][] = [
    [{ outDim: 1 }, /outDim ≥ 2 and whole but found 1/],
    [{ inDim: 0 }, /inDim ≥ 1 and whole but found 0/],
    [{ hiddenDim: 2.5 }, /hiddenDim ≥ 1 and whole but found 2\.5/],
    [{ layers: 0 }, /layers ≥ 1 and whole but found 0/],
  ];
  for (const [change, pattern] of wrong) {
    assert.throws(() => new DinoHead({ ...good, ...change }), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, pattern);
      return true;
    });
  }
});

/** A model with everything in it: two crop sizes, drop path, a trained gain. */
function setUp(gpu: Gpu) {
  const model = new DinoModel(
    { imageSize: 8, patchSize: 4, dim: 8, depth: 2, heads: 2, mlpRatio: 2, dropPathRate: 0.5 },
    { outDim: 10, hiddenDim: 12, bottleneckDim: 6, normLastLayer: false },
  );
  const params = new Parameters(gpu, model.specs(), { grad: true });
  const values = initialize(model.specs(), 3);
  // Larger than at the start of a run, so that no path is negligible.
  for (const v of values.values()) v.forEach((x, i) => v[i] = 4 * x + 0.2 * Math.cos(3 * i));
  const crops = [
    gpu.tensor(normals(4 * 3 * 64, 1), [4, 3, 8, 8]),
    gpu.tensor(normals(6 * 3 * 16, 2), [6, 3, 4, 4]),
  ];
  const dy = gpu.tensor(normals(100, 3), [10, 10]);
  const table = gpu.tensor(Float32Array.of(5));
  const dropPath = { seed: 1, step: { table, index: 0 } };
  return {
    model,
    params,
    values,
    /** Σ logits · dy, added up in f64. */
    async objective(changed: Map<string, Float32Array>): Promise<number> {
      params.load(changed);
      const logits = gpu.scope(() => model.forward(gpu, params, crops, { dropPath }).logits);
      const [y, d] = await gpu.read([logits, dy]);
      logits.destroy();
      return y.reduce((sum, v, i) => sum + v * d[i], 0);
    },
    async gradients(): Promise<Map<string, Float32Array>> {
      params.load(values);
      params.zeroGrad();
      gpu.scope(() => {
        const { logits, features, backward } = model.forward(gpu, params, crops, { dropPath });
        assert.deepEqual([logits.shape, features.shape], [[10, 10], [10, 8]]);
        backward(dy);
      });
      const all = params.all;
      const found = await gpu.read(all.map((p) => p.grad!));
      return new Map(all.map(({ name }, i) => [name, found[i]]));
    },
    destroy() {
      for (const t of [...crops, dy, table, params]) t.destroy();
    },
  };
}

gpuTest("DinoModel's gradients are the slopes of its logits, tensor by tensor", async (gpu) => {
  const run = setUp(gpu);
  const grads = await run.gradients();
  for (const [index, [name, x]] of [...run.values].entries()) {
    const grad = grads.get(name)!;
    const direction = normals(x.length, 100 + index);
    const h = 0.025 * Math.hypot(...x) / Math.sqrt(x.length);
    const at = (steps: number) =>
      run.objective(
        new Map([...run.values, [name, x.map((v, i) => v + steps * h * direction[i])]]),
      );
    // Fourth-order differences: what is left is the rounding of f32 logits over h.
    const near = await at(1) - await at(-1), far = await at(2) - await at(-2);
    const slope = (8 * near - far) / (12 * h);
    const expected = grad.reduce((sum, g, i) => sum + g * direction[i], 0);
    const size = Math.hypot(...grad);
    assert.ok(size > 1e-3, `${name} gets no gradient`);
    // A wrong gradient is off by about its size in a random direction.
    assert.ok(
      Math.abs(slope - expected) < 1e-2 * size,
      `${name}: slope ${slope}, gradient ${expected}, size ${size}`,
    );
  }
  run.destroy();
});

gpuTest("DinoModel's gradients are the same bits every time", async (gpu) => {
  const run = setUp(gpu);
  const first = await run.gradients();
  assert.deepEqual(await run.gradients(), first);
  run.destroy();
});
