/** What every family's blocks must know beside their formulas: packing, recomputation, the class token alone. */
import assert from "node:assert/strict";
import { type Gpu, sizeOf, type Tensor } from "../../lib/gpu.ts";
import {
  DinoModel,
  initialize,
  Parameters,
  VisionTransformer,
  VIT_PRESETS,
  type ViTConfig,
  type ViTForwardOptions,
} from "../../lib/model.ts";
import { canPack, spansOf } from "../../lib/model/spans.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";

const TINY = { imageSize: 16, patchSize: 4, depth: 2, heads: 2 } as const;
const V2 = { imageSize: 518, patchSize: 14, layerScale: 1e-5, maskToken: true } as const;
const ROPE = { posEmbed: "rope", registers: 3, qkvBias: "no_key", layerScale: 0.5 } as const;

const FAMILIES: Record<string, Partial<ViTConfig>> = {
  "LayerScale, registers, SwiGLU": { layerScale: 0.5, registers: 2, mlp: "swiglu" },
  "RoPE, registers, no bias of keys": ROPE,
  "RoPE, SwiGLU": { ...ROPE, mlp: "swiglu", mlpHiddenDim: 36, normEps: 1e-5 },
  "no class token, fc_norm, no bias of qkv": { classToken: false, fcNorm: true, qkvBias: "none" },
  "no class token, a register": { classToken: false, registers: 1, posInterp: "antialias" },
};

Deno.test("VisionTransformer has the numbers of parameters of the published DINOv2 and DINOv3", () => {
  const count = (config: ViTConfig) =>
    new VisionTransformer(config).specs().reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const { vit_small, vit_base, vit_large, vit_giant2 } = VIT_PRESETS;
  const giant = { ...V2, ...vit_giant2, mlp: "swiglu", mlpHiddenDim: 4096 } as const;
  assert.equal(count({ ...V2, ...vit_small }), 22_056_576);
  assert.equal(count({ ...V2, ...vit_small, registers: 4 }), 22_056_576 + 4 * 384);
  assert.equal(count({ ...V2, ...vit_base }), 86_580_480);
  assert.equal(count({ ...V2, ...vit_large }), 304_368_640);
  assert.equal(count(giant), 1_136_480_768);
  const v3 = { imageSize: 224, patchSize: 16, maskToken: true, ...ROPE } as const;
  // Hugging Face's has no bias of keys at all, ours holds it at 0.
  assert.equal(count({ ...v3, registers: 4, ...vit_base }), 85_660_416 + 12 * 768);
});

Deno.test("VisionTransformer names the parts of a family as timm and DINOv2 do", () => {
  const specs = (config: Partial<ViTConfig>) =>
    new VisionTransformer({ ...TINY, dim: 8, depth: 1, ...config }).specs();
  const shapes = new Map(
    specs({ ...ROPE, mlp: "swiglu" }).map(({ name, shape }) => [name, shape.join()]),
  );
  assert.deepEqual([...shapes].filter(([name]) => !/norm|proj/.test(name)), [
    ["cls_token", "1,1,8"],
    ["reg_token", "1,3,8"],
    ["blocks.0.attn.qkv.weight", "24,8"],
    ["blocks.0.attn.qkv.bias", "24"],
    ["blocks.0.ls1.gamma", "8"],
    ["blocks.0.mlp.w12.weight", "64,8"],
    ["blocks.0.mlp.w12.bias", "64"],
    ["blocks.0.mlp.w3.weight", "8,32"],
    ["blocks.0.mlp.w3.bias", "8"],
    ["blocks.0.ls2.gamma", "8"],
  ]);
  const names = specs({ classToken: false, fcNorm: true, qkvBias: "none" })
    .map(({ name }) => name);
  for (const gone of ["cls_token", "norm.weight", "blocks.0.attn.qkv.bias"]) {
    assert.ok(!names.includes(gone), gone);
  }
  assert.deepEqual(names.slice(-2), ["fc_norm.weight", "fc_norm.bias"]);
  assert.ok(specs({}).some(({ name, shape }) => name === "pos_embed" && shape[1] === 17));
  const noClass = specs({ classToken: false }).find(({ name }) => name === "pos_embed")!;
  assert.equal(noClass.shape[1], 16);
});

Deno.test("parts that do not fit each other are refused", () => {
  assert.throws(
    () => new VisionTransformer({ ...TINY, dim: 12, posEmbed: "rope" }),
    /expected dim \/ heads to be a multiple of 4 with posEmbed rope but found 6/,
  );
  const head = { outDim: 8, hiddenDim: 8, bottleneckDim: 4 };
  for (const feature of ["class", "class+mean"] as const) {
    assert.throws(
      () => new DinoModel({ ...TINY, dim: 8, classToken: false }, head, { feature }),
      /a feature of patches, as the model has no class token, but found class/,
    );
  }
});

