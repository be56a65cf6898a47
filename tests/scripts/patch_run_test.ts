/** A run with masked patches and Gram anchoring, from its settings to its report. */
import assert from "node:assert/strict";
import { loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { assertSameFile, flags, runTest, train } from "../support/runs.ts";

const PATCHES = flags({
  "loss.ibot_weight": 1,
  "loss.ibot_separate_head": "true",
  "loss.gram_weight": 0.5,
  "loss.gram_refresh_epochs": 1,
  "evaluation.view_retrieval": "false",
});
const steps = (n: number) => ["--training.max_steps", String(n)];

runTest("train with iBOT and Gram anchoring goes on with the same bits", async (folder, small) => {
  const run = (n: number, ...more: string[]) =>
    train(folder, [...small, ...PATCHES, ...steps(n), ...more]);
  // Two steps an epoch: the anchor is made before step 2 and again before step 4.
  const [whole, part] = await Promise.all([
    run(6, "--out", "whole"),
    run(3, "--out", "part"),
  ]);
  for (const { code, stderr } of [whole, part]) assert.equal(code, 0, stderr);
  assert.match(whole.stderr, /iBOT \d+\.\d+/);
  const checkpoint = await loadCheckpoint(`${folder}/part/checkpoint-00000003.safetensors`);
  const names = [...checkpoint.buffers.keys()];
  assert.ok(names.includes("ibot_center") && names.includes("gram_anchor.norm.weight"), `${names}`);
  assert.ok(
    checkpoint.student.has("mask_token") && checkpoint.student.has("ibot_head.mlp.0.weight"),
  );
  const rest = await run(6, "--out", "part", "--resume");
  assert.equal(rest.code, 0, rest.stderr);
  await assertSameFile(folder, "whole/teacher.safetensors", "part/teacher.safetensors");

  const lines = (await Deno.readTextFile(`${folder}/whole/metrics.jsonl`)).trim().split("\n")
    .map((line) => JSON.parse(line));
  assert.ok(lines.every(({ ibot }) => ibot > 0));
  assert.deepEqual(lines.map(({ gram }) => gram > 0), [false, false, true, true, true, true]);
  const report = await Deno.readTextFile(`${folder}/whole/report.html`);
  for (const title of ["loss of masked patches", "difference of Gram matrices"]) {
    assert.ok(report.includes(title), title);
  }
});
