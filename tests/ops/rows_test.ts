import assert from "node:assert/strict";
import { dropPathFactors, gatherClass, scaleSamples, scatterClass } from "../../lib/ops/rows.ts";
import { philox } from "../../lib/rng.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

for (const [batch, tokens, dim] of [[1, 1, 1], [3, 5, 7], [67, 2, 3], [3, 5, 20]]) {
  const shape = [batch, tokens, dim];
  gpuTest(`gatherClass() and scatterClass() move class tokens of [${shape}]`, async (gpu) => {
    const x = normals(batch * tokens * dim, 1), rest = normals((batch + 5) * dim, 2);
    const [gathered, scattered] = await values(gpu, () => {
      const out = gpu.tensor(rest, [batch + 5, dim]);
      gatherClass(gpu, gpu.tensor(x, shape), out, 2);
      const spread = gpu.empty(shape);
      scatterClass(gpu, gpu.tensor(rest, [batch + 5, dim]), spread, 2);
      return [out, spread];
    });
    const expected = rest.slice();
    const adjoint = new Float32Array(x.length);
    for (let b = 0; b < batch; b++) {
      for (let d = 0; d < dim; d++) {
        expected[(2 + b) * dim + d] = x[b * tokens * dim + d];
        adjoint[b * tokens * dim + d] = rest[(2 + b) * dim + d];
      }
    }
    assert.deepEqual(gathered, expected);
    assert.deepEqual(scattered, adjoint);
  });

  gpuTest(`scaleSamples() equals f64 for [${shape}]`, async (gpu) => {
    const n = batch * tokens * dim;
    const h = normals(n, 3), x = normals(n, 4), scale = normals(batch, 5).map((v) => v > 0 ? v : 0);
    const [scaled, added] = await values(gpu, () => {
      const [t, s] = [gpu.tensor(h, shape), gpu.tensor(scale)];
      return [scaleSamples(gpu, t, s), scaleSamples(gpu, t, s, { x: gpu.tensor(x, shape) })];
    });
    const product = Float64Array.from(h, (v, i) => v * scale[Math.floor(i / (tokens * dim))]);
    assertClose(scaled, product, 1e-7);
    assertClose(added, product.map((v, i) => v + x[i]), 2e-7);
  });
}

gpuTest("scaleSamples() is exact at extremes: zero drops whatever the value", async (gpu) => {
  const h = Float32Array.of(1e4, -1e4, 1e-30, 3e38, 0, -0);
  const [dropped, kept] = await values(gpu, () => {
    const t = gpu.tensor(h, [2, 1, 3]);
    const [zeros, ones] = [new Float32Array(2), Float32Array.of(1, 1)];
    return [
      scaleSamples(gpu, t, gpu.tensor(zeros), { x: t }),
      scaleSamples(gpu, t, gpu.tensor(ones)),
    ];
  });
  assert.deepEqual(dropped.map((v) => v + 0), h.map((v) => v + 0));
  assert.deepEqual(kept.map((v) => v + 0), h.map((v) => v + 0));
});

gpuTest("dropPathFactors() follows Philox exactly", async (gpu) => {
  const n = 1031;
  const sources = [[0, 0], [2 ** 32 + 7, 1], [2 ** 53 - 1, 2 ** 24 - 1]];
  for (const [seed, step] of sources) {
    for (const [rate, stream] of [[0, 0], [0.1, 3], [0.5, 4294967295], [0.999, 7]]) {
      const [factors] = await values(gpu, () => {
        const table = gpu.tensor(Float32Array.of(-1, -2, step, -3));
        return [dropPathFactors(gpu, n, rate, stream, { seed, step: { table, index: 2 } })];
      });
      const key: [number, number] = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
      const dropped = Array.from({ length: n }, (_, i) => {
        const [bits] = philox([i, stream, step, 0], key);
        return (bits >>> 8) / 2 ** 24 < Math.fround(rate);
      });
      const what = `seed ${seed}, step ${step}, rate ${rate}`;
      assert.deepEqual(Array.from(factors, (v) => v === 0), dropped, what);
      const kept = 1 / (1 - Math.fround(rate));
      assertClose(factors, dropped.map((drop) => drop ? 0 : kept), 1e-6, what);
    }
  }
});

gpuTest("dropPathFactors() changes with the step, the stream and the seed", async (gpu) => {
  const draw = (seed: number, stream: number, step: number) => {
    const table = gpu.tensor(Float32Array.of(step));
    return dropPathFactors(gpu, 67, 0.5, stream, { seed, step: { table, index: 0 } });
  };
  const all = await values(gpu, () => [draw(1, 1, 1), draw(1, 1, 2), draw(1, 2, 1), draw(2, 1, 1)]);
  assert.equal(new Set(all.map((factors) => factors.join())).size, 4);
});

gpuTest("dropPathFactors() gives micro-batches what the whole batch has", async (gpu) => {
  const [views, batch, accumulationSteps] = [3, 5, 4];
  const n = views * batch;
  const [whole, ...some] = await values(gpu, () =>
    [undefined, 0, 1, 2, 3].map((m) => {
      const table = gpu.tensor(Float32Array.of(9, m ?? 3));
      const source = { seed: 5, step: { table, index: 0 } };
      if (m === undefined) return dropPathFactors(gpu, n * accumulationSteps, 0.5, 3, source);
      const microBatch = { batch, accumulationSteps, index: { table, index: 1 } };
      return dropPathFactors(gpu, n, 0.5, 3, { ...source, microBatch });
    }));
  some.forEach((factors, m) => {
    const expected = Array.from({ length: n }, (_, i) => {
      const [view, picture] = [Math.floor(i / batch), i % batch];
      return whole[(view * accumulationSteps + m) * batch + picture];
    });
    assert.deepEqual([...factors], expected, `micro-batch ${m}`);
  });
  assert.equal(new Set(some.map((factors) => factors.join())).size, accumulationSteps);
});

gpuTest("dropPathFactors() refuses rates outside [0, 1)", (gpu) => {
  const table = gpu.persistent([1]);
  for (const rate of [-0.1, 1, NaN]) {
    assert.throws(
      () => dropPathFactors(gpu, 3, rate, 0, { seed: 1, step: { table, index: 0 } }),
      /Expected a drop path rate in \[0, 1\) but found/,
    );
  }
  table.destroy();
});
