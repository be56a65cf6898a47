import assert from "node:assert/strict";
import fc from "fast-check";
import { HatchlingError } from "../../lib/errors.ts";
import { type Gpu, record } from "../../lib/gpu.ts";
import { koleo, type KoleoOptions } from "../../lib/loss/koleo.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { type KoleoCase, koleoReference } from "../support/koleo.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes, values } from "../support/ops.ts";

/** Random features of that shape. */
function koleoCase(
  [groups, group, dim]: readonly number[],
  seed = 1,
  weight = 0.1,
): KoleoCase {
  return { groups, group, dim, weight, features: normals(groups * group * dim, seed) };
}

/** Loss and gradient, twice the same bits. */
async function run(gpu: Gpu, c: KoleoCase): Promise<{ loss: number; grad: Float32Array }> {
  const shape = [c.groups * c.group, c.dim];
  const [[loss], grad] = await values(gpu, () => {
    const features = gpu.tensor(Float32Array.from(c.features), shape);
    const out = koleo(gpu, features, c);
    assert.deepEqual([out.loss.shape, out.gradFeatures.shape], [[1], shape]);
    return [out.loss, out.gradFeatures];
  });
  return { loss, grad };
}

/** Compares losses: a mean of logarithms, of either sign, has the precision of its terms. */
function assertLoss(actual: number, expected: number, { groups, weight }: KoleoCase, what: string) {
  const error = Math.abs(actual - expected);
  assert.ok(error <= 3e-6 * weight * groups, `${what}: expected ${expected}, found ${actual}`);
}

/** Compares row by row: gradients of short rows are far larger than the others. */
function assertRows(
  actual: Float32Array,
  expected: Float64Array,
  dim: number,
  tolerance: number,
  what: string,
): void {
  for (let r = 0; r < expected.length / dim; r++) {
    const part = [r * dim, (r + 1) * dim] as const;
    const [a, e] = [actual.subarray(...part), expected.subarray(...part)];
    assertClose(a, e, tolerance, `${what}, row ${r}`);
  }
}

// [groups, B, D]: two rows, odd numbers of everything, more rows than lanes, more columns than lanes.
for (const shape of [[1, 2, 2], [3, 2, 7], [2, 5, 3], [2, 17, 65], [1, 70, 5], [2, 33, 131]]) {
  gpuTest(`koleo() equals f64, with its gradient, at [groups, B, D] = [${shape}]`, async (gpu) => {
    const c = koleoCase(shape);
    const expected = koleoReference(c);
    await eachLanes(gpu, async (what) => {
      const { loss, grad } = await run(gpu, c);
      assertLoss(loss, expected.loss, c, `loss, ${what}`);
      assertClose(grad, expected.grad, 3e-6, `gradient, ${what}`);
      const objective = (features: Float64Array) => [koleoReference({ ...c, features }).loss];
      assertGradient(grad, objective, [c.features], 0, [1], 3e-6, `differences, ${what}`);
    });
  });
}

gpuTest("koleo() equals f64 at 256 rows of 1024, all nearest to the last one", async (gpu) => {
  const [group, dim] = [256, 1024];
  const c = koleoCase([1, group, dim]);
  const hub = normals(dim, 7);
  const features = Float32Array.from(c.features, (v, i) => {
    return hub[i % dim] + (i < (group - 1) * dim ? 0.7 * v : 0);
  });
  const expected = koleoReference({ ...c, features });
  assert.ok(expected.nearest.slice(0, -1).every((j) => j === group - 1), "there is no hub");
  await eachLanes(gpu, async (what) => {
    const { loss, grad } = await run(gpu, { ...c, features });
    assertLoss(loss, expected.loss, c, `loss, ${what}`);
    assertRows(grad, expected.grad, dim, 1e-5, what);
  });
});

gpuTest("koleo() takes the first of rows that are equally near", async (gpu) => {
  const axes = Float32Array.from({ length: 5 * 6 }, (_, i) => i % 7 === 0 ? 1 + i : 0);
  const [a, b] = [normals(6, 1), normals(6, 2)];
  // Rows 2 and 65 are equal and near row 0; of 64 lanes, that of row 65 comes before that of row 2.
  const many = normals(70 * 6, 3);
  for (const row of [2, 65]) many.set(many.subarray(0, 6).map((v) => v + 0.1), row * 6);
  const cases: [string, number[], number[]][] = [
    ["axes", [...axes], [1, 0, 0, 0, 0]],
    ["repeated", [...b, ...a, ...b, ...a, ...a], [2, 3, 0, 1, 1]],
    ["many", [...many], [2]],
  ];
  for (const [name, features, nearest] of cases) {
    const c: KoleoCase = { groups: 1, group: features.length / 6, dim: 6, weight: 1, features };
    const expected = koleoReference(c);
    assert.deepEqual(expected.nearest.slice(0, nearest.length), nearest);
    await eachLanes(gpu, async (what) => {
      const { loss, grad } = await run(gpu, c);
      assertLoss(loss, expected.loss, c, `loss, ${name}, ${what}`);
      assertClose([1, ...grad], [1, ...expected.grad], 1e-6, `gradient, ${name}, ${what}`);
    });
  }
});

