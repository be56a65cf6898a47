import assert from "node:assert/strict";
import { featureDim, FEATURES } from "../../lib/model.ts";
import { poolTokens, poolTokensBackward } from "../../lib/ops.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";
import { pooledF64 } from "../support/features.ts";

/** Images, patches down and across, D. */
const SHAPES: [n: number, patches: [number, number], dim: number][] = [
  [3, [4, 4], 5],
  [2, [3, 5], 7],
  [5, [1, 1], 8],
  [2, [7, 7], 3],
  [1, [2, 9], 1],
  [2, [14, 14], 24],
];

for (const [n, patches, dim] of SHAPES) {
  const shape = [n, 1 + patches[0] * patches[1], dim];
  const size = shape.reduce((a, b) => a * b);

  gpuTest(`poolTokens() equals f64: ${n} × [${patches}] patches, D ${dim}`, async (gpu) => {
    const tokens = normals(size, 7);
    const pooled = await values(
      gpu,
      () => FEATURES.map((word) => poolTokens(gpu, gpu.tensor(tokens, shape), patches, word)),
    );
    FEATURES.forEach((word, i) => {
      assert.equal(pooled[i].length, n * featureDim(word, dim));
      assertClose(pooled[i], pooledF64(tokens, dim, patches, word), 3e-7, word);
    });
  });

  gpuTest(`poolTokensBackward() is the gradient: ${n} × [${patches}], D ${dim}`, async (gpu) => {
    const tokens = normals(size, 8), before = normals(size, 9);
    for (const feature of FEATURES) {
      // Another span's row before, and one after: they are not read.
      const width = featureDim(feature, dim);
      const dy = normals((n + 2) * width, 10);
      const own = dy.subarray(width, (n + 1) * width);
      const [gradient, added] = await values(gpu, () =>
        [false, true].map((accumulate) => {
          const dTokens = gpu.tensor(before, shape);
          const rows = gpu.tensor(dy, [n + 2, width]);
          poolTokensBackward(gpu, rows, dTokens, patches, feature, { first: 1, accumulate });
          return dTokens;
        }));
      const reference = (x: Float64Array) => pooledF64(x, dim, patches, feature);
      assertGradient(gradient, reference, [tokens], 0, own, 1e-6, feature);
      assertClose(added, gradient.map((v, i) => v + before[i]), 3e-7, `${feature}, accumulated`);
      // The adjoint: ⟨P x, dy⟩ = ⟨x, Pᵀ dy⟩ over every element, those of the gradient check and the rest.
      const product = (a: ArrayLike<number>, b: ArrayLike<number>) =>
        Array.from(a, (v, i) => v * b[i]).reduce((sum, v) => sum + v, 0);
      const scale = Math.sqrt(product(tokens, tokens) * product(gradient, gradient));
      const difference = product(reference(Float64Array.from(tokens)), own) -
        product(tokens, gradient);
      assert.ok(Math.abs(difference) <= 1e-6 * scale, `${feature}: adjoint off by ${difference}`);
    }
  });
}

for (const prefix of [0, 1, 4]) {
  gpuTest(`poolTokens() leaves ${prefix} tokens before the patches out, both ways`, async (gpu) => {
    const n = 2, patches = [3, 2] as const, dim = 6, shape = [n, prefix + 6, dim];
    const tokens = normals(n * (prefix + 6) * dim, 3), options = { prefix };
    for (const feature of FEATURES.filter((word) => prefix > 0 || !word.startsWith("class"))) {
      const dy = normals(n * featureDim(feature, dim), 4);
      const [y, dx] = await values(gpu, () => {
        const y = poolTokens(gpu, gpu.tensor(tokens, shape), patches, feature, options);
        const dx = gpu.tensor(tokens, shape);
        poolTokensBackward(gpu, gpu.tensor(dy, y.shape), dx, patches, feature, options);
        return [y, dx];
      });
      const reference = (x: Float64Array) => pooledF64(x, dim, patches, feature, prefix);
      assertClose(y, reference(Float64Array.from(tokens)), 3e-7, feature);
      assertGradient(dx, reference, [tokens], 0, dy, 1e-6, feature);
      const registers = dx.filter((_, i) => {
        const token = Math.floor(i / dim) % (prefix + 6);
        return token < prefix && (token > 0 || !feature.startsWith("class"));
      });
      assert.ok(registers.every((v) => v === 0), `${feature}: a gradient of what is not read`);
    }
  });
}

gpuTest("poolTokens() refuses a class token that is not there", (gpu) => {
  gpu.scope(() => {
    assert.throws(
      () => poolTokens(gpu, gpu.empty([1, 4, 2]), [2, 2], "class", { prefix: 0 }),
      /expected a feature of patches, as no token comes before them, but found class/,
    );
    return [];
  });
});

gpuTest("poolTokens() fills its rows of spans of several sizes, and no others", async (gpu) => {
  const dim = 6, spans = [[2, 3, 5], [3, 1, 1], [1, 7, 2]];
  const tokens = spans.map(([n, rows, cols], i) => normals(n * (1 + rows * cols) * dim, i + 1));
  for (const feature of FEATURES) {
    const width = featureDim(feature, dim);
    const rest = normals(8 * width, 5);
    const [out] = await values(gpu, () => {
      const out = gpu.tensor(rest, [8, width]);
      let first = 1;
      spans.forEach(([n, rows, cols], i) => {
        const span = gpu.tensor(tokens[i], [n, 1 + rows * cols, dim]);
        poolTokens(gpu, span, [rows, cols], feature, { out, first });
        first += n;
      });
      return [out];
    });
    const expected = spans.flatMap(([, rows, cols], i) =>
      pooledF64(tokens[i], dim, [rows, cols], feature)
    );
    assertClose(out.subarray(width, 7 * width), expected, 3e-7, feature);
    assert.deepEqual(out.subarray(0, width), rest.subarray(0, width), "the row before");
    assert.deepEqual(out.subarray(7 * width), rest.subarray(7 * width), "the row after");
  }
});

