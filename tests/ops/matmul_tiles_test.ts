import assert from "node:assert/strict";
import type { Gpu } from "../../lib/gpu.ts";
import { linear } from "../../lib/ops/linear.ts";
import { matmul } from "../../lib/ops/matmul.ts";
import { MATRIX_KERNELS } from "../../lib/ops/matmul/kernels.ts";
import {
  accessesOf,
  bankPasses,
  blocksOf,
  placesOf,
  sizeOfTile,
  TILE_NAMES,
  tileFits,
  TILES,
} from "../../lib/ops/matmul/tiles.ts";
import { candidatesOf } from "../../lib/ops/matmul/tuning_tasks.ts";
import { splitsOf, variantOf } from "../../lib/ops/matmul/variants.ts";
import { assertGradient } from "../support/gradients.ts";
import { asGpu, gpuTest } from "../support/gpu.ts";
import { type ProductCase, SIZES, testVariant } from "../support/matmul.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";
import { values } from "../support/ops.ts";

/** Each pair of transposes by the kernel of whole vec4s and by that of any shape, with ragged edges. */
const TILED: ProductCase[] = [
  { m: 131, k: 68, n: 132 },
  { m: 35, k: 20, n: 260, transB: true },
  { m: 132, k: 71, n: 36, transA: true },
  { m: 36, k: 4, n: 4, transA: true, transB: true },
  { m: 65, k: 127, n: 67 },
  { m: 31, k: 20, n: 67, transB: true },
  { m: 7, k: 9, n: 11, transA: true },
  { m: 5, k: 3, n: 7, transA: true, transB: true },
];
for (const name of TILE_NAMES) testVariant(name, TILED);

const TRANSPOSES = [false, true].flatMap((a) => [false, true].map((b) => ({ a, b })));

Deno.test("every tile reads and stores in workgroup memory without bank conflicts", () => {
  for (const [name, tile] of Object.entries(TILES)) {
    const { invocations } = sizeOfTile(tile);
    for (const transposed of TRANSPOSES) {
      for (let first = 0; first < invocations; first += 32) {
        const { stores, reads } = accessesOf(tile, first, transposed);
        for (const lanes of [...stores, ...reads]) {
          const { passes, least } = bankPasses(lanes);
          assert.equal(
            passes,
            least,
            `${name} ${JSON.stringify(transposed)} from ${first}: ${lanes}`,
          );
        }
      }
    }
  }
});

Deno.test("bankPasses() counts what must wait", () => {
  const lanes = Array.from({ length: 32 }, (_, i) => i);
  assert.deepEqual(bankPasses(lanes), { passes: 4, least: 4 });
  assert.deepEqual(bankPasses(lanes.map(() => 7)), { passes: 4, least: 4 });
  assert.deepEqual(bankPasses(lanes.map((i) => 8 * i)), { passes: 32, least: 4 });
  assert.deepEqual(bankPasses(lanes.map((i) => 4 * i)), { passes: 16, least: 4 });
  assert.deepEqual(bankPasses(lanes.map((i) => i < 8 ? i : -1)), { passes: 1, least: 1 });
});

Deno.test("the addresses that are counted are the kernel's", () => {
  const { code } = MATRIX_KERNELS.staged;
  const formula = (name: string): string => {
    const text = code.match(new RegExp(`fn ${name}\\(.*\\{\\s*return (.*);`))![1];
    return text.replace(/(\d)u\b/g, "$1");
  };
  const select = (no: number, yes: number, which: boolean) => which ? yes : no;
  for (const tile of Object.values(TILES)) {
    const { X, Y, ROWS, COLS, DEPTH } = tile;
    for (const transposed of TRANSPOSES) {
      const names = ["select", "X", "Y", "ROWS", "COLS", "DEPTH", "TRANS_A", "TRANS_B"];
      const given = [select, X, Y, ROWS, COLS, DEPTH, transposed.a, transposed.b];
      const a = new Function(...names, "m", "k", `return ${formula("place_a")}`);
      const b = new Function(...names, "k", "n", `return ${formula("place_b")}`);
      const places = placesOf(tile, transposed);
      const seen = { a: new Set<number>(), b: new Set<number>() };
      for (let k = 0; k < DEPTH; k++) {
        for (let m = 0; m < Y * ROWS; m++) {
          assert.equal(places.a(m, k), a(...given, m, k));
          seen.a.add(places.a(m, k));
        }
        for (let n = 0; n < X * COLS; n++) {
          assert.equal(places.b(k, n), b(...given, k, n));
          seen.b.add(places.b(k, n));
        }
      }
      const blocks = blocksOf(tile);
      assert.deepEqual(
        [seen.a.size, seen.b.size],
        [blocks.a, blocks.b],
        "each block has its place",
      );
      assert.ok(Math.max(...seen.a) < blocks.a && Math.max(...seen.b) < blocks.b);
    }
  }
});

