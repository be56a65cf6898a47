import assert from "node:assert/strict";
import { costOf, type GpuFigures, reachOf } from "../../lib/ops/matmul/cost.ts";
import { TILES } from "../../lib/ops/matmul/tiles.ts";

const product = { m: 100, n: 70, k: 32, transA: false, transB: true };

Deno.test("costOf() counts what the workgroups of a tile do", () => {
  const tile = TILES["staged 64x32"];
  // 2 × 3 tiles: every one reads 64 rows of A (36 of the last ones) and 32 columns of B (6 of the last ones).
  let bytes = 0, outputs = 0;
  for (let row = 0; row < 100; row += 64) {
    for (let col = 0; col < 70; col += 32) {
      const [rows, cols] = [Math.min(64, 100 - row), Math.min(32, 70 - col)];
      bytes += 4 * (rows * 32 + cols * 32 + rows * cols);
      outputs += 64 * 32;
    }
  }
  const cost = costOf(tile, product);
  assert.equal(cost.workgroups, 6);
  assert.equal(cost.invocations, 128);
  assert.equal(cost.workgroupBytes, 12 * 1024);
  assert.equal(cost.flops, 2 * 100 * 70 * 32);
  assert.equal(cost.bytes, bytes);
  assert.equal(cost.leastBytes, 4 * (100 * 32 + 70 * 32 + 100 * 70));
  assert.equal(cost.used, 100 * 70 / outputs);
  assert.equal(cost.intensity, cost.flops / bytes);
  // Three parts are written and read again, and then there is C.
  assert.equal(costOf(tile, product, 3).bytes, bytes + 4 * 6 * 100 * 70);
  assert.equal(costOf(tile, product, 3).workgroups, 18);
});

Deno.test("larger blocks an invocation take more registers and fewer passes over workgroup memory", () => {
  const [small, wide, large] = (["staged 32x32", "staged 64x64 wide", "staged 128x128"] as const)
    .map((name) => costOf(TILES[name], product));
  assert.ok(small.registers < wide.registers && wide.registers < large.registers);
  assert.ok(large.registers < 255, `${large.registers}`);
  assert.ok(small.passes > wide.passes && wide.passes > large.passes);
  // Eight lanes read eight vec4s of B and one of A: (1 + 1) passes for 16 multiply-adds each, (2 + 2) for 64, and stores.
  assert.ok(small.passes >= 2 && small.passes < 2.6, `${small.passes}`);
  assert.ok(large.passes >= 1 && large.passes < 1.2, `${large.passes}`);
});

Deno.test("reachOf() is held by the least of a GPU's figures", () => {
  const gpu: GpuFigures = {
    name: "a GPU",
    ...{ cores: 4, lanes: 64, clock: 1 },
    ...{ registers: 65_536, workgroupBytes: 65_536, invocations: 1024, mostRegisters: 255 },
    ...{ memory: 1e6, cache: 1e6 },
  };
  const cost = costOf(TILES["staged 128x128"], { ...product, m: 1024, n: 1024, k: 1024 });
  const free = reachOf(cost, gpu);
  assert.deepEqual([free.bound, free.share, free.gflops], ["arithmetic", 1, 512]);
  assert.equal(free.resident, Math.floor(65_536 / (256 * cost.registers)));
  assert.equal(reachOf(cost, { ...gpu, lanes: 256 }).bound, "workgroup memory");
  assert.equal(reachOf(cost, { ...gpu, cache: 1 }).bound, "cache");
  assert.equal(reachOf(cost, { ...gpu, memory: 1 }).bound, "memory");
  assert.equal(reachOf(cost, { ...gpu, cores: 100 }).share, 0.64);
  assert.equal(reachOf(cost, { ...gpu, cores: 100 }).bound, "too few workgroups");
  assert.equal(reachOf(cost, { ...gpu, workgroupBytes: 8192 }).share, 0, "none fits");
  // 64 workgroups on 6 cores: the last four end alone.
  assert.ok(Math.abs(reachOf(cost, { ...gpu, cores: 6 }).share - 64 / 66) < 1e-12);
});
