/** Weights that somebody has, continued on a small folder: the recipe of configs/continue.yaml. */
import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config.ts";
import { float32Tensor, parseSafetensors, serializeSafetensors } from "../../lib/io/safetensors.ts";
import { initialize, VisionTransformer } from "../../lib/model.ts";
import { assertSameFile, errorOf, flags, path, runTest } from "../support/runs.ts";
import { script } from "../support/scripts.ts";

runTest("configs/continue.yaml goes on from a file of weights, and resumes", async (folder) => {
  const shape = { imageSize: 16, patchSize: 8, dim: 16, depth: 2, heads: 2 };
  const specs = new VisionTransformer(shape).specs();
  const values = initialize(specs, 3);
  const file = new Map(
    specs.map(({ name, shape }) => [name, float32Tensor(values.get(name)!, shape)]),
  );
  await Deno.writeFile(`${folder}/w.safetensors`, serializeSafetensors(file));
  const all = [
    path("configs/continue.yaml"),
    ...["--data.path", "pictures", "--model.heads", "2", "--model.freeze_blocks", "1"],
    ...flags({ "data.batch_size": 4, "training.num_epochs": 10, "data.num_workers": 1 }),
    ...flags({ "evaluation.view_retrieval": "false", "model.projection_output_dim": 64 }),
  ];
  const weights = ["--weights", "w.safetensors"];
  const whole = await script("train", folder, [
    ...all,
    ...weights,
    "--training.max_steps",
    "4",
    "--out",
    "a",
  ]);
  assert.equal(whole.code, 0, whole.stderr);
  assert.match(whole.stderr, /optimizer\.layer_decay 0\.75: given weights/);
  assert.match(whole.stderr, /note: from given weights and \d+ pictures/);
  const { model, optimizer, training } = parseConfig(
    await Deno.readTextFile(`${folder}/a/config.yaml`),
  );
  assert.deepEqual([model.dim, model.depth, model.patch_size, model.freeze_blocks], [16, 2, 8, 1]);
  assert.deepEqual([optimizer.layer_decay, training.head_warmup_epochs], [0.75, 1]);

  const part = await script("train", folder, [
    ...all,
    ...weights,
    "--training.max_steps",
    "2",
    "--out",
    "b",
  ]);
  assert.equal(part.code, 0, part.stderr);
  // What was read off the weights and chosen beside them is kept: they are not needed again.
  const rest = await script("train", folder, [
    ...all,
    "--training.max_steps",
    "4",
    "--out",
    "b",
    "--resume",
  ]);
  assert.equal(rest.code, 0, rest.stderr);
  for (const name of ["teacher.safetensors", "student.safetensors"]) {
    await assertSameFile(folder, `a/${name}`, `b/${name}`);
  }
  const { tensors } = parseSafetensors(await Deno.readFile(`${folder}/a/student.safetensors`));
  const of = (name: string) => tensors.get(name)!.data;
  assert.deepEqual(of("blocks.0.mlp.fc1.weight"), values.get("blocks.0.mlp.fc1.weight"));
  assert.notDeepEqual(of("blocks.1.mlp.fc1.weight"), values.get("blocks.1.mlp.fc1.weight"));

  const sgd = ["--optimizer.optimizer", "sgd", "--training.max_steps", "5"];
  const other = await script("train", folder, [...all, ...sgd, "--out", "b", "--resume"]);
  assert.equal(other.code, 1);
  assert.match(errorOf(other), /optimizer\.optimizer: "sgd" instead of "adamw"/);
});
