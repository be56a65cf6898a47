import assert from "node:assert/strict";
import { HatchlingError } from "../../lib/errors.ts";
import { type Gpu, sizeOf, type Tensor } from "../../lib/gpu.ts";
import {
  initialize,
  Parameters,
  type ParameterSpec,
  VisionTransformer,
  VIT_PRESETS,
  type ViTConfig,
  type ViTForwardOptions,
} from "../../lib/model.ts";
import { canPack, spansOf } from "../../lib/model/spans.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";

const TINY: ViTConfig = { imageSize: 16, patchSize: 4, dim: 12, depth: 2, heads: 3 };
const count = (specs: ParameterSpec[]) => specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

Deno.test("VisionTransformer has timm's numbers of parameters", () => {
  // DeiT's published models (timm) less their classifier of 1000 · D + 1000.
  const known = { vit_tiny: 5_524_416, vit_small: 21_665_664, vit_base: 85_798_656 };
  for (const [name, parameters] of Object.entries(known) as [keyof typeof known, number][]) {
    const vit = new VisionTransformer({ imageSize: 224, patchSize: 16, ...VIT_PRESETS[name] });
    assert.equal(count(vit.specs()), parameters, name);
  }
});

Deno.test("VisionTransformer has timm's names, shapes and initial distributions", () => {
  const { depth: _, ...shape } = TINY;
  const specs = new VisionTransformer({ ...shape, depth: 1, inChans: 2, mlpRatio: 2.5 }).specs();
  const fanIn = { uniform: 1 / Math.sqrt(2 * 4 * 4) };
  const [normal, zero, one] = [{ normal: 0.02 }, { constant: 0 }, { constant: 1 }];
  assert.deepEqual(specs.map(({ name, shape, init }) => [name, shape, init]), [
    ["cls_token", [1, 1, 12], normal],
    ["pos_embed", [1, 17, 12], normal],
    ["patch_embed.proj.weight", [12, 2, 4, 4], fanIn],
    ["patch_embed.proj.bias", [12], fanIn],
    ["blocks.0.norm1.weight", [12], one],
    ["blocks.0.norm1.bias", [12], zero],
    ["blocks.0.attn.qkv.weight", [36, 12], normal],
    ["blocks.0.attn.qkv.bias", [36], zero],
    ["blocks.0.attn.proj.weight", [12, 12], normal],
    ["blocks.0.attn.proj.bias", [12], zero],
    ["blocks.0.norm2.weight", [12], one],
    ["blocks.0.norm2.bias", [12], zero],
    ["blocks.0.mlp.fc1.weight", [30, 12], normal],
    ["blocks.0.mlp.fc1.bias", [30], zero],
    ["blocks.0.mlp.fc2.weight", [12, 30], normal],
    ["blocks.0.mlp.fc2.bias", [12], zero],
    ["norm.weight", [12], one],
    ["norm.bias", [12], zero],
  ]);
});

Deno.test("VisionTransformer says which size does not fit", () => {
  const wrong: [Partial<ViTConfig>, RegExp][] = [
    [{ dim: 0 }, /positive whole dim but found 0/],
    [{ depth: 1.5 }, /positive whole depth but found 1\.5/],
    [{ inChans: -3 }, /positive whole inChans but found -3/],
    [{ imageSize: 18 }, /imageSize to be a multiple of patchSize 4 but found 18/],
    [{ heads: 5 }, /dim to be a multiple of 5 heads but found 12/],
    [{ mlpRatio: 0.3 }, /mlpRatio · dim to be whole but found 0\.3 · 12/],
    [{ mlpHiddenDim: 2.5 }, /positive whole mlpHiddenDim but found 2\.5/],
    [{ registers: -1 }, /registers to be a whole number ≥ 0 but found -1/],
    [{ layerScale: 0 }, /layerScale to be a number > 0 or null but found 0/],
    [{ ropeBase: NaN }, /ropeBase to be a number > 0 but found NaN/],
    [{ normEps: 0 }, /normEps to be a number > 0 but found 0/],
  ];
  for (const [change, pattern] of wrong) {
    assert.throws(() => new VisionTransformer({ ...TINY, ...change }), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, pattern);
      return true;
    });
  }
});

