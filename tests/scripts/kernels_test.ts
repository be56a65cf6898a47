import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config.ts";
import { kernelStorage } from "../../scripts/common/kernel_storage.ts";
import { chooseKernels, type KernelRecord } from "../../scripts/common/kernels.ts";
import { Progress } from "../../scripts/common/progress.ts";
import { gpuTest, halvesTest } from "../support/gpu.ts";
import { folderTest } from "../support/permissions.ts";

folderTest("kernelStorage() keeps a file per key", async (folder) => {
  const storage = (await kernelStorage(`${folder}/cache/hatchling`))!;
  assert.equal(await storage.get("abc"), undefined);
  await storage.set("abc", "{}");
  assert.equal((await storage.get("abc"))?.trim(), "{}");
  const names = Array.from(Deno.readDirSync(`${folder}/cache/hatchling`), ({ name }) => name);
  assert.deepEqual(names, ["kernels-abc.json"]);
});

folderTest("kernelStorage() is none where nothing can be written", async (folder) => {
  await Deno.writeTextFile(`${folder}/file`, "");
  assert.equal(await kernelStorage(`${folder}/file/cache`), undefined);
  assert.equal(await kernelStorage(""), undefined);
});

gpuTest("chooseKernels() tells its choice, and keeps that of a checkpoint", async (gpu) => {
  const before = gpu.choices, config = parseConfig("device: {tune: false}");
  const choose = (before?: KernelRecord) =>
    chooseKernels(gpu, { before, config, progress: new Progress() });
  const first = await choose();
  assert.ok(Object.keys(first.choices).includes("matmul NT large"));
  const choices = { ...first.choices, "matmul NT large": "plain" };
  assert.deepEqual(await choose({ ...first, choices }), { ...first, choices });
  assert.equal(gpu.choices.get("matmul NT large"), "plain");
  // What a newer version does not know any more follows the adapter again.
  const odd = { ...choices, "matmul NT large": "gone", rows: "7" };
  const kept = await choose({ ...first, deno: "1.0.0", choices: odd });
  assert.deepEqual(kept, first);
  gpu.choices = before;
});

halvesTest(
  "chooseKernels() records what activations are, and a run that goes on keeps it",
  async (gpu) => {
    const before = gpu.choices, said: string[] = [];
    const progress = Object.assign(new Progress(), { say: (line: string) => void said.push(line) });
    const choose = (precision: string, before?: KernelRecord) => {
      const config = parseConfig(`device: {tune: false, precision: ${precision}}`);
      return chooseKernels(gpu, { before, config, progress });
    };
    const full = await choose("auto"), halves = await choose("f16");
    assert.deepEqual([full, halves].map(({ choices }) => choices.precision), ["f32", "f16"]);
    // A resumed run keeps by auto what it had; runs from before there was a choice had f32.
    assert.equal((await choose("auto", halves)).choices.precision, "f16");
    const { precision: _, ...older } = full.choices;
    assert.equal((await choose("auto", { ...full, choices: older })).choices.precision, "f32");
    assert.deepEqual(said, []);
    assert.equal((await choose("f32", halves)).choices.precision, "f32");
    assert.match(
      said.join(),
      /^warning: the run goes on with activations of f32, which it had of f16: weights/,
    );
    gpu.choices = before;
  },
);
