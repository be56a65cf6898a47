import assert from "node:assert/strict";
import { autotune, type Gpu, openGpu, type TuningStorage, type TuningTask } from "../../lib/gpu.ts";
import { fastest } from "../../lib/gpu/autotune.ts";
import { matmul, tuningTasks } from "../../lib/ops.ts";
import { gpuTest } from "../support/gpu.ts";

/** A storage in memory. */
function memory(): TuningStorage & { kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return {
    kept,
    get: (key) => Promise.resolve(kept.get(key)),
    set: (key, value) => Promise.resolve(void kept.set(key, value)),
  };
}

/** A product done once, done eight times over, done wrong, and not at all. */
function task(gpu: Gpu, candidates = ["slow", "fast", "wrong", "broken"]): TuningTask {
  return {
    name: "product",
    candidates,
    usual: "slow",
    code: "",
    tolerance: 1e-5,
    prepare() {
      const [a, b] = [1, 2].map((x) => gpu.tensor(new Float32Array(128 * 128).fill(x), [128, 128]));
      const out = gpu.persistent([128, 128]);
      const product = () => void matmul(gpu, a, b, { out, variant: "plain" });
      return {
        tensors: [a, b, out],
        output: out,
        reference: product,
        run(candidate) {
          if (candidate === "broken") throw new Error("no such kernel");
          if (candidate === "wrong") matmul(gpu, b, b, { out, variant: "plain" });
          else for (let i = 0; i < (candidate === "slow" ? 8 : 1); i++) product();
        },
      };
    },
  };
}

gpuTest("autotune() takes one of those that compute the right thing", async (gpu) => {
  const storage = memory();
  const tuned = await autotune(gpu, [task(gpu)], { storage, software: true });
  assert.match(tuned.choices.get("product")!, /^(slow|fast)$/);
  assert.equal(tuned.source, "measured");
  assert.match(tuned.faults.join("\n"), /product: wrong computes 512 where .* computes 256/);
  assert.match(tuned.faults.join("\n"), /product: broken failed: no such kernel/);
  assert.equal(storage.kept.size, 1);
});

Deno.test("fastest() takes the candidate with the least time, whatever the order", async () => {
  const cost: Record<string, number> = { slow: 8, fast: 1, middling: 2, hopeless: 4000 };
  const ran: string[] = [];
  const time = (candidate: string, runs: number) => {
    ran.push(candidate);
    return Promise.resolve(11 + cost[candidate] * runs); // a wait takes 11 ms
  };
  assert.equal(await fastest(["slow", "middling", "fast", "hopeless"], time), "fast");
  assert.equal(ran.filter((name) => name === "hopeless").length, 2, "it is out at once");
  assert.equal(await fastest(["hopeless", "slow"], time), "slow");
});

gpuTest(
  "autotune() asks its storage first, and measures again what that does not answer",
  async (gpu) => {
    const storage = memory();
    const quick = task(gpu, ["fast", "wrong"]); // one is right: nothing is timed
    const run = () => autotune(gpu, [quick], { storage, software: true });
    assert.equal((await run()).choices.get("product"), "fast");
    const [[key, kept]] = storage.kept;
    const stored = await run();
    assert.deepEqual([stored.source, stored.choices.get("product")], ["stored", "fast"]);
    assert.deepEqual(stored.faults, []);
    const damages = ["{", "", "null", "[]", "{}", kept.replace("fast", "gone"), kept.slice(1)];
    // Another candidate, and even one that was left out: only the hash can tell.
    damages.push(kept.replace("fast", "wrong"), kept.replace(`"fast"`, `["fast"]`));
    damages.push(`{"product":"fast"}`, `{"choices":{"product":"fast"}}`, `{"choices":null}`);
    for (const damaged of damages) {
      storage.kept.set(key, damaged);
      const { source, choices, faults } = await run();
      assert.deepEqual([source, choices.get("product")], ["measured", "fast"], damaged);
      assert.match(faults.join("\n"), /kept for this adapter was damaged/);
      assert.equal(storage.kept.get(key), kept, "made again");
    }
    await autotune(gpu, [{ ...quick, code: "changed" }], { storage, software: true });
    assert.equal(storage.kept.size, 2, "other kernels are another question");
  },
);

gpuTest(
  "autotune() keeps to the fixed profile without a storage, and on software adapters",
  async (gpu) => {
    const none = await autotune(gpu, [task(gpu)], { software: true });
    assert.deepEqual([none.source, none.choices.get("product")], ["fixed", "slow"]);
    if (!gpu.isSoftware) return;
    const storage = memory();
    assert.equal((await autotune(gpu, [task(gpu)], { storage })).source, "fixed");
    assert.equal(storage.kept.size, 0);
  },
);

gpuTest("autotune() falls back to the usual candidate when none is right", async (gpu) => {
  const options = { storage: memory(), software: true };
  const { choices, faults } = await autotune(gpu, [task(gpu, ["wrong", "broken"])], options);
  assert.equal(choices.get("product"), "slow");
  assert.equal(faults.length, 2);
  assert.equal(options.storage.kept.size, 0, "it will be tried again");
});

gpuTest("kernels are chosen on a portable device, and used", async () => {
  const gpu = await openGpu({ limits: "portable" });
  const tasks = tuningTasks(gpu).filter(({ name }) =>
    ["matmul NT small", "attention", "rows"].includes(name)
  );
  assert.deepEqual(tasks.map((c) => c.candidates), [
    [
      "plain",
      "staged 32x32",
      "staged 32x64",
      "staged 64x64",
      "staged 64x64 deep",
      "staged 64x64 wide",
    ],
    ["plain", "tiled4", "tiled8"],
    ["1", "8", "64"],
  ]);
  const { choices, faults } = await autotune(gpu, tasks, { storage: memory(), software: true });
  assert.deepEqual(faults, []);
  gpu.choices = choices;
  for (const { name, candidates } of tasks) assert.ok(candidates.includes(choices.get(name)!));
  assert.equal(gpu.memory.liveBytes, 0);
  gpu.destroy();
});