/** A model with weights large enough that every path matters. */
function setUp(gpu: Gpu, config: Partial<ViTConfig> = {}) {
  const vit = new VisionTransformer({ ...TINY, ...config });
  const params = new Parameters(gpu, vit.specs(), { grad: true });
  const values = initialize(vit.specs(), 3);
  for (const v of values.values()) v.forEach((x, i) => v[i] = x * 4 + 0.1 * Math.sin(i));
  params.load(values);
  const run = (crops: Tensor[], options: ViTForwardOptions = {}) =>
    gpu.scope(() => ({ y: vit.forward(gpu, params, crops, options).y })).y;
  /** Features of crops, all tensors freed. */
  const features = async (crops: Tensor[], options: ViTForwardOptions = {}) => {
    const y = run(crops, options);
    const values = await y.read();
    y.destroy();
    return values;
  };
  return { vit, params, features };
}

const images = (gpu: Gpu, n: number, size: number, seed: number) =>
  gpu.tensor(normals(n * 3 * size * size, seed), [n, 3, size, size]);

// Of 12 dimensions, the rows of the second crop size begin where no adapter binds: two matrices instead of one.
for (const dim of [12, 64]) {
  const name =
    `VisionTransformer.forward() treats crop sizes as separate runs would, ${dim} dimensions`;
  gpuTest(name, async (gpu) => {
    const { vit, params, features } = setUp(gpu, { dim, heads: 2, dropPathRate: 0 });
    const spans = spansOf([{ count: 4, tokens: 17 }, { count: 6, tokens: 5 }]);
    assert.equal(canPack(gpu, spans, dim, 4 * dim), dim === 64);
    assert.equal(canPack(gpu, spans, dim, gpu.limits.maxStorageBufferBindingSize), false);
    const crops = [images(gpu, 4, 16, 1), images(gpu, 6, 8, 2)];
    const dy = [normals(4 * dim, 3), normals(6 * dim, 4)];
    const grads = (groups: number[][]) => {
      params.zeroGrad();
      gpu.scope(() => {
        for (const group of groups) {
          const { backward } = vit.forward(gpu, params, group.map((i) => crops[i]));
          const rows = group.flatMap((i) => [...dy[i]]);
          backward(gpu.tensor(Float32Array.from(rows), [rows.length / dim, dim]));
        }
      });
      return gpu.read(params.all.map((p) => p.grad!));
    };
    const together = await features(crops);
    const apart = [...await features([crops[0]]), ...await features([crops[1]])];
    assertClose(together, apart, 1e-6, "features");
    const names = params.all.map(({ name }) => name);
    const [once, twice] = [await grads([[0, 1]]), await grads([[0], [1]])];
    names.forEach((name, i) => assertClose(once[i], twice[i], 2e-6, `gradient of ${name}`));
    for (const t of [...crops, params]) t.destroy();
  });
}

gpuTest("VisionTransformer.forward() gives each image what it would get alone", async (gpu) => {
  const { params, features } = setUp(gpu);
  const [one, all] = [images(gpu, 1, 12, 5), images(gpu, 3, 12, 5)];
  assertClose((await features([all])).subarray(0, 12), await features([one]), 1e-6);
  for (const t of [one, all, params]) t.destroy();
});

gpuTest("VisionTransformer.forward() refuses other channels and sizes", (gpu) => {
  const { vit, params } = setUp(gpu);
  for (const shape of [[1, 1, 16, 16], [1, 3, 18, 16], [1, 3, 16, 6]]) {
    const t = gpu.persistent(shape, "crops");
    assert.throws(
      () => gpu.scope(() => vit.forward(gpu, params, [t])),
      new RegExp(
        `images \\[n, 3, H, W\\] with H and W multiples of 4 but found crops\\[${
          shape.join(", ")
        }\\]`,
      ),
    );
    t.destroy();
  }
  params.destroy();
});

/** Where drop path draws from at that step. */
const source = (gpu: Gpu, seed: number, step: number) => ({
  seed,
  step: { table: gpu.tensor(Float32Array.of(step)), index: 0 },
});

