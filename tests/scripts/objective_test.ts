/** A run of another objective than DINO: without a teacher from the first step to what is made of its weights. */
import assert from "node:assert/strict";
import { loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { loadModel } from "../../lib/open_model/load.ts";
import { assertSameFile, flags, runTest, train } from "../support/runs.ts";

const INFONCE = flags({
  "loss.objective": "infonce",
  "loss.contrastive_temp_learned": "true",
  "model.feature": "quad",
  "evaluation.view_retrieval": "false",
});

runTest("InfoNCE trains, stops, goes on and is opened without a teacher", async (folder, small) => {
  const steps = (n: number) => flags({ "training.max_steps": n });
  const [whole, part] = await Promise.all([
    train(folder, [...small, ...INFONCE, ...steps(4), "--out", "whole"]),
    train(folder, [...small, ...INFONCE, ...steps(2), "--out", "part"]),
  ]);
  for (const { code, stderr } of [whole, part]) assert.equal(code, 0, stderr);
  const rest = await train(folder, [
    ...small,
    ...INFONCE,
    ...steps(4),
    "--out",
    "part",
    "--resume",
  ]);
  assert.equal(rest.code, 0, rest.stderr);
  await assertSameFile(folder, "whole/student.safetensors", "part/student.safetensors");
  await assert.rejects(Deno.stat(`${folder}/part/teacher.safetensors`), Deno.errors.NotFound);

  const state = await loadCheckpoint(`${folder}/part/checkpoint-00000004.safetensors`);
  assert.deepEqual([state.teacher.size, state.buffers.size], [0, 0]);
  assert.ok(state.student.has("contrastive_head.logit_scale"));
  for (const checkpoint of [undefined, "checkpoint-00000004.safetensors"]) {
    const { name, hasHead } = await loadModel({ path: `${folder}/part`, checkpoint });
    assert.deepEqual([name.split(" ")[0], hasHead], ["student", true]);
  }

  const lines = (await Deno.readTextFile(`${folder}/part/metrics.jsonl`)).trim().split("\n");
  const { loss, contrastive, contrastive_accuracy, ...rest4 } = JSON.parse(lines.at(-1)!);
  assert.equal(loss, contrastive);
  assert.ok(contrastive_accuracy >= 0 && contrastive_accuracy <= 1);
  for (const key of ["teacher_entropy", "loss_over_ln_k", "center_norm"]) assert(!(key in rest4));
  const figures = JSON.parse(await Deno.readTextFile(`${folder}/part/evaluation.json`));
  assert.ok(figures.some(({ encoder }: { encoder: string }) => encoder === "student (quad)"));
});
