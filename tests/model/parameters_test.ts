import assert from "node:assert/strict";
import { HatchlingError } from "../../lib/errors.ts";
import { initialize, Parameters, type ParameterSpec } from "../../lib/model.ts";
import { Layout } from "../../lib/model/parameters.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertPaddingZero, CHUNK, chunked, randomValues, SPECS } from "../support/parameters.ts";

const spec = (name: string, ...shape: number[]): ParameterSpec => ({
  name,
  shape,
  init: { constant: 0 },
});

gpuTest("Layout places every tensor at 256 bytes, in chunks of at most the limit", (gpu) => {
  const { slots, chunks } = new Layout(gpu, SPECS, CHUNK);
  assert.deepEqual(slots.map(({ spec }) => spec), SPECS);
  // Sizes 3, 64, 133, 65, 9 and 72, each rounded up to a multiple of 64.
  assert.deepEqual(slots.map(({ chunk, start }) => [chunk, start]), [
    [0, 0],
    [0, 64],
    [1, 0],
    [2, 0],
    [2, 128],
    [3, 0],
  ]);
  assert.deepEqual(chunks, [128, 192, 192, 128]);
  assert.deepEqual(new Layout(gpu, SPECS).chunks, [640], "one chunk where the adapter binds it");
});

gpuTest("Layout refuses names that come twice and tensors beyond the limit", (gpu) => {
  assert.throws(
    () => new Layout(gpu, [spec("a", 1), spec("b", 1), spec("a", 2)]),
    /Expected unique parameter names but found a twice/,
  );
  assert.throws(
    () => new Layout(gpu, [spec("small", 3), spec("huge", 5, 13)], 64),
    /Parameter huge \[5, 13\] has 512 bytes, more than the 256 .*: use a smaller dimension/,
  );
  const rows = gpu.limits.maxStorageBufferBindingSize / 4;
  assert.throws(() => new Layout(gpu, [spec("huge", rows, 2)]), HatchlingError);
});

gpuTest("Parameters.load() and save() keep every value in its place", async (gpu) => {
  const params = chunked(gpu, true);
  const values = randomValues(1);
  params.load(new Map([...values, ["of another model", new Float32Array(5)]]));
  assert.deepEqual(await params.save(), values);
  for (const { name, data, grad, spec } of params.all) {
    assert.deepEqual(data.shape, spec.shape);
    assert.deepEqual(await data.read(), values.get(name), name);
    assert.equal(grad === undefined, spec.trainable === false, `${name}: gradient`);
  }
  await assertPaddingZero(gpu, params, params.data, "values");
  assert.ok((await gpu.read(params.grads)).every((chunk) => chunk.every((v) => v === 0)));
  params.destroy();
});

gpuTest("Parameters.load() lists all that does not fit and changes nothing", async (gpu) => {
  const params = chunked(gpu);
  params.load(randomValues(1));
  const wrong = randomValues(2);
  wrong.delete("blocks.0.fc.weight");
  wrong.set("blocks.0.fc.bias", new Float32Array(64));
  assert.throws(
    () => params.load(wrong),
    /do not fit the model: blocks\.0\.fc\.weight \[7, 19\] is missing; blocks\.0\.fc\.bias has 64 elements instead of 65 \[65\]\. Use the configuration/,
  );
  assert.deepEqual(await params.save(), randomValues(1));
  params.destroy();
  const many = new Parameters(gpu, Array.from({ length: 11 }, (_, i) => spec(`p${i}`, 1)));
  assert.throws(() => many.load(new Map()), /p7 \[1\] is missing and 3 more\./);
  many.destroy();
});

gpuTest("Parameters.get() names what is missing", (gpu) => {
  const params = chunked(gpu);
  assert.equal(params.get("cls_token").name, "cls_token");
  assert.throws(() => params.get("cls"), /Expected a parameter named cls but the model has none/);
  params.destroy();
});

/** Mean, standard deviation, smallest and largest. */
function moments(x: Float32Array) {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const std = Math.sqrt(x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length);
  return { mean, std, low: Math.min(...x), high: Math.max(...x) };
}

Deno.test("initialize() draws the distributions that were asked for", () => {
  const n = 20_000;
  const specs: ParameterSpec[] = [
    { name: "normal", shape: [n / 10, 10], init: { normal: 0.02 } },
    { name: "uniform", shape: [n], init: { uniform: 0.25 } },
    { name: "ones", shape: [3], init: { constant: 1 } },
    { name: "zeros", shape: [1, 2], init: { constant: 0 } },
  ];
  const values = initialize(specs, 5);
  assert.deepEqual([...values.keys()], specs.map(({ name }) => name));
  assert.deepEqual([...values.get("ones")!, ...values.get("zeros")!], [1, 1, 1, 0, 0]);
  const normal = values.get("normal")!;
  const { mean, std, low, high } = moments(normal);
  assert.ok(Math.abs(mean) < 5 * 0.02 / Math.sqrt(n), `mean ${mean}`);
  assert.ok(Math.abs(std / 0.02 - 1) < 5 / Math.sqrt(2 * n), `standard deviation ${std}`);
  assert.ok(low < -0.06 && high > 0.06, "tails are cut");
  for (const [z, share] of [[0.5, 0.3829], [1, 0.6827], [2, 0.9545]]) {
    const within = normal.filter((v) => Math.abs(v) < z * 0.02).length / n;
    assert.ok(
      Math.abs(within - share) < 5 * Math.sqrt(share * (1 - share) / n),
      `within ${z} σ: ${within}`,
    );
  }
  const u = moments(values.get("uniform")!);
  assert.ok(u.low >= -0.25 && u.low < -0.249 && u.high <= 0.25 && u.high > 0.249, "bounds");
  assert.ok(Math.abs(u.mean) < 5 * 0.25 / Math.sqrt(3 * n), `mean ${u.mean}`);
  assert.ok(Math.abs(u.std * Math.sqrt(3) / 0.25 - 1) < 5 * Math.sqrt(0.2 / n), `std ${u.std}`);
});

Deno.test("initialize() depends on the seed and the tensor alone", () => {
  const specs: ParameterSpec[] = ["a", "b"].map((name) => ({
    name,
    shape: [64],
    init: { normal: 1 },
  }));
  const first = initialize(specs, 1);
  assert.deepEqual(initialize(specs, 1), first);
  assert.notDeepEqual(first.get("a"), first.get("b"));
  const other = initialize(specs, 2);
  for (const name of ["a", "b"]) assert.notDeepEqual(other.get(name), first.get(name));
});
