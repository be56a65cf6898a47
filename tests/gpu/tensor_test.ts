import assert from "node:assert/strict";
import { matmul } from "../../lib/ops/matmul.ts";
import { StagingRing } from "../../lib/gpu/staging.ts";
import { gpuTest } from "../support/gpu.ts";

gpuTest("Tensor keeps shape, size and bytes; write() and read() round-trip", async (gpu) => {
  const t = gpu.tensor(Float32Array.of(1, -2, 1e-38, 3e38, 0), [5, 1], "odd");
  assert.deepEqual([t.shape, t.size, t.bytes, `${t}`], [[5, 1], 5, 20, "odd[5, 1]"]);
  assert.deepEqual(await t.read(), Float32Array.of(1, -2, 1e-38, 3e38, 0));
  t.write(Float32Array.of(5, 4, 3, 2, 1));
  assert.deepEqual([...await t.read()], [5, 4, 3, 2, 1]);
  assert.throws(
    () => t.write(new Float32Array(4)),
    /Expected 5 elements for odd\[5, 1\] but found 4/,
  );
  t.destroy();
});

gpuTest("Tensor.readU32() keeps every bit", async (gpu) => {
  const bits = Uint32Array.of(0, 1, 0x7fc00001, 0xffffffff, 0x80000000);
  const t = gpu.tensor(bits);
  assert.deepEqual(await t.readU32(), bits);
  const signed = gpu.tensor(Int32Array.of(-1, 7));
  assert.deepEqual(await signed.readU32(), Uint32Array.of(0xffffffff, 7));
  t.destroy();
  signed.destroy();
});

gpuTest("Gpu.persistent() holds zeros", async (gpu) => {
  const t = gpu.persistent([3]);
  assert.deepEqual([...await t.read()], [0, 0, 0]);
  t.destroy();
});

gpuTest("Tensor.view() shares storage, also from an aligned start", async (gpu) => {
  const t = gpu.tensor(Float32Array.from({ length: 130 }, (_, i) => i));
  const tail = t.view([2, 33], 64);
  assert.equal(tail.storage, t.storage);
  assert.deepEqual([...await tail.read()].slice(0, 2), [64, 65]);
  tail.write(new Float32Array(66).fill(-1));
  assert.deepEqual([...await t.read()].slice(62, 66), [62, 63, -1, -1]);
  const nested = tail.view([1], 64);
  assert.equal(nested.offset, 512);
  tail.destroy(); // frees the storage, for every view
  assert.throws(() => t.binding(), /tensor\[130\] has no memory: it was destroyed/);
});

gpuTest("Tensor.view() refuses starts that cannot be bound, and leaving the tensor", (gpu) => {
  const t = gpu.empty([128], "arena");
  assert.throws(
    () => t.view([4], 1),
    /starts at a multiple of 64 elements but found 1 in arena\[128\]/,
  );
  assert.throws(
    () => t.view([65], 64),
    /within the 128 elements of arena\[128\] but found \[65\] from element 64/,
  );
  assert.throws(() => t.view([1], -64), /Expected a view within/);
  t.destroy();
});

gpuTest("a view works as an op's input and output", async (gpu) => {
  const arena = gpu.tensor(new Float32Array(130).fill(9));
  const a = gpu.tensor(Float32Array.of(1, 2, 3, 4), [2, 2]);
  matmul(gpu, a, a, { out: arena.view([2, 2], 64) });
  const b = matmul(gpu, arena.view([2, 2], 64), a);
  const [all, product] = await gpu.read([arena, b]);
  assert.deepEqual([...all.slice(62, 70)], [9, 9, 7, 10, 15, 22, 9, 9]);
  assert.deepEqual([...product], [37, 54, 81, 118]);
  for (const t of [arena, a, b]) t.destroy();
});

gpuTest("Gpu.read() reads several tensors at once", async (gpu) => {
  const tensors = [1, 3, 4, 5, 67].map((n) =>
    gpu.tensor(Float32Array.from({ length: n }, (_, i) => n + i))
  );
  const values = await gpu.read([...tensors, tensors[4].view([3], 64)]);
  assert.deepEqual(values.map((v) => [v.length, v[0], v.at(-1)]), [
    [1, 1, 1],
    [3, 3, 5],
    [4, 4, 7],
    [5, 5, 9],
    [67, 67, 133],
    [3, 131, 133],
  ]);
  assert.deepEqual(await gpu.read([]), []);
  for (const t of tensors) t.destroy();
});

