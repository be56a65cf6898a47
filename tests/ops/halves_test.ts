import assert from "node:assert/strict";
import type { Gpu, Tensor } from "../../lib/gpu.ts";
import { attention, type AttentionVariant } from "../../lib/ops/attention.ts";
import { gatherRows, scatterRows } from "../../lib/ops/gather_rows.ts";
import { layerNorm } from "../../lib/ops/layer_norm.ts";
import { layerScale, layerScaleBackward } from "../../lib/ops/layer_scale.ts";
import { linear } from "../../lib/ops/linear.ts";
import { matmul, type MatmulVariant } from "../../lib/ops/matmul.ts";
import { patchEmbed } from "../../lib/ops/patch_embed.ts";
import { poolTokens } from "../../lib/ops/pool_tokens.ts";
import { rope, ropeTable } from "../../lib/ops/rope.ts";
import { gatherClass, scaleSamples, scatterClass } from "../../lib/ops/rows.ts";
import { swiglu } from "../../lib/ops/swiglu.ts";
import { asGpu, halvesTest } from "../support/gpu.ts";
import { assertHalves, halfError, rounded } from "../support/halves.ts";
import { matmulF64, normals } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

const VARIANTS: readonly MatmulVariant[] = ["plain", "staged 64x64", "subgroup", "naive"];

/** Variants that the adapter has for sizes that are multiples of 4. */
function variantsOf(gpu: Gpu, ...sizes: number[]): readonly MatmulVariant[] {
  const whole = sizes.every((n) => n % 4 === 0) && gpu.subgroupSize >= 8;
  return VARIANTS.filter((variant) => variant !== "subgroup" || whole);
}

/** The largest halves, the smallest normal one and the smallest of all. */
const EXTREME = [65504, -65504, 2 ** -14, 2 ** -24, -(2 ** -24), 0, 1, -1];

/** The products of a step: forward, of the weight's gradient, and of nothing but halves. */
const PRODUCTS = [
  { transA: false, transB: true, types: ["f16", "f32", "f16"] },
  { transA: true, transB: false, types: ["f32", "f16", "f32"] },
  { transA: false, transB: false, types: ["f16", "f16", "f16"] },
] as const;

for (const [m, k, n] of [[1, 1, 1], [33, 17, 9], [36, 520, 68]]) {
  halvesTest(
    `matmul() of halves equals f64 within its bounds at [${m}, ${k}, ${n}]`,
    async (gpu) => {
      const [a, b] = [normals(m * k, 1), normals(k * n, 2)].map(rounded);
      for (const { transA, transB, types: [ofA, ofB, ofC] } of PRODUCTS) {
        const expected = matmulF64(a, b, [m, k, n], transA, transB);
        const [absA, absB] = [a, b].map((x) => x.map(Math.abs));
        const size = matmulF64(absA, absB, [m, k, n], transA, transB);
        const x = gpu.tensor(a, transA ? [k, m] : [m, k], "a", ofA);
        const y = gpu.tensor(b, transB ? [n, k] : [k, n], "b", ofB);
        for (const variant of variantsOf(gpu, m, k, n)) {
          for (const splits of k > 512 ? [1, 2] : [1]) {
            const options = { transA, transB, variant, splits, dtype: ofC };
            const c = gpu.scope(() => matmul(gpu, x, y, options));
            (await c.read()).forEach((v, i) => {
              // k roundings of the sum and of the products, and the one of the store.
              const bound = 2 * k * 2 ** -24 * size[i] +
                (ofC === "f16" ? halfError(expected[i]) : 0);
              assert.ok(
                Math.abs(v - expected[i]) <= bound,
                `${JSON.stringify(options)}: [${i}] is ${v}, not ${expected[i]}`,
              );
            });
            c.destroy();
          }
        }
        for (const t of [x, y]) t.destroy();
      }
    },
  );
}