/** A model with weights large enough that every path matters, and what passes leave. */
function setUp(gpu: Gpu, config: Partial<ViTConfig>) {
  const vit = new VisionTransformer({ ...TINY, dim: 64, mlpRatio: 1, ...config });
  const params = new Parameters(gpu, vit.specs(), { grad: true });
  const values = initialize(vit.specs(), 3);
  for (const v of values.values()) v.forEach((x, i) => v[i] = x * 4 + 0.1 * Math.sin(i));
  params.load(values);
  const crops = [[4, 16], [4, 8]].map(([n, size], i) =>
    gpu.tensor(normals(n * 3 * size * size, i + 1), [n, 3, size, size])
  );
  const dy = normals(8 * 64, 9);
  /** Features and gradients of passes over some of the crop sizes each. */
  const pass = async (groups: number[][], optionsOf: () => ViTForwardOptions = () => ({})) => {
    params.zeroGrad();
    const ys = gpu.scope(() =>
      groups.map((group) => {
        const run = vit.forward(gpu, params, group.map((i) => crops[i]), optionsOf());
        const rows = group.flatMap((i) => [...dy.subarray(i * 4 * 64, (i + 1) * 4 * 64)]);
        run.backward(gpu.tensor(Float32Array.from(rows), [rows.length / 64, 64]));
        return run.y;
      })
    );
    const grads = await gpu.read(params.all.map((p) => p.grad!));
    const y = (await gpu.read(ys)).flatMap((values) => [...values]);
    for (const t of ys) t.destroy();
    const named = params.all.map(({ name }, i) => [name, grads[i]] as const);
    return new Map([["features", Float32Array.from(y)], ...named]);
  };
  return { vit, pass, destroy: () => [...crops, params].forEach((t) => t.destroy()) };
}

for (const [name, config] of Object.entries(FAMILIES)) {
  gpuTest(`all ways through the blocks agree: ${name}`, async (gpu) => {
    const { vit, pass, destroy } = setUp(gpu, { ...config, dropPathRate: 0.5 });
    const spans = spansOf([{ count: 4, tokens: vit.prefix + 16 }, {
      count: 4,
      tokens: vit.prefix + 4,
    }]);
    assert.ok(canPack(gpu, spans, 64, vit.widest), "sizes run apart");
    const agree = (
      found: Map<string, Float32Array>,
      expected: Map<string, Float32Array>,
      tolerance: number,
      how: string,
    ) => {
      for (const [what, values] of expected) {
        assertClose(found.get(what)!, values, tolerance, `${how}: ${what}`);
      }
    };
    const plain = await pass([[0, 1]]);
    for (const [what, values] of plain) {
      assert.ok(values.some((v) => v !== 0), `${what} is nothing but zeros`);
    }
    agree(plain, await pass([[0], [1]]), 4e-6, "crop sizes apart");
    // A trace makes all tokens of the last block; without one there is the class token alone.
    agree(
      await pass([[0, 1]], () => ({ trace: new Map<string, Tensor>() })),
      plain,
      4e-6,
      "traced",
    );
    const table = gpu.tensor(Float32Array.of(5));
    const dropPath = { seed: 1, step: { table, index: 0 } };
    const dropped = await pass([[0, 1]], () => ({ dropPath }));
    assert.notDeepEqual(dropped.get("features"), plain.get("features"));
    const again = await pass([[0, 1]], () => ({ dropPath, recompute: true }));
    assert.deepEqual(again, dropped, "made again, to other bits");
    table.destroy();
    destroy();
  });
}

gpuTest("a bias of keys is 0 whatever is loaded, and has no gradient", async (gpu) => {
  const vit = new VisionTransformer({ ...TINY, dim: 8, qkvBias: "no_key" });
  const params = new Parameters(gpu, vit.specs(), { grad: true });
  const values = initialize(vit.specs(), 0);
  const name = "blocks.1.attn.qkv.bias";
  values.set(name, new Float32Array(24).fill(3));
  params.load(values);
  const kept = Float32Array.from({ length: 24 }, (_, i) => i >= 8 && i < 16 ? 0 : 3);
  assert.deepEqual((await params.save()).get(name), kept);
  assert.ok(values.get(name)!.every((v) => v === 3), "the caller's values are changed");
  params.destroy();
});

gpuTest(
  "DinoModel's gradients are the slopes of its logits, with all parts of a family",
  async (gpu) => {
    const model = new DinoModel(
      { imageSize: 8, patchSize: 4, dim: 8, depth: 2, heads: 2, ...ROPE, mlp: "swiglu" },
      { outDim: 10, hiddenDim: 12, bottleneckDim: 6 },
      { feature: "class+mean" },
    );
    const params = new Parameters(gpu, model.specs(), { grad: true });
    const values = initialize(model.specs(), 3);
    for (const v of values.values()) v.forEach((x, i) => v[i] = 4 * x + 0.2 * Math.cos(3 * i));
    const crops = [gpu.tensor(normals(4 * 3 * 64, 1), [4, 3, 8, 8])];
    const dy = gpu.tensor(normals(40, 3), [4, 10]);
    params.load(values);
    gpu.scope(() => {
      model.forward(gpu, params, crops).backward(dy);
      return [];
    });
    const d = await dy.read();
    for (
      const name of [
        "reg_token",
        "blocks.0.ls1.gamma",
        "blocks.1.ls2.gamma",
        "blocks.0.mlp.w12.weight",
      ]
    ) {
      const x = values.get(name)!, grad = await params.get(name).grad!.read();
      const direction = normals(x.length, 7), h = 0.02 * Math.hypot(...x) / Math.sqrt(x.length);
      const at = async (steps: number) => {
        params.load(new Map([...values, [name, x.map((v, i) => v + steps * h * direction[i])]]));
        const { logits } = gpu.scope(() => ({ logits: model.forward(gpu, params, crops).logits }));
        const y = await logits.read();
        logits.destroy();
        return y.reduce((sum, v, i) => sum + v * d[i], 0);
      };
      const near = await at(1) - await at(-1), far = await at(2) - await at(-2);
      const slope = (8 * near - far) / (12 * h);
      const expected = grad.reduce((sum, g, i) => sum + g * direction[i], 0);
      const size = Math.hypot(...grad);
      assert.ok(size > 1e-3, `${name} gets no gradient`);
      assert.ok(Math.abs(slope - expected) < 1e-2 * size, `${name}: ${slope}, not ${expected}`);
    }
    for (const t of [...crops, dy, params]) t.destroy();
  },
);
