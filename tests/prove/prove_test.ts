/** What computes wrong is found, named, struck off and not used any more. */
import assert from "node:assert/strict";
import { conv2d, matmul } from "../../lib/ops.ts";
import { CaptureGpu, EFFORTS, prove, proveMachine, referenceOf } from "../../lib/prove.ts";
import type { Capture } from "../../lib/prove.ts";
import { definedKernels } from "../../lib/gpu/kernel.ts";
import { type Gpu, openGpu, record, type TuningStorage } from "../../lib/gpu.ts";
import { captureOdd } from "../../lib/prove/survey.ts";
import { waysOf } from "../../lib/prove/ways.ts";
import { tuningTasks } from "../../lib/ops.ts";
import { PRECISION } from "../../lib/ops/precision_task.ts";
import { Parameters } from "../../lib/model.ts";
import { clipFactors, optimizerOf } from "../../lib/optim.ts";
import { asGpu, gpuTest } from "../support/gpu.ts";
import { faultyGpu, withSpoiled } from "../support/spoil.ts";

const EFFORT = { ...EFFORTS.short, runs: 3 };

/** Dispatches of a few kinds of work. */
async function captures(gpu: Gpu): Promise<Capture[]> {
  const dry = new CaptureGpu(gpu);
  const make = (...shape: number[]) => dry.persistent(shape);
  await record(dry, () => {
    matmul(dry, make(33, 20), make(20, 12), { bias: make(12), geluPre: make(33, 12) });
    matmul(dry, make(9, 21), make(21, 7), { variant: "plain" });
  });
  return [...dry.captures.values()];
}

const memory = (): TuningStorage & { kept: Map<string, string> } => {
  const kept = new Map<string, string>();
  return {
    kept,
    get: (key) => Promise.resolve(kept.get(key)),
    set: (key, value) => Promise.resolve(void kept.set(key, value)),
  };
};

gpuTest("every kernel has a reference, and the survey dispatches every kernel", async (gpu) => {
  for (const kernel of definedKernels()) {
    if (!/^test/.test(kernel.name)) assert.ok(referenceOf(kernel), `${kernel.name} has no proof`);
  }
  const found = new Set<string>(), ways = new Set<string>();
  const survey = async () => {
    for (const capture of await captureOdd(gpu, 1)) {
      found.add(capture.source.name);
      for (const { kind, way } of waysOf(capture)) ways.add(`${kind} ${way}`);
    }
  };
  await survey();
  await asGpu(gpu, survey);
  const idle = definedKernels().map(({ name }) => name)
    .filter((name) => !found.has(name) && !/^test/.test(name));
  assert.deepEqual(idle, [], "no dispatch of the survey meets these");
  for (const { name, candidates } of await asGpu(gpu, () => tuningTasks(gpu))) {
    for (const candidate of candidates) {
      const way = `${name.split(" ")[0]} ${candidate}`;
      if (way === `${PRECISION} f32`) continue; // there always is
      assert.ok(ways.has(way), `no dispatch of the survey would strike ${way}`);
    }
  }
});

gpuTest("prove() finds products right, and knows when a constant is wrong", async (gpu) => {
  const { proofs } = await prove(gpu, await captures(gpu), EFFORT);
  for (const { fault, error, capture } of proofs) {
    assert.equal(fault, "", capture.source.name);
    assert.ok(error <= 1);
  }
  await withSpoiled(
    "matmul",
    (code) =>
      code.replace("0.70710678118", "0.70710678").replace("load_b(k, n)", "load_b(k, n) * 1.0001"),
    async () => {
      using fresh = await openGpu();
      const list = (await captures(fresh)).filter(({ source }) => source.name === "matmul");
      const { proofs } = await prove(fresh, list, EFFORT);
      assert.ok(proofs.length > 0);
      for (const { fault } of proofs) assert.match(fault, /^c\[\d+\]: expected .* ± .* but found/);
    },
  );
});