Deno.test("all tiles but the largest fit WebGPU's default limits", () => {
  const limits = {
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupSizeX: 256,
    maxComputeWorkgroupSizeY: 256,
    maxComputeWorkgroupStorageSize: 16384,
  } as GPUSupportedLimits;
  const big = TILE_NAMES.filter((name) => !tileFits(limits, TILES[name]));
  assert.deepEqual(big, ["staged 128x128 deep"]);
  for (const { X, Y, ROWS, DEPTH, COLS } of Object.values(TILES)) {
    assert.ok(
      Y * ROWS * DEPTH <= X * Y,
      "the first block that an invocation loads may be one of A",
    );
    assert.equal(X % 8, 0);
    assert.equal(X * COLS * DEPTH % 8, 0);
  }
});

gpuTest("a GPU takes tiles by shape, and parts of K by tile", (gpu) =>
  asGpu(gpu, () => {
    const of = (m: number, n: number, k = 256) => variantOf(gpu, { ...SIZES, m, n, k });
    assert.equal(of(4096, 4096), "staged 128x128");
    assert.equal(of(16, 2048), "staged 32x64");
    assert.equal(of(2048, 8), "staged 64x32");
    assert.equal(of(8, 8), "staged 32x32");
    assert.match(of(192, 192), /^staged (32|64)x(32|64)/);
    const product = { ...SIZES, m: 256, n: 256, k: 4096 };
    assert.equal(splitsOf(gpu, "staged 128x128", product), 16);
    assert.equal(splitsOf(gpu, "staged 32x32", product), 2);
    for (const product of [{ m: 16, n: 4096, k: 512 }, { m: 4096, n: 4096, k: 512 }]) {
      const candidates = candidatesOf(gpu, { ...SIZES, ...product });
      assert.equal(candidates[0], "plain");
      assert.ok(candidates.length > 3, `${candidates}`);
    }
  }));

gpuTest("linear() on a GPU equals f64, forward and backward", (gpu) =>
  asGpu(gpu, async () => {
    const reference = (x: Float64Array, w: Float64Array, b: Float64Array) => {
      const [from, to] = [w.length / b.length, b.length];
      const y = matmulF64(x, w, [x.length / from, from, to], false, true);
      return y.map((v, i) => v + b[i % to]);
    };
    for (const [rows, from, to] of [[131, 5, 3], [2100, 8, 12], [3, 68, 36]]) {
      const sizes = [rows * from, to * from, to, rows * to];
      const inputs = sizes.map((n, i) => normals(n, i + 1));
      const [x, w, b, dy] = inputs;
      const [y, dx, dw, db] = await values(gpu, () => {
        const weight = { data: gpu.tensor(w, [to, from]), grad: gpu.empty([to, from]) };
        const bias = { data: gpu.tensor(b), grad: gpu.empty([to]) };
        const { y, backward } = linear(gpu, gpu.tensor(x, [rows, from]), weight, bias);
        const dx = backward(gpu.tensor(dy, [rows, to]))!;
        return [y, dx, weight.grad, bias.grad];
      });
      const at = `${rows}×${from}×${to}`;
      const [x64, w64, b64] = inputs.map((t) => Float64Array.from(t));
      assertClose(y, reference(x64, w64, b64), 2e-6, `y ${at}`);
      const check = (found: Float32Array, i: number) =>
        assertGradient(found, reference, [x, w, b], i, dy, 3e-6, `gradient ${i} ${at}`);
      [dx, dw, db].forEach(check);
    }
  }));

gpuTest("a tile larger than this adapter's workgroups is refused by name", (real) => {
  const limits = { maxComputeInvocationsPerWorkgroup: 64, maxComputeWorkgroupStorageSize: 16384 };
  const gpu: Gpu = new Proxy(real, {
    get(target, key) {
      if (key === "limits") {
        return new Proxy(real.limits, {
          get: (of, limit) => Reflect.get(limits, limit) ?? Reflect.get(of, limit, of),
        });
      }
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  gpu.scope(() => {
    const a = real.empty([8, 8], "a");
    assert.throws(
      () => matmul(gpu, a, a, { variant: "staged 128x128" }),
      /for variant staged 128x128 an adapter with its invocations, workgroups and workgroup memory but/,
    );
  });
});