for (const [m, k, n] of [[7, 5, 3], [33, 64, 36]]) {
  halvesTest(
    `linear() on halves equals that on f32, forward and backward, at [${m}, ${k}, ${n}]`,
    async (gpu) => {
      const [x, residual, pre] = [m * k, m * n, m * k].map((size, i) => normals(size, i + 1));
      const [w, b, dy] = [n * k, n, m * n].map((size, i) => normals(size, i + 4));
      for (const variant of variantsOf(gpu, m, k, n)) {
        gpu.choices = new Map(["NN", "NT", "TN"].flatMap((t) =>
          ["small", "medium", "large"].map((
            size,
          ): [string, string] => [`matmul ${t} ${size}`, variant])
        ));
        try {
          await assertHalves(gpu, variant, (half) => {
            const weight = { data: gpu.tensor(w, [n, k]), grad: gpu.empty([n, k]) };
            const bias = { data: gpu.tensor(b), grad: gpu.empty([n]) };
            const input = half(x, [m, k]), gradient = gpu.tensor(dy, [m, n]);
            const plain = linear(gpu, input, weight, bias, { gelu: true });
            const added = linear(gpu, input, weight, bias, { residual: half(residual, [m, n]) });
            const dx = plain.backward(gradient, { geluGradOf: half(pre, [m, k]) })!;
            added.backward(gradient); // adds to what is there
            return {
              y: plain.y,
              pre: plain.pre!,
              sum: added.y,
              dx,
              dw: weight.grad,
              db: bias.grad,
            };
          });
        } finally {
          gpu.choices = new Map();
        }
      }
    },
  );
}

halvesTest(
  "linear() on halves makes its epilogue of sums in f32, not of rounded ones",
  async (gpu) => {
    // The product rounds to 2048 as a half; with the bias it is 2052, which a half holds.
    const x = Float32Array.of(1, 1, 0, 0), w = Float32Array.of(2047, 2, 0, 0);
    for (const variant of variantsOf(gpu)) {
      const [a, b] = [gpu.tensor(x, [1, 4], "x", "f16"), gpu.tensor(w, [1, 4])];
      const bias = gpu.tensor(Float32Array.of(3));
      const y = gpu.scope(() =>
        matmul(gpu, a, b, {
          transB: true,
          bias,
          variant: variant === "subgroup" ? "plain" : variant,
        })
      );
      assert.deepEqual(Array.from(await y.read()), [2052], variant);
      for (const t of [a, b, bias, y]) t.destroy();
    }
  },
);

halvesTest(
  "matmul() of extreme halves: sums beyond their range are kept in f32, and overflow stays one when it is stored",
  async (gpu) => {
    const k = 8,
      a = Float32Array.from({ length: 4 * k }, (_, i) => EXTREME[i % 8]),
      b = new Float32Array(k * 4).fill(1);
    b.fill(0, 1 * 4, 2 * 4); // without the -65504
    for (const variant of variantsOf(gpu, 4)) {
      const [x, y] = [gpu.tensor(a, [4, k], "a", "f16"), gpu.tensor(b, [k, 4], "b", "f16")];
      const wide = gpu.scope(() => matmul(gpu, x, y, { variant, dtype: "f32" }));
      (await wide.read()).forEach((v) => assert.ok(Math.abs(v - 65504) < 0.01, `${variant}: ${v}`));
      const twice = gpu.scope(() =>
        matmul(gpu, x, y, {
          variant,
          add: undefined,
          bias: gpu.tensor(new Float32Array(4).fill(65504)),
        })
      );
      // Infinity, or the largest half where a driver rounds towards 0: both count as overflow.
      (await twice.read()).forEach((v) => assert.ok(v >= 65504, `${variant}: ${v}`));
      for (const t of [x, y, wide, twice]) t.destroy();
    }
  },
);

// Head dimensions in whole vec4s or not, more tokens than a tile, two and four vec4s a lane.
for (const [batch, tokens, heads, headDim] of [[2, 5, 3, 5], [1, 67, 1, 72]]) {
  halvesTest(
    `attention() on halves equals that on f32 at [${batch}, ${tokens}], ${heads} heads of ${headDim}`,
    async (gpu) => {
      const dim = heads * headDim, rows = batch * tokens;
      const qkv = normals(rows * 3 * dim, 1), dy = normals(rows * dim, 2);
      const kinds: AttentionVariant[] = ["plain", "tiled4", "tiled8"];
      if (headDim % 4 === 0 && gpu.subgroupSize >= 8) kinds.push("subgroup");
      // y comes back rounded: delta, Σ dy · y of a head, is off by so much at most, and with it each score's gradient,
      // whose products with keys, or queries, are summed with weights of at most 1.
      const top = (x: Float32Array) => x.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const delta = headDim * top(dy) * halfError(top(qkv));
      const dqkv = tokens * delta * headDim ** -0.5 * top(qkv);
      for (const variant of kinds) {
        await assertHalves(gpu, variant, (half) => {
          const run = attention(gpu, half(qkv, [batch, tokens, 3 * dim]), heads, { variant });
          return {
            y: run.y,
            dqkv: run.backward(gpu.tensor(dy, [batch, tokens, dim])),
            map: run.map(),
          };
        }, { dqkv });
      }
    },
  );
}

