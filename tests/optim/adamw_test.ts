import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config.ts";
import { trainerOptionsOf } from "../../lib/from_config.ts";
import {
  AdamW,
  type AdamWOptions,
  clipFactors,
  layerDecay,
  type OptimizerRates,
} from "../../lib/optim.ts";
import { isDecayed } from "../../lib/optim/optimizer.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose } from "../support/numbers.ts";
import { assertPaddingZero, chunked, randomValues, SPECS } from "../support/parameters.ts";

const LAST = 1;
const groupOf = (name: string) => name.startsWith("head.last_layer.") ? LAST : 0;
const trained = SPECS.filter(({ trainable }) => trainable !== false);

type Settings = Required<Omit<AdamWOptions, "group">>;
const flat = () => 1;
const USUAL: Settings = { betas: [0.9, 0.999], eps: 1e-8, rateScale: flat, decoupled: true };

/** AdamW in f64, parameter by parameter, as Loshchilov and Hutter write it, or Adam, after clipping by norm. */
class Reference {
  readonly state;
  constructor(
    values: Map<string, Float32Array>,
    readonly options: Settings,
  ) {
    this.state = new Map([...values].map(([name, v]) => [name, {
      p: Float64Array.from(v),
      m: new Float64Array(v.length),
      v: new Float64Array(v.length),
      t: 0,
    }]));
  }

  step(
    grads: Map<string, Float32Array>,
    r: { lr: number; weightDecay: number; frozen: number[]; held: number[]; clip: number },
  ) {
    const { betas: [b1, b2], eps, rateScale, decoupled } = this.options;
    for (const { name, shape } of trained) {
      if (r.frozen.includes(groupOf(name))) continue;
      const s = this.state.get(name)!;
      s.t++;
      const norm = Math.hypot(...grads.get(name)!);
      const factor = r.clip ? Math.min(1, r.clip / (norm + 1e-6)) : 1;
      const lr = r.held.includes(groupOf(name)) ? 0 : r.lr * rateScale(name);
      const decay = shape.length > 1 && !name.endsWith(".bias") ? r.weightDecay : 0;
      grads.get(name)!.forEach((raw, i) => {
        const g = raw * factor + (decoupled ? 0 : decay * s.p[i]);
        if (decoupled) s.p[i] *= 1 - lr * decay;
        s.m[i] = b1 * s.m[i] + (1 - b1) * g;
        s.v[i] = b2 * s.v[i] + (1 - b2) * g * g;
        const [m, v] = [s.m[i] / (1 - b1 ** s.t), s.v[i] / (1 - b2 ** s.t)];
        s.p[i] -= lr * m / (Math.sqrt(v) + eps);
      });
    }
  }
}

function setUp(gpu: Gpu, options: AdamWOptions = {}) {
  const params = chunked(gpu, true);
  const adamw = new AdamW(gpu, params, { group: groupOf, ...options });
  const values = randomValues(1);
  params.load(values);
  return {
    params,
    adamw,
    values,
    /** One step. */
    step(
      grads: Map<string, Float32Array<ArrayBuffer>>,
      { clip = 0, ...rates }: OptimizerRates & { clip?: number },
    ) {
      for (const { name } of trained) params.get(name).grad!.write(grads.get(name)!);
      adamw.set(rates);
      gpu.scope(() => adamw.step(clipFactors(gpu, params, clip)));
    },
    destroy() {
      for (const part of [params, adamw]) part.destroy();
    },
  };
}

for (
  const [what, options] of [
    ["its defaults", USUAL],
    ["other rates", { ...USUAL, betas: [0.5, 0.9], eps: 1e-2 }],
    ["no memory", { ...USUAL, betas: [0, 0] }],
    ["layer-wise rates", { ...USUAL, rateScale: layerDecay(0.6, 2) }],
    ["a rate for each name", { ...USUAL, rateScale: (name: string) => name.length }],
    ["weight decay in the gradient", { ...USUAL, decoupled: false }],
    ["that and layer-wise rates", { ...USUAL, decoupled: false, rateScale: layerDecay(0.6, 2) }],
  ] as [string, Settings][]
) {
  gpuTest(`AdamW equals f64 over six steps with ${what}`, async (gpu) => {
    const run = setUp(gpu, options);
    const reference = new Reference(run.values, options);
    for (let step = 0; step < 6; step++) {
      const grads = randomValues(10 + step, [1, 1e-4, 30][step % 3]);
      const rates = {
        lr: 0.01 * (1 + step),
        weightDecay: 0.04 + 0.1 * step,
        frozen: step < 2 || step === 4 ? [LAST] : [],
        held: step === 3 ? [0] : step === 5 ? [LAST] : [],
        clip: step % 2 ? 3 : 0,
      };
      run.step(grads, rates);
      reference.step(grads, rates);
      assert.deepEqual(
        run.adamw.counts,
        ["cls_token", "head.last_layer.weight_v"].map((name) => reference.state.get(name)!.t),
      );
    }
    const found = await run.params.save();
    const moments = await run.adamw.save();
    const [expAvg, expAvgSq] = ["exp_avg", "exp_avg_sq"].map((name) => moments.get(name)!);
    for (const { name } of trained) {
      const { p, m, v } = reference.state.get(name)!;
      assertClose(found.get(name)!, p, 1e-6, name);
      assertClose(expAvg.get(name)!, m, 2e-6, `exp_avg of ${name}`);
      assertClose(expAvgSq.get(name)!, v, 2e-6, `exp_avg_sq of ${name}`);
    }
    for (const arena of [run.params.data, ...run.adamw.moments.values()]) {
      await assertPaddingZero(gpu, run.params, arena, what);
    }
    run.destroy();
  });
}

