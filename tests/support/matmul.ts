/** Tests of one variant of matmul. */
import assert from "node:assert/strict";
import type { Gpu } from "../../lib/gpu.ts";
import { matmul, type MatmulVariant } from "../../lib/ops/matmul.ts";
import { TILES } from "../../lib/ops/matmul/tiles.ts";
import { fits } from "../../lib/ops/matmul/variants.ts";
import { erf } from "../../lib/prove/erf.ts";
import { gpuTest } from "./gpu.ts";
import { assertClose, matmulF64, normals } from "./numbers.ts";
import { values } from "./ops.ts";

/** A product. */
export interface ProductCase {
  m: number;
  k: number;
  n: number;
  transA?: boolean;
  transB?: boolean;
}

/** A product of whole vec4s. */
export const SIZES = { m: 4, n: 4, k: 4, transA: false, transB: false };

const gelu = (x: number) => 0.5 * x * (1 + erf(x * Math.SQRT1_2));
const slope = (x: number) =>
  0.5 * (1 + erf(x * Math.SQRT1_2)) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);

/** Tests a variant: its products, and its epilogues in one part and in several. */
export function testVariant(variant: MatmulVariant, cases: readonly ProductCase[]): void {
  /** Adapters without such subgroups refuse. */
  const test = (name: string, fn: (gpu: Gpu) => Promise<void>) =>
    gpuTest(`${name}, ${variant}`, async (gpu) => {
      if (fits(gpu, variant, SIZES)) return await fn(gpu);
      gpu.scope(() => {
        const a = gpu.empty([4, 4]);
        assert.throws(
          () => matmul(gpu, a, a, { variant }),
          /expected for variant (subgroup whole vec4s and subgroups of 8|staged 128x128 deep an adapter)/,
        );
      });
    });

  for (const { m, k, n, transA = false, transB = false } of cases) {
    const name = `${m}×${k}${transA ? "ᵀ" : ""} · ${k}×${n}${transB ? "ᵀ" : ""}`;
    test(`matmul() equals the f64 product ${name}`, async (gpu) => {
      const da = normals(m * k, 1), db = normals(k * n, 2);
      const [y] = await values(gpu, () => {
        const a = gpu.tensor(da, transA ? [k, m] : [m, k]);
        const b = gpu.tensor(db, transB ? [n, k] : [k, n]);
        const y = matmul(gpu, a, b, { transA, transB, variant });
        assert.deepEqual(y.shape, [m, n]);
        return [y];
      });
      assertClose(y, matmulF64(da, db, [m, k, n], transA, transB), 2e-6);
    });
  }

  // C in whole vec4s and not; sums in one part and in several.
  for (
    const [n, splits] of [
      [132, 1],
      [132, 3],
      ...variant === "plain" || variant in TILES ? [[131, 1]] : [],
    ]
  ) {
    const transB = n === 131;
    const name = `matmul() applies its epilogues in order, ${n} columns, ${splits} parts`;
    test(name, async (gpu) => {
      const [m, k] = [83, splits > 1 ? 140 : 12];
      const [da, db, dBias, dAux] = [m * k, k * n, n, m * n].map((size, i) => normals(size, i + 3));
      [0, 100, -100, 1e4, -1e4, 1e30, -1e30].forEach((v, i) => dAux[i] = v);
      const [pre, active, masked, sum, alone] = await values(gpu, () => {
        const [a, b] = [gpu.tensor(da, [m, k]), gpu.tensor(db, transB ? [n, k] : [k, n])];
        const [bias, aux] = [gpu.tensor(dBias), gpu.tensor(dAux, [m, n])];
        const options = { transB, variant, splits };
        const pre = gpu.empty([m, n]);
        const active = matmul(gpu, a, b, { ...options, bias, geluPre: pre });
        const alone = matmul(gpu, a, b, { ...options, bias, gelu: true });
        const masked = matmul(gpu, a, b, { ...options, geluGradOf: aux });
        const sum = matmul(gpu, a, b, { ...options, add: active });
        matmul(gpu, a, b, { ...options, bias, out: sum, accumulate: true });
        return [pre, active, masked, sum, alone];
      });
      const product = matmulF64(da, db, [m, k, n], false, transB);
      const biased = product.map((v, i) => v + dBias[i % n]);
      assertClose(pre, biased, 2e-6, "pre");
      assertClose(active, biased.map(gelu), 2e-6, "gelu");
      assertClose(alone, biased.map(gelu), 2e-6, "gelu of what is not kept");
      assertClose(masked, product.map((v, i) => v * slope(dAux[i])), 2e-6, "gelu'");
      assertClose(sum, product.map((v, i) => gelu(biased[i]) + v + biased[i]), 2e-6, "added up");
    });
  }

  for (const [m, n, k, splits] of [[132, 8, 71, 1], [7, 5, 9, 1], [36, 68, 1100, 3]]) {
    if (variant === "subgroup" && m % 4 > 0) continue;
    test(`matmul() sums A's columns beside ${k}×${m}ᵀ · ${k}×${n}, ${splits} parts`, async (gpu) => {
      const [da, db, old] = [normals(k * m, 1), normals(k * n, 2), normals(m, 3)];
      [1e30, -1e30, 1e-30, 0].forEach((v, i) => da[i * m + 2] = v);
      const [y, sums, added] = await values(gpu, () => {
        const [a, b] = [gpu.tensor(da, [k, m]), gpu.tensor(db, [k, n])];
        const out = gpu.empty([m]), more = gpu.tensor(old);
        const options = { transA: true, variant, splits };
        const y = matmul(gpu, a, b, { ...options, sums: { out } });
        matmul(gpu, a, b, { ...options, sums: { out: more, accumulate: true, zeros: [1, 4] } });
        return [y, out, more];
      });
      const ones = new Float64Array(k).fill(1);
      const expected = matmulF64(da, ones, [m, k, 1], true);
      // Beside 1e30 in its column nothing else counts.
      const close = (found: Float32Array, to: Float64Array, what: string) => {
        const rest = (x: ArrayLike<number>) => Array.from(x).filter((_, i) => i !== 2);
        assertClose(rest(found), rest(to), 2e-6, what);
      };
      close(sums, expected, "sums");
      assert.ok(Math.abs(sums[2] - expected[2]) <= 1e24, `${sums[2]} is not ${expected[2]}`);
      close(added, expected.map((v, i) => i >= 1 && i < 4 ? old[i] : v + old[i]), "added");
      assert.equal(added[2], old[2], "what is held stays as it is");
      const finite = (x: ArrayLike<number>) => Array.from(x).slice(3 * n);
      assertClose(finite(y), finite(matmulF64(da, db, [m, k, n], true)), 2e-6, "the product");
    });
  }
}