halvesTest("attention() on extreme halves is finite where it is on f32", async (gpu) => {
  const qkv = Float32Array.from({ length: 2 * 9 * 3 * 8 }, (_, i) => EXTREME[i * 7 % 8]);
  for (
    const variant of [
      "plain",
      "tiled4",
      ...gpu.subgroupSize >= 8 ? ["subgroup" as const] : [],
    ] as const
  ) {
    await assertHalves(
      gpu,
      variant,
      (half) => ({ y: attention(gpu, half(qkv, [2, 9, 24]), 2, { variant }).y }),
    );
  }
});

for (const [rows, dim] of [[1, 1], [131, 5], [33, 68], [5, 512]]) {
  halvesTest(
    `layerNorm() on halves equals that on f32, forward and backward, at [${rows}, ${dim}]`,
    async (gpu) => {
      const [x, w, b, dy] = [rows * dim, dim, dim, rows * dim].map((n, i) => normals(n, i + 1));
      x[0] = 65472; // the largest but one
      const both = async (what: string) => {
        await assertHalves(gpu, what, (half) => {
          const weight = { data: gpu.tensor(w), grad: gpu.empty([dim]) };
          const bias = { data: gpu.tensor(b), grad: gpu.empty([dim]) };
          const input = half(x, [rows, dim]);
          const run = layerNorm(gpu, input, weight, bias);
          const dx = run.backward(gpu.tensor(dy, [rows, dim]));
          const wide = layerNorm(gpu, input, weight, bias, 1e-6, "f32").y;
          return { y: run.y, wide, dx, dw: weight.grad, db: bias.grad };
        });
      };
      await eachLanes(gpu, both);
      await asGpu(gpu, () => both("as a GPU"));
    },
  );
}

halvesTest(
  "layerNorm() hands on a half that is the largest, or beyond it, as NaN of its row alone",
  async (gpu) => {
    for (const value of [65504, -65504, Infinity, NaN]) {
      for (const dim of [5, 68]) {
        const x = new Float32Array(3 * dim).fill(1).fill(value, 2 * dim - 1, 2 * dim);
        const one = { data: gpu.tensor(new Float32Array(dim).fill(1)) };
        const input = gpu.tensor(x, [3, dim], "x", "f16");
        const check = async () => {
          const y = gpu.scope(() => layerNorm(gpu, input, one, one).y);
          const rows = Array.from(await y.read(), (v) => Number.isFinite(v));
          y.destroy();
          const wanted = rows.map((_, i) => Math.floor(i / dim) !== 1);
          assert.deepEqual(rows, wanted, `${value} in rows of ${dim}`);
        };
        await eachLanes(gpu, check);
        await asGpu(gpu, check);
        for (const t of [one.data, input]) t.destroy();
      }
    }
  },
);