gpuTest("AdamW leaves a frozen group and untrained parameters alone, bit by bit", async (gpu) => {
  const run = setUp(gpu);
  const rates = { lr: 0.1, weightDecay: 0.4 };
  run.step(randomValues(2), rates);
  const before = [await run.params.save(), ...(await run.adamw.save()).values()];
  run.step(randomValues(3), { ...rates, frozen: [LAST] });
  const after = [await run.params.save(), ...(await run.adamw.save()).values()];
  const still = (name: string) => name.startsWith("head.last_layer.");
  after.forEach((values, i) => {
    for (const [name, value] of values) {
      if (still(name)) assert.deepEqual(value, before[i].get(name), name);
      else assert.notDeepEqual(value, before[i].get(name), name);
    }
  });
  assert.deepEqual(
    after[0].get("head.last_layer.weight_g"),
    run.values.get("head.last_layer.weight_g"),
  );
  assert.deepEqual(run.adamw.counts, [2, 1]);
  run.destroy();
});

gpuTest("AdamW.step() does nothing while the flag is set", async (gpu) => {
  const run = setUp(gpu);
  const rates = { lr: 0.1, weightDecay: 0.4 };
  run.step(randomValues(2), rates);
  const arenas = [...run.params.data, ...[...run.adamw.moments.values()].flat()];
  const before = await gpu.read(arenas);
  run.adamw.flag.write(Uint32Array.of(1, 0, 0));
  run.step(randomValues(3), rates);
  assert.deepEqual(await gpu.read(arenas), before);
  run.adamw.flag.write(new Uint32Array(3));
  run.step(randomValues(3), rates);
  assert.notDeepEqual(await gpu.read(arenas), before);
  run.destroy();
});

gpuTest("AdamW.load() puts moments back and refuses others", async (gpu) => {
  const run = setUp(gpu);
  run.step(randomValues(2), { lr: 0.1, weightDecay: 0 });
  const moments = await run.adamw.save();
  const other = setUp(gpu);
  other.adamw.load(moments);
  assert.deepEqual(await other.adamw.save(), moments);
  moments.get("exp_avg")!.delete("cls_token");
  assert.throws(() => other.adamw.load(moments), /cls_token \[1, 1, 3\] is missing/);
  assert.throws(
    () => other.adamw.load(new Map([["momentum_buffer", moments.get("exp_avg_sq")!]])),
    /Expected the state of AdamW \(exp_avg, exp_avg_sq\) but found that of another optimiser \(momentum_buffer\)/,
  );
  for (const part of [run, other]) part.destroy();
});

gpuTest("AdamW refuses betas and eps out of range", (gpu) => {
  const params = chunked(gpu, true);
  for (const options of [{ betas: [1, 0.9] }, { betas: [0.9, -1] }, { eps: 0 }, { eps: NaN }]) {
    assert.throws(
      () => new AdamW(gpu, params, options as AdamWOptions),
      /expected betas in \[0, 1\)/,
    );
  }
  for (const scale of [0, -1, NaN, Infinity]) {
    assert.throws(
      () => new AdamW(gpu, params, { rateScale: (name) => name === "cls_token" ? scale : 1 }),
      /AdamW: expected rateScale to give a factor above 0 but found .* for cls_token$/,
    );
  }
  params.destroy();
});

Deno.test("layerDecay() falls from heads to embedding, as BEiT's", () => {
  const factor = layerDecay(0.5, 3);
  const layers: Record<string, number> = {
    cls_token: 4,
    mask_token: 4,
    pos_embed: 4,
    "patch_embed.proj.weight": 4,
    "patch_embed.proj.bias": 4,
    "blocks.0.attn.qkv.weight": 3,
    "blocks.1.norm1.bias": 2,
    "blocks.2.mlp.fc2.weight": 1,
    "norm.weight": 0,
    "head.mlp.0.weight": 0,
    "head.last_layer.weight_v": 0,
    "ibot_head.mlp.0.weight": 0,
    "contrastive_head.mlp.0.bias": 0,
  };
  for (const [name, n] of Object.entries(layers)) assert.equal(factor(name), 0.5 ** n, name);
  assert.equal(layerDecay(0.5, 12)("blocks.10.mlp.fc1.bias"), 0.25);
  for (const name in layers) assert.equal(layerDecay(1, 3)(name), 1);
});

Deno.test("optimizer.layer_decay reaches the trainer, block by block", () => {
  const config = parseConfig("model: {backbone: vit_tiny}\noptimizer: {layer_decay: 0.5}");
  const scale = trainerOptionsOf(config).optimizer!.rateScale!;
  assert.equal(scale("blocks.11.norm1.bias"), 0.5);
  assert.equal(scale("patch_embed.proj.weight"), 0.5 ** 13);
});

Deno.test("isDecayed() decays all but biases and one-dimensional tensors", () => {
  const shapes: Record<string, number[]> = {
    cls_token: [1, 1, 4],
    pos_embed: [1, 5, 4],
    "patch_embed.proj.weight": [4, 3, 2, 2],
    "patch_embed.proj.bias": [4],
    "blocks.0.norm1.weight": [4],
    "blocks.0.attn.qkv.weight": [12, 4],
    "head.last_layer.weight_v": [8, 4],
    "odd.bias": [2, 2],
  };
  const decayed = Object.entries(shapes).filter(([name, shape]) => isDecayed(name, shape));
  assert.deepEqual(decayed.map(([name]) => name), [
    "cls_token",
    "pos_embed",
    "patch_embed.proj.weight",
    "blocks.0.attn.qkv.weight",
    "head.last_layer.weight_v",
  ]);
});