gpuTest("koleo() of one dimension only knows signs, which have no gradient", async (gpu) => {
  const c = { groups: 1, group: 3, dim: 1, weight: 1, features: [3, 1e-3, -2] };
  const { loss, grad } = await run(gpu, c);
  assertClose([loss], [(-2 * Math.log(1e-8) - Math.log(2)) / 3], 1e-6);
  assert.ok(grad.every((g) => g === 0), `${grad}`);
});

gpuTest("koleo() of identical rows is −log 1e-8, without a gradient", async (gpu) => {
  const row = normals(67, 3);
  const features = Float32Array.from({ length: 6 * 67 }, (_, i) => row[i % 67]);
  await eachLanes(gpu, async (what) => {
    const { loss, grad } = await run(gpu, { groups: 2, group: 3, dim: 67, weight: 0.5, features });
    assertClose([loss], [-2 * 0.5 * Math.log(1e-8)], 1e-6, what);
    assert.ok(grad.every((g) => g === 0), what);
  });
});

gpuTest("koleo() tells rows apart that have almost collapsed", async (gpu) => {
  // 1e-5 apart: all cosines round to 1 in f32, so only differences can find the nearest.
  const [group, dim, spread] = [24, 64, 1e-5];
  const [center, noise] = [normals(dim, 5).map(Math.sign), normals(group * dim, 6)];
  const features = noise.map((v, i) => center[i % dim] + spread * v);
  const c: KoleoCase = { groups: 1, group, dim, weight: 1, features };
  const expected = koleoReference(c);
  await eachLanes(gpu, async (what) => {
    const { loss, grad } = await run(gpu, c);
    // Two rows of elements about ±1, each rounded by 2^-24, differ by √2 · spread.
    const rounding = 2 * 2 ** -24 / (Math.SQRT2 * spread);
    assert.ok(Math.abs(loss - expected.loss) <= rounding, `${loss} against ${expected.loss}`);
    assertClose(grad, expected.grad, rounding, what);
  });
});

gpuTest("koleo() equals f64 with rows of zeros and of extreme lengths", async (gpu) => {
  const dim = 9;
  const lengths = [1, 1e30, 0, 1e4, 1e-6, 6e-9, 1e-9, 1]; // times √9; eps lies between
  const features = normals(lengths.length * dim, 4).map((v, i) => v * lengths[Math.floor(i / dim)]);
  const c: KoleoCase = { groups: 1, group: lengths.length, dim, weight: 0.1, features };
  const expected = koleoReference(c);
  await eachLanes(gpu, async (what) => {
    const { loss, grad } = await run(gpu, c);
    assertLoss(loss, expected.loss, c, `loss, ${what}`);
    assertRows(grad, expected.grad, dim, 1e-5, what);
  });
  // Far below eps, a row counts as zeros: only its own gradient has its direction.
  const tiny = { ...c, features: features.map((v, i) => Math.floor(i / dim) === 2 ? 1e-30 : v) };
  assertLoss((await run(gpu, tiny)).loss, expected.loss, c, "a row of 1e-30");
  const zeros = { ...c, features: new Float32Array(features.length) };
  const { loss, grad } = await run(gpu, zeros);
  assertClose([loss], [koleoReference(zeros).loss], 1e-6, "zeros only");
  assert.ok(grad.every((g) => g === 0));
});

gpuTest("koleo() of groups of one row is 0", async (gpu) => {
  for (const groups of [1, 3]) {
    const { loss, grad } = await run(gpu, koleoCase([groups, 1, 5]));
    assert.ok(loss === 0 && grad.every((g) => g === 0), `${groups} groups: ${loss}, ${grad}`);
  }
});

gpuTest("koleo() is not finite where a feature is not", async (gpu) => {
  for (const value of [NaN, Infinity, -Infinity]) {
    for (const row of [0, 3, 7]) {
      const c = koleoCase([2, 4, 5]);
      const features = Float32Array.from(c.features, (v, i) => i === row * 5 + 2 ? value : v);
      await eachLanes(gpu, async (what) => {
        const { loss } = await run(gpu, { ...c, features });
        assert.ok(!Number.isFinite(loss), `${value} in row ${row} gave ${loss}, ${what}`);
      });
    }
  }
});