for (const dim of [5, 12]) {
  halvesTest(`what moves and scales rows of ${dim} does so with halves`, async (gpu) => {
    const [batch, tokens] = [3, 7], rows = batch * tokens;
    const [x, h, gamma, scale, dy] = [rows * dim, rows * dim, dim, batch, rows * dim].map((n, i) =>
      normals(n, i + 1)
    );
    x.set(EXTREME.slice(0, 5));
    await assertHalves(gpu, "rows", (half, dtype) => {
      const [a, b] = [half(x, [batch, tokens, dim]), half(h, [batch, tokens, dim])];
      const factors = gpu.tensor(scale), gradient = gpu.tensor(dy, [rows, dim]);
      const weight = { data: gpu.tensor(gamma), grad: gpu.empty([dim]) };
      const classes = gpu.empty([batch, dim], "classes", dtype);
      gatherClass(gpu, a, classes, 0);
      const spread = gpu.empty([batch, tokens, dim], "spread", dtype);
      scatterClass(gpu, classes, spread, 0);
      const picked = gatherRows(gpu, a, gpu.tensor(Uint32Array.of(4, 0xffffffff, 1)));
      const into = gpu.empty([rows, dim], "into", dtype);
      gatherRowsInto(gpu, b, into);
      scatterRows(gpu, picked, gpu.tensor(Uint32Array.of(2, 5, 9)), into);
      const scaled = layerScale(gpu, b, weight, a);
      return {
        classes,
        spread,
        picked,
        into,
        scaled,
        alone: layerScale(gpu, b, weight),
        dh: layerScaleBackward(gpu, b, weight, gradient),
        gamma: weight.grad,
        dropped: scaleSamples(gpu, b, factors, { x: a }),
        dropped_grad: scaleSamples(gpu, gradient.view([batch, tokens, dim]), factors),
      };
    }, { into: 2 ** -9 * 4 });
  });

  halvesTest(`swiglu() of ${dim} on halves equals that on f32`, async (gpu) => {
    const x = normals(9 * 2 * dim, 1, 3), dy = normals(9 * dim, 2);
    x.set([100, -100, 60000, -60000]);
    await assertHalves(gpu, "swiglu", (half) => {
      const { y, backward } = swiglu(gpu, half(x, [9, 2 * dim]));
      return { y, dx: backward(gpu.tensor(dy, [9, dim])) };
    });
  });
}

/** Every row where it was: what fills a tensor of either kind. */
function gatherRowsInto(gpu: Gpu, from: Tensor, to: Tensor): void {
  const rows = to.shape[0];
  const moved = gatherRows(gpu, from, gpu.tensor(Uint32Array.from({ length: rows }, (_, i) => i)));
  gatherClass(gpu, moved.view([rows, 1, to.shape[1]]), to, 0);
}

for (const [patch, side, dim] of [[3, 7, 5], [4, 16, 8]]) {
  halvesTest(`patchEmbed() makes tokens of halves from patches of ${patch}`, async (gpu) => {
    const count = Math.floor(side / patch) ** 2, batch = 2;
    const images = normals(batch * 3 * side * side, 1), pos = normals((1 + count) * dim, 2);
    const [w, b, cls, reg, dy] = [
      dim * 3 * patch * patch,
      dim,
      dim,
      2 * dim,
      batch * (3 + count) * dim,
    ]
      .map((n, i) => normals(n, i + 3));
    // Patches are rounded for one of the two: what products of them may be off by.
    const top = 5 * 2 ** -11;
    await assertHalves(gpu, "tokens", (_, dtype) => {
      const weight = {
        data: gpu.tensor(w, [dim, 3, patch, patch]),
        grad: gpu.empty([dim, 3, patch, patch]),
      };
      const bias = { data: gpu.tensor(b), grad: gpu.empty([dim]) };
      const out = gpu.empty([batch, 3 + count, dim], "tokens", dtype);
      const given = gpu.tensor(rounded(images), [batch, 3, side, side]);
      const tokens = { cls: { data: gpu.tensor(cls) }, reg: { data: gpu.tensor(reg) } };
      const run = patchEmbed(gpu, given, { weight, bias, ...tokens }, gpu.tensor(pos), out);
      run.backward(gpu.tensor(dy, out.shape));
      return { y: run.y, dw: weight.grad, db: bias.grad };
    }, { y: top });
  });
}

halvesTest("poolTokens() and rope() read halves", async (gpu) => {
  const x = normals(2 * 7 * 8, 1), qkv = normals(2 * 7 * 24, 2);
  await assertHalves(gpu, "patches", (half) => {
    const rotated = half(qkv, [2, 7, 24]);
    rope(gpu, rotated, ropeTable(gpu, [2, 3], 4, 100));
    const pooled = gpu.empty([2, 2 * 8]);
    poolTokens(gpu, half(x, [2, 7, 8]), [2, 3], "class+mean", { out: pooled });
    return { rotated, pooled };
  });
});