gpuTest("poolTokens() lays kinds of features side by side, scaled, and adds them", async (gpu) => {
  const n = 3, dim = 5, patches = [3, 2] as const, shape = [n, 7, dim];
  const tokens = [1, 2].map((seed) => normals(n * 7 * dim, seed));
  for (const feature of FEATURES) {
    const width = featureDim(feature, dim);
    const expected = tokens.map((x) => pooledF64(x, dim, patches, feature));
    const [beside, sum, first, second] = await values(gpu, () => {
      const both = tokens.map((x) => gpu.tensor(x, shape));
      const beside = gpu.empty([2 * n, width]), sum = gpu.empty([n, width]);
      both.forEach((x, i) => {
        poolTokens(gpu, x, patches, feature, { out: beside, first: i, stride: 2 });
        poolTokens(gpu, x, patches, feature, { out: sum, scale: 0.5, accumulate: i > 0 });
      });
      const back = both.map((x, first) => {
        const dTokens = gpu.empty(x.shape);
        const options = { first, stride: 2, scale: -3 };
        poolTokensBackward(gpu, beside, dTokens, patches, feature, options);
        return dTokens;
      });
      return [beside, sum, ...back];
    });
    const row = (x: ArrayLike<number>, i: number) =>
      Array.from(x).slice(i * width, (i + 1) * width);
    const rows = Array.from({ length: 2 * n }, (_, r) => row(expected[r % 2], r >> 1));
    assertClose(beside, rows.flat(), 3e-7, feature);
    assertClose(sum, expected[0].map((v, i) => (v + expected[1][i]) / 2), 3e-7, feature);
    [first, second].forEach((gradient, i) => {
      const scaled = (x: Float64Array) => pooledF64(x, dim, patches, feature).map((v) => -3 * v);
      const dy = Array.from({ length: n }, (_, image) => row(beside, 2 * image + i)).flat();
      assertGradient(gradient, scaled, [tokens[i]], 0, dy, 1e-6, feature);
    });
  }
});

gpuTest("poolTokens() keeps the digits of 40,000 patches, and extreme values", async (gpu) => {
  const many = normals(1 + 200 * 200, 8).map((v) => 1000 + v);
  const wild = Float32Array.of(7, 3e38, -3e38, 1e-38, -1e38); // a class token and 2 × 2 patches
  const [mean, cells, repeated] = await values(gpu, () => {
    const pictures = gpu.tensor(wild, [1, 5, 1]);
    return [
      poolTokens(gpu, gpu.tensor(many, [1, many.length, 1]), [200, 200], "mean"),
      poolTokens(gpu, pictures, [2, 2], "quad"),
      poolTokens(gpu, pictures, [2, 2], "grid"),
    ];
  });
  assertClose(mean, pooledF64(many, 1, [200, 200], "mean"), 1e-6);
  assert.deepEqual(cells, wild.subarray(1), "a cell of one patch is that patch");
  const of = (i: number) => [wild[i], wild[i], wild[i + 1], wild[i + 1]];
  assert.deepEqual([...repeated], [...of(1), ...of(1), ...of(3), ...of(3)]);
});

gpuTest("poolTokens() refuses what does not fit", (gpu) => {
  const tokens = gpu.persistent([2, 7, 3]), out = gpu.persistent([3, 12]);
  assert.throws(
    () => poolTokens(gpu, tokens, [2, 4], "mean"),
    /\[n, 1 \+ 2 · 4, D\] but found/,
  );
  for (const patches of [[0, 3], [1.5, 4], [NaN, 3]] as const) {
    assert.throws(() => poolTokens(gpu, tokens, patches, "mean"), /expected tokens .* but found/);
  }
  assert.throws(() => poolTokens(gpu, tokens.view([14, 3]), [2, 3], "mean"), /but found/);
  assert.throws(
    () => poolTokens(gpu, tokens, [2, 3], "cls" as never),
    /a feature \(class, mean, quad, grid, class\+mean\) but found "cls"/,
  );
  assert.throws(
    () => poolTokens(gpu, tokens, [2, 3], "mean", { out }),
    /expected features \[S, 3\] but found/,
  );
  for (const first of [2, -1, 0.5, NaN]) {
    assert.throws(
      () => poolTokens(gpu, tokens, [2, 3], "quad", { out, first }),
      /expected 2 rows within .*3, 12\] but found them from/,
    );
    assert.throws(
      () => poolTokensBackward(gpu, out, tokens, [2, 3], "quad", { first }),
      /expected 2 rows/,
    );
  }
  for (const stride of [3, 0, 1.5]) {
    assert.throws(
      () => poolTokens(gpu, tokens, [2, 3], "quad", { out, stride }),
      /each [0135.]+ after the one before/,
    );
  }
  assert.throws(
    () => poolTokens(gpu, tokens, [2, 3], "mean", { scale: NaN }),
    /expected a finite scale but found NaN/,
  );
  assert.throws(
    () => poolTokens(gpu, tokens, [2, 3], "mean", { accumulate: true }),
    /expected `out` beside `accumulate`/,
  );
  for (const t of [tokens, out]) t.destroy();
});
