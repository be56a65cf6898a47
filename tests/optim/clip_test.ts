import assert from "node:assert/strict";
import type { Gpu } from "../../lib/gpu.ts";
import { Parameters } from "../../lib/model.ts";
import { clipFactors, type ClipMode } from "../../lib/optim.ts";
import { flagNonFinite } from "../../lib/optim/clip.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

/** Norms and factors by name, of gradients spread over several chunks. */
async function clip(
  gpu: Gpu,
  grads: Record<string, Float32Array<ArrayBuffer>>,
  limit: number,
  mode?: ClipMode,
) {
  const specs = Object.entries(grads).map(([name, { length }]) => ({
    name,
    shape: [length],
    init: { constant: 0 },
  }));
  const params = new Parameters(gpu, specs, { grad: true, chunkElements: 12_288 });
  for (const [name, grad] of Object.entries(grads)) params.get(name).grad!.write(grad);
  const chunks = gpu.scope(() => clipFactors(gpu, params, limit, mode));
  const out: Record<string, { norm: number; factor: number }> = {};
  for (const { names, norms, factors } of chunks) {
    const [norm, factor] = await gpu.read([norms, factors]);
    assert.deepEqual([norm.length, factor.length], [names.length, names.length]);
    names.forEach((name, i) => out[name] = { norm: norm[i], factor: factor[i] });
  }
  for (const part of [params, ...chunks.flatMap((c) => [c.norms, c.factors])]) part.destroy();
  assert.deepEqual(Object.keys(out), Object.keys(grads), "names in layout order");
  return out;
}

/** The norm in f64. */
function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
}

gpuTest("clipFactors() equals f64 for tensors of any length and size", async (gpu) => {
  // Around a granule of 64 and a block of 4096 elements; beyond what squares in f32 can hold.
  const lengths = [1, 63, 64, 65, 4095, 4096, 4097, 12_000];
  const scales = [1e-6, 1e-3, 1, 10, 1e30, 1e-25];
  const grads: Record<string, Float32Array<ArrayBuffer>> = {};
  for (const [i, length] of lengths.entries()) {
    for (const scale of scales) grads[`${length} of ${scale}`] = normals(length, i + 1, scale);
  }
  grads.zeros = new Float32Array(100);
  grads["one among zeros"] = new Float32Array(5000);
  grads["one among zeros"][4999] = -7;
  await eachLanes(gpu, async (what) => {
    for (const limit of [0, 3, 1e-6]) {
      for (const [name, found] of Object.entries(await clip(gpu, grads, limit))) {
        const expected = norm(grads[name]);
        assertClose([found.norm], [expected], 2e-6, `${name}, ${what}`);
        const factor = limit ? Math.min(1, limit / (expected + 1e-6)) : 1;
        assertClose([found.factor], [factor], 2e-6, `factor of ${name}, ${what}`);
      }
    }
  });
});

for (const scale of [1e-30, 1e-3, 1, 1e25]) {
  gpuTest(
    `clipFactors() gives all tensors one factor by the norm of all: ${scale}`,
    async (gpu) => {
      // In several chunks, the largest not the first; one of zeros, one far below the others.
      const grads = {
        ...{ small: normals(65, 1, scale), zeros: new Float32Array(100) },
        ...{ large: normals(12_000, 2, 100 * scale), tiny: normals(4097, 3, 1e-5 * scale) },
        ...{ last: normals(4096, 4, 3 * scale) },
      };
      const total = Math.hypot(...Object.values(grads).map(norm));
      for (const limit of [0, total / 7, 2 * total, 3]) {
        const found = await clip(gpu, grads, limit, "global_norm");
        const factor = limit ? Math.min(1, limit / (total + 1e-6)) : 1;
        for (const [name, one] of Object.entries(found)) {
          assertClose([one.norm], [norm(grads[name as keyof typeof grads])], 2e-6, name);
          assertClose([one.factor], [factor], 2e-6, `factor of ${name} at ${limit}`);
        }
      }
    },
  );
}

gpuTest("clipFactors() clips nothing where the norm of all is not finite", async (gpu) => {
  for (const value of [NaN, Infinity, -Infinity]) {
    const bad = normals(2000, 3);
    bad[77] = value;
    for (const grads of [{ bad, fine: normals(70, 1) }, { fine: normals(12_200, 1), bad }]) {
      const found = await clip(gpu, grads as Record<string, typeof bad>, 1e-3, "global_norm");
      assert.deepEqual([found.bad.factor, found.fine.factor], [1, 1]);
      assert.ok(Number.isNaN(found.bad.norm) && found.fine.norm > 0);
    }
  }
});

gpuTest(
  "clipFactors() gives NaN for tensors that are not finite, and for them alone",
  async (gpu) => {
    const bad = (at: number, value: number) => {
      const grad = normals(5000, 3);
      grad[at] = value;
      return grad;
    };
    await eachLanes(gpu, async (what) => {
      const found = await clip(gpu, {
        fine: normals(70, 1),
        nan: bad(0, NaN),
        "nan in the middle": bad(2500, NaN),
        infinity: bad(4999, Infinity),
        "minus infinity": bad(4096, -Infinity),
        "fine too": normals(70, 2),
      }, 3);
      const norms = Object.values(found).map(({ norm }) => Number.isNaN(norm));
      assert.deepEqual(norms, [false, true, true, true, true, false], what);
      for (const [name, { factor }] of Object.entries(found).slice(1, 5)) {
        assert.equal(factor, 1, `${name}, ${what}`);
      }
    });
  },
);

gpuTest("clipFactors() refuses a negative clip and parameters without gradients", (gpu) => {
  const params = new Parameters(gpu, [{ name: "w", shape: [2], init: { constant: 0 } }]);
  assert.throws(
    () => clipFactors(gpu, params, -1),
    /gradient clip of 0 \(off\) or more but found -1/,
  );
  assert.throws(() => clipFactors(gpu, params, NaN), /found NaN/);
  assert.throws(() => clipFactors(gpu, params, 3), /Expected parameters with gradients/);
  params.destroy();
});

gpuTest("flagNonFinite() names the first number that is not finite, once", async (gpu) => {
  const flag = gpu.persistent([2]);
  const step = { table: gpu.tensor(Float32Array.of(5, 41, 6)), index: 1 };
  const look = async (values: number[], first: number, count?: number) => {
    const t = gpu.tensor(Float32Array.from(values));
    flagNonFinite(gpu, flag, { values: t, count, first, step });
    t.destroy();
    return [...await flag.readU32()];
  };
  assert.deepEqual(await look([1, -0, 3e38, 1e-38], 7), [0, 0]);
  assert.deepEqual(await look([1, NaN], 7, 1), [0, 0], "beyond count");
  assert.deepEqual(await look([1, 2, Infinity, NaN], 7), [42, 10]);
  assert.deepEqual(await look([NaN], 0), [42, 10], "the first stays");
  assert.deepEqual(await look([1], 0), [42, 10], "until cleared");
  for (const value of [NaN, -Infinity]) {
    flag.write(new Uint32Array(2));
    assert.deepEqual(await look([0, value], 0), [42, 2]);
  }
  for (const t of [flag, step.table]) t.destroy();
});