gpuTest("drop path at rate 0, or without a source, changes no bit", async (gpu) => {
  const plain = setUp(gpu), dropping = setUp(gpu, { dropPathRate: 0.5 });
  const crops = [images(gpu, 4, 16, 1)];
  const dropPath = source(gpu, 1, 1);
  const expected = await plain.features(crops);
  assert.deepEqual(await plain.features(crops, { dropPath }), expected);
  assert.deepEqual(await dropping.features(crops), expected);
  assert.notDeepEqual(await dropping.features(crops, { dropPath }), expected);
  for (const t of [...crops, dropPath.step.table, plain.params, dropping.params]) t.destroy();
});

gpuTest("drop path is a function of seed and step", async (gpu) => {
  const { params, features } = setUp(gpu, { dropPathRate: 0.5 });
  const crops = [images(gpu, 16, 8, 1)];
  const draw = async (seed: number, step: number) => {
    const dropPath = source(gpu, seed, step);
    const y = await features(crops, { dropPath });
    dropPath.step.table.destroy();
    return y;
  };
  const first = await draw(1, 7);
  assert.deepEqual(await draw(1, 7), first);
  assert.notDeepEqual(await draw(1, 8), first);
  assert.notDeepEqual(await draw(2, 7), first);
  for (const t of [...crops, params]) t.destroy();
});

gpuTest("drop path draws for every sample, branch and crop size by itself", async (gpu) => {
  // The first block is never dropped, so 2 branches of the second leave 4 outcomes for one image.
  const { params, features } = setUp(gpu, { dropPathRate: 0.5 });
  const image = normals(3 * 64, 1);
  const n = 64;
  const copies = gpu.tensor(Float32Array.from({ length: n * 192 }, (_, i) => image[i % 192]), [
    n,
    3,
    8,
    8,
  ]);
  const dropPath = source(gpu, 1, 7);
  const y = await features([copies, copies], { dropPath });
  const outcomes = Array.from({ length: 2 * n }, (_, r) => y.subarray(12 * r, 12 * r + 12).join());
  const groups = [outcomes.slice(0, n), outcomes.slice(n)];
  const share = 5 * Math.sqrt(n * 0.25 * 0.75); // five standard deviations
  for (const group of groups) {
    const kinds = Map.groupBy(group, (outcome) => outcome);
    assert.equal(kinds.size, 4);
    for (const list of kinds.values()) {
      assert.ok(Math.abs(list.length - n / 4) < share, `${list.length}`);
    }
  }
  assert.notDeepEqual(groups[0], groups[1]);
  for (const t of [copies, dropPath.step.table, params]) t.destroy();
});

Deno.test("dropPathRates() rise from 0 to the rate", () => {
  const rates = (depth: number) =>
    new VisionTransformer({ ...TINY, depth, dropPathRate: 0.3 }).dropPathRates();
  assertClose(rates(4), [0, 0.1, 0.2, 0.3], 1e-12);
  assert.deepEqual(rates(1), [0]);
});

gpuTest("the last block makes the class token alone, unless others are looked at", async (gpu) => {
  const vit = new VisionTransformer({ imageSize: 16, patchSize: 8, dim: 12, depth: 2, heads: 3 });
  const results: Float32Array[][] = [];
  for (const trace of [undefined, new Map<string, Tensor>()]) {
    const params = new Parameters(gpu, vit.specs(), { grad: true });
    params.load(initialize(vit.specs(), 1));
    const y = gpu.scope(() => {
      const images = gpu.tensor(normals(2 * 3 * 16 * 16, 2), [2, 3, 16, 16]);
      const keep = [[1, 2].map(() => ({
        attn: gpu.tensor(Float32Array.of(2, 0)),
        mlp: gpu.tensor(Float32Array.of(0, 2)),
      }))];
      const run = vit.forward(gpu, params, [images], { trace, keep });
      run.backward(gpu.tensor(normals(2 * 12, 3), [2, 12]));
      return run.y;
    });
    const grads = params.all.map(({ grad }) => grad!);
    results.push(await gpu.read([y, ...grads]));
    for (const t of [y, params]) t.destroy();
  }
  results[0].forEach((values, i) => assertClose(values, results[1][i], 1e-6, `${i}`));
});
