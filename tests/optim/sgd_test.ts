import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config.ts";
import { trainerOptionsOf } from "../../lib/from_config.ts";
import { clipFactors, layerDecay, optimizerOf, Sgd, type SgdOptions } from "../../lib/optim.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose } from "../support/numbers.ts";
import { assertPaddingZero, chunked, randomValues, SPECS } from "../support/parameters.ts";

const LAST = 1;
const group = (name: string) => name.startsWith("head.last_layer.") ? LAST : 0;
const trained = SPECS.filter(({ trainable }) => trainable !== false);
const flat = () => 1;

for (
  const [momentum, nesterov, rateScale] of [
    [0.9, false, flat],
    [0.9, true, flat],
    [0.5, true, layerDecay(0.6, 2)],
    [0, false, flat],
  ] as const
) {
  gpuTest(
    `Sgd equals f64 over eight steps, momentum ${momentum}${nesterov ? " of Nesterov" : ""}`,
    async (gpu) => {
      const params = chunked(gpu, true);
      const sgd = new Sgd(gpu, params, { momentum, nesterov, rateScale, group });
      const values = randomValues(1);
      params.load(values);
      const state = new Map([...values].map(([name, v]) => [name, {
        p: Float64Array.from(v),
        b: new Float64Array(v.length),
      }]));
      for (let step = 0; step < 8; step++) {
        const grads = randomValues(10 + step, [1, 1e-4, 30][step % 3]);
        const lr = 0.01 * (1 + step), wd = 0.05 * step, clip = step % 2 ? 3 : 0;
        const frozen = step < 2 || step === 4 ? [LAST] : [], held = step === 5 ? [0] : [];
        for (const { name, shape } of trained) {
          params.get(name).grad!.write(grads.get(name)!);
          if (frozen.includes(group(name))) continue;
          const { p, b } = state.get(name)!;
          const factor = clip ? Math.min(1, clip / (Math.hypot(...grads.get(name)!) + 1e-6)) : 1;
          const rate = held.includes(group(name)) ? 0 : lr * rateScale(name);
          const decay = shape.length > 1 && !name.endsWith(".bias") ? wd : 0;
          grads.get(name)!.forEach((raw, i) => {
            const g = raw * factor + decay * p[i];
            b[i] = momentum * b[i] + g;
            p[i] -= rate * (nesterov ? g + momentum * b[i] : b[i]);
          });
        }
        sgd.set({ lr, weightDecay: wd, frozen, held });
        gpu.scope(() => sgd.step(clipFactors(gpu, params, clip)));
      }
      assert.deepEqual(sgd.counts, [8, 5]);
      const found = await params.save(), buffers = (await sgd.save()).get("momentum_buffer")!;
      for (const { name } of trained) {
        assertClose(found.get(name)!, state.get(name)!.p, 2e-6, name);
        assertClose(buffers.get(name)!, state.get(name)!.b, 2e-6, `momentum_buffer of ${name}`);
      }
      const fixed = "head.last_layer.weight_g";
      assert.deepEqual(found.get(fixed), values.get(fixed));
      for (const arena of [params.data, ...sgd.moments.values()]) {
        await assertPaddingZero(gpu, params, arena, "SGD");
      }
      for (const part of [sgd, params]) part.destroy();
    },
  );
}

gpuTest(
  "Sgd leaves everything as it is while the flag is set, and takes no other's state",
  async (gpu) => {
    const params = chunked(gpu, true);
    const sgd = new Sgd(gpu, params);
    params.load(randomValues(1));
    for (const [name, grad] of randomValues(2)) params.get(name).grad?.write(grad);
    const before = await params.save();
    sgd.flag.write(Uint32Array.of(1, 0, 0));
    sgd.set({ lr: 0.1, weightDecay: 0.1 });
    gpu.scope(() => sgd.step(clipFactors(gpu, params, 3)));
    assert.deepEqual(await params.save(), before);
    const saved = await sgd.save();
    assert.ok([...saved.get("momentum_buffer")!.values()].every((v) => v.every((x) => x === 0)));
    assert.throws(
      () => sgd.load(new Map([["exp_avg", before], ["exp_avg_sq", before]])),
      /Expected the state of SGD \(momentum_buffer\) but found that of another optimiser \(exp_avg, exp_avg_sq\)/,
    );
    for (const part of [sgd, params]) part.destroy();
  },
);

gpuTest("Sgd refuses momenta out of range", (gpu) => {
  const params = chunked(gpu, true);
  const odd: SgdOptions[] = [{ momentum: 1 }, { momentum: -0.1 }, { momentum: NaN }];
  for (const options of [...odd, { momentum: 0, nesterov: true }]) {
    assert.throws(() => new Sgd(gpu, params, options), /SGD: expected momentum in [[(]0, 1\)/);
  }
  params.destroy();
});

gpuTest("optimizer.optimizer chooses what a trainer gets", (gpu) => {
  const params = chunked(gpu, true);
  for (
    const [text, pattern] of [
      ["optimizer: adamw", /"betas":\[0.9,0.999\],"eps":1e-8,"decoupled":true/],
      ["optimizer: adam, eps: 1e-6", /"betas":\[0.9,0.999\],"eps":0.000001,"decoupled":false/],
      ["optimizer: sgd, momentum: 0.8, nesterov: true", /"momentum":0.8,"nesterov":true/],
    ] as const
  ) {
    const { optimizer } = trainerOptionsOf(parseConfig(`optimizer: {${text}}`));
    const made = optimizerOf(gpu, params, optimizer!, () => 0);
    const { moments: _, ...shown } = { ...made };
    assert.match(JSON.stringify(shown), pattern);
    made.destroy();
  }
  params.destroy();
});