gpuTest("Gpu.memory counts live and peak bytes; destroy() counts once", (gpu) => {
  const before = gpu.memory.liveBytes;
  const t = gpu.empty([5]), u = gpu.empty([64]);
  assert.equal(gpu.memory.liveBytes - before, 32 + 256);
  t.destroy();
  t.destroy();
  assert.equal(gpu.memory.liveBytes - before, 256);
  u.destroy();
  assert.equal(gpu.memory.liveBytes, before);
  assert.ok(gpu.memory.peakBytes >= before + 288);
});

gpuTest("Gpu.scope() frees all but what it returns, in arrays, maps and objects", async (gpu) => {
  const before = gpu.memory.liveBytes;
  const made = (n: number) => gpu.tensor(Float32Array.of(n));
  const kept = gpu.scope(() => {
    made(0);
    const inner = gpu.scope(() => {
      made(1);
      return made(2);
    });
    made(3);
    return { list: [inner, made(4)], map: new Map([["five", made(5).view([1, 1])]]), other: 6 };
  });
  const tensors = [...kept.list, kept.map.get("five")!];
  assert.equal(gpu.memory.liveBytes - before, 3 * 16);
  assert.deepEqual((await gpu.read(tensors)).map(([v]) => v), [2, 4, 5]);
  for (const t of tensors) t.destroy();
  assert.equal(gpu.memory.liveBytes, before);
});

gpuTest("Gpu.scope() frees an inner scope's result that the outer one drops", (gpu) => {
  const before = gpu.memory.liveBytes;
  gpu.scope(() => void gpu.scope(() => gpu.empty([4])));
  assert.equal(gpu.memory.liveBytes, before);
});

gpuTest("Gpu.scope() frees everything when the function throws", (gpu) => {
  const before = gpu.memory.liveBytes;
  assert.throws(() =>
    gpu.scope(() => {
      gpu.empty([4]);
      throw new Error("inside");
    }), /inside/);
  assert.equal(gpu.memory.liveBytes, before);
  gpu.empty([4]).destroy(); // the scope is closed: nothing else frees this one
  assert.equal(gpu.memory.liveBytes, before);
});

gpuTest("Gpu.empty() refuses dimensions that are not positive whole numbers", (gpu) => {
  for (const shape of [[0], [2, -1], [1.5], [NaN]]) {
    assert.throws(
      () => gpu.empty(shape, "x"),
      /Expected positive whole dimensions but found .* for x/,
    );
  }
});

gpuTest("a destroyed tensor is a clear error in the next op", (gpu) => {
  const a = gpu.empty([2, 2], "weights"), b = gpu.empty([2, 2]);
  a.destroy();
  const before = gpu.memory.liveBytes;
  assert.throws(
    () => gpu.scope(() => matmul(gpu, a, b)),
    /weights\[2, 2\] has no memory: it was destroyed/,
  );
  assert.throws(() => a.write(new Float32Array(4)), /destroyed/);
  assert.equal(gpu.memory.liveBytes, before);
  b.destroy();
});

gpuTest("reads that overlap, grow and shrink each get their own values", async (gpu) => {
  const sizes = [4, 3, 40_000, 1, 20_000, 5];
  const tensors = sizes.map((n, i) => gpu.tensor(new Float32Array(n).fill(i)));
  for (let round = 0; round < 3; round++) {
    const values = await Promise.all(tensors.map((t) => t.read()));
    values.forEach((v, i) => {
      assert.equal(v.length, sizes[i]);
      assert.ok(v.every((x) => x === i));
    });
  }
  assert.deepEqual(await gpu.read([]), []);
  for (const t of tensors) t.destroy();
});

gpuTest("a staging ring hands out idle buffers again, and keeps few", (gpu) => {
  const ring = new StagingRing(gpu.device);
  const first = ring.take(16);
  assert.notEqual(ring.take(16), first, "it is not idle");
  ring.give(first);
  assert.equal(ring.take(100), first);
  ring.give(first, true);
  assert.notEqual(ring.take(16), first, "it is broken");
  const large = ring.take(2 ** 25);
  ring.give(large);
  assert.notEqual(ring.take(2 ** 25), large, "it is too large to be kept");
  ring.destroy();
});