gpuTest("koleo() holds its symmetries for any features", async (gpu) => {
  const cases = fc.record({
    groups: fc.integer({ min: 1, max: 3 }),
    group: fc.integer({ min: 2, max: 9 }),
    dim: fc.integer({ min: 2, max: 70 }),
    seed: fc.integer({ min: 1, max: 1e6 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ groups, group, dim, seed }) => {
      const c = koleoCase([groups, group, dim], seed, 1);
      const features = Float32Array.from(c.features);
      const found = await run(gpu, c);
      // Lengths do not count: powers of two change no bit, and no row gains by growing.
      const scaled = await run(gpu, { ...c, features: features.map((v) => 8 * v) });
      assert.deepEqual(scaled, { loss: found.loss, grad: found.grad.map((g) => g / 8) });
      const peak = Math.max(...found.grad.map(Math.abs));
      for (let r = 0; r < groups * group; r++) {
        let along = 0;
        for (let i = r * dim; i < (r + 1) * dim; i++) along += features[i] * found.grad[i];
        assert.ok(Math.abs(along) <= 1e-5 * dim * (1 + peak), `row ${r} grows by ${along}`);
      }
      // Groups do not meet.
      const size = group * dim;
      let sum = 0;
      for (let g = 0; g < groups; g++) {
        const part = [g * size, (g + 1) * size] as const;
        const alone = await run(gpu, { ...c, groups: 1, features: features.subarray(...part) });
        assert.deepEqual(alone.grad, found.grad.subarray(...part));
        sum += alone.loss;
      }
      assert.ok(Math.abs(sum - found.loss) <= 1e-5 * (1 + Math.abs(sum)));
      // A small step against the gradient spreads the rows.
      const step = 1e-3 / peak;
      const after = await run(gpu, {
        ...c,
        features: features.map((v, i) => v - step * found.grad[i]),
      });
      assert.ok(after.loss < found.loss, `${found.loss} rose to ${after.loss}`);
    }),
    { numRuns: 10, seed: 7 },
  );
});

gpuTest("koleo() scales with its weight", async (gpu) => {
  const c = koleoCase([2, 6, 10]);
  const one = await run(gpu, { ...c, weight: 1 });
  const half = await run(gpu, { ...c, weight: 0.5 });
  assert.deepEqual(half, { loss: one.loss / 2, grad: one.grad.map((g) => g / 2) });
  const none = await run(gpu, { ...c, weight: 0 });
  assert.ok(none.loss === 0 && none.grad.every((g) => g === 0));
});

gpuTest("koleo() gives the same bits recorded, on a view, run after run", async (gpu) => {
  const c = koleoCase([2, 8, 16]);
  const expected = await run(gpu, c);
  const all = gpu.tensor(normals(64 * 16, 9), [64, 16]);
  const view = all.view([16, 16], 16 * 16);
  view.write(Float32Array.from(c.features));
  const program = await record(gpu, () => koleo(gpu, view, c));
  for (let step = 0; step < 2; step++) {
    program.run();
    const [[loss], grad] = await gpu.read([program.outputs.loss, program.outputs.gradFeatures]);
    assert.deepEqual({ loss, grad }, expected);
  }
  program.destroy();
  all.destroy();
});

gpuTest("koleo() says which option or shape does not fit", (gpu) => {
  const features = gpu.persistent([6, 4], "features");
  const wrong: [KoleoOptions, RegExp][] = [
    [{ groups: 4, weight: 1 }, /groups .* divides the 6 rows of features\[6, 4\] but found 4/],
    [{ groups: 0, weight: 1 }, /groups .* found 0/],
    [{ groups: 1.5, weight: 1 }, /groups .* found 1\.5/],
    [{ groups: NaN, weight: 1 }, /groups .* found NaN/],
    [{ groups: 2, weight: -0.1 }, /finite weight of at least 0 but found -0\.1/],
    [{ groups: 2, weight: Infinity }, /finite weight .* found Infinity/],
    [{ groups: 2, weight: NaN }, /finite weight .* found NaN/],
  ];
  const throws = (shape: number[], options: KoleoOptions, pattern: RegExp) =>
    assert.throws(() => koleo(gpu, features.view(shape), options), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, pattern);
      return true;
    });
  for (const [options, pattern] of wrong) throws([6, 4], options, pattern);
  throws([24], { groups: 2, weight: 1 }, /expected features \[R, D\] but found features\[24\]/);
  throws([2, 3, 4], { groups: 2, weight: 1 }, /expected features \[R, D\]/);
  features.destroy();
});