gpuTest("a way that is wrong is struck off, kept, and another one is used", async (gpu) => {
  const [usual] = (await captures(gpu)).map(({ source }) => source.name);
  assert.ok(["matmul", "matmul_subgroup"].includes(usual));
  if (usual !== "matmul_subgroup") return;
  const storage = memory();
  await withSpoiled(
    "matmul_subgroup",
    (code) => code.replace("start(4u * n)", "start(4u * n + 4u)"),
    async () => {
      using spoiled = await openGpu();
      const { strikes, broken } = await proveMachine(spoiled, {
        odd: "few",
        effort: EFFORT,
        storage,
      });
      assert.deepEqual(broken, []);
      assert.deepEqual(strikes.map(({ name }) => name), ["matmul subgroup"]);
      assert.equal(strikes[0].kernel, "matmul_subgroup");
      assert.match(strikes[0].fault, /expected .* but found/);
      const [instead] = (await captures(spoiled)).map(({ source }) => source.name);
      assert.equal(instead, "matmul");
      using again = await openGpu();
      const second = await proveMachine(again, { odd: "few", effort: EFFORT, storage });
      assert.equal(second.proofs.length, 0, "known from before");
      assert.ok(!again.allows("matmul", "subgroup"));
    },
  );
  using right = await openGpu();
  const { strikes, proofs } = await proveMachine(right, { odd: "few", effort: EFFORT, storage });
  assert.deepEqual(strikes, [], "another text of a kernel is another machine");
  assert.ok(proofs.length > 40);
});

gpuTest("a kernel without another way is broken, by name", async () => {
  await withSpoiled(
    "dino_stats",
    (code) => code.replace("belows -= e * z", "belows -= e * z * 1.001"),
    async () => {
      using spoiled = await openGpu();
      const { broken, strikes } = await proveMachine(spoiled, { odd: "few", effort: EFFORT });
      // One number of lanes after the other is struck off, until none is left.
      assert.ok(strikes.length > 0 && strikes.every(({ kernel }) => kernel === "dino_stats"));
      assert.match(broken.map(({ fault }) => fault).join(), /all ways of them were found wrong/);
    },
  );
});

gpuTest("a driver that drops dispatches or hands out old bytes is found", async (gpu) => {
  const list = await captures(gpu);
  using dropping = await faultyGpu({ drops: (i) => i === 1 });
  const { proofs } = await prove(dropping, list, EFFORT);
  assert.equal(proofs.filter(({ fault }) => /nothing written/.test(fault)).length, 1);
  // Of one run in three, poison is left where the others have results.
  using sometimes = await faultyGpu({ drops: (i) => i === list.length + 1 });
  const later = await prove(sometimes, list, EFFORT);
  assert.equal(later.proofs.filter(({ fault }) => /the same bits each time/.test(fault)).length, 1);
  let isStale = false;
  using old = await faultyGpu({ oldBytes: () => isStale });
  const fresh = await prove(old, list, EFFORT);
  assert.deepEqual(fresh.proofs.filter(({ fault }) => fault), []);
  isStale = true;
  const { proofs: stale } = await prove(old, list, EFFORT);
  for (const { fault } of stale) assert.match(fault, /bytes .* just written but found/);
});

gpuTest("windows of nothing but padding are not called wrong", async (gpu) => {
  const dry = new CaptureGpu(gpu);
  await record(dry, () => {
    // Of four pixels one is in a window: the gradient of the others is a sum of zeros.
    const x = dry.persistent([8, 16, 16, 32]), data = dry.persistent([64, 32, 1, 1]);
    const { backward } = conv2d(dry, x, { data }, { stride: 2 });
    backward(dry.persistent([8, 8, 8, 64]));
  });
  const list = [...dry.captures.values()];
  assert.ok(list.some(({ source }) => /matmul_\w*conv/.test(source.name)));
  const { proofs } = await prove(gpu, list, EFFORT);
  for (const { fault, capture } of proofs) assert.equal(fault, "", capture.source.name);
});

gpuTest("an optimiser of more than a million numbers is proven, too", async (gpu) => {
  const dry = new CaptureGpu(gpu);
  const specs = Array.from({ length: 5 }, (_, i) => {
    return { name: `weight ${i}`, shape: [300_000 + i], init: { constant: 0 } };
  });
  const parameters = new Parameters(dry, specs, { grad: true });
  for (const kind of ["adamw", "sgd"] as const) {
    const optimizer = optimizerOf(dry, parameters, { kind }, () => 0);
    await record(dry, () => optimizer.step(clipFactors(dry, parameters, 1)));
  }
  const list = [...dry.captures.values()].filter(({ source }) => /adamw|sgd/.test(source.name));
  assert.equal(list.length, 2);
  const { proofs } = await prove(gpu, list, EFFORT);
  for (const { fault, compared, capture } of proofs) {
    assert.equal(fault, "", capture.source.name);
    assert.ok(compared > 100);
  }
});
