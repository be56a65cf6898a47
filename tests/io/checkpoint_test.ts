import assert from "node:assert/strict";
import { HatchlingError } from "../../lib/errors.ts";
import {
  checkpointName,
  type CheckpointState,
  decodeCheckpoint,
  encodeCheckpoint,
  latestCheckpoint,
  listCheckpoints,
  loadCheckpoint,
  pruneCheckpoints,
  removeTemporaries,
  saveCheckpoint,
} from "../../lib/io/checkpoint.ts";
import { float32Tensor, parseSafetensors, serializeSafetensors } from "../../lib/io/safetensors.ts";
import { readCheckpoint } from "../../lib/io/checkpoint_format.ts";
import { readerOf } from "../../lib/io/safetensors_reader.ts";
import { folderTest } from "../support/permissions.ts";

function state(step: number): CheckpointState {
  const fill = (offset: number) =>
    new Map([
      ["cls_token", new Float32Array([offset, step, 3])],
      ["head.last_layer.weight_v", Float32Array.from({ length: 6 }, (_, i) => offset + i / 7)],
    ]);
  return {
    step,
    epoch: 2,
    shapes: new Map([["cls_token", [1, 1, 3]], ["head.last_layer.weight_v", [2, 3]]]),
    student: fill(0),
    teacher: fill(10),
    moments: new Map([
      ["exp_avg", fill(-1e-9)],
      ["exp_avg_sq", new Map([["cls_token", new Float32Array([1e-20, 0, 1])]])],
    ]),
    stepCounts: { cls_token: step, "head.last_layer.weight_v": 0 },
    buffers: new Map([["center", new Float32Array([0.25, -1])]]),
    config: { training: { seed: 7 }, note: '"sha256":"' + "0".repeat(64) + '"' },
    extra: { best: { knn: 0.5 } },
  };
}

Deno.test("decodeCheckpoint() gives back what encodeCheckpoint() was given", async () => {
  const bytes = encodeCheckpoint(state(120));
  assert.deepEqual(await decodeCheckpoint(bytes), state(120));
  assert.deepEqual(encodeCheckpoint(state(120)), bytes);
});

Deno.test("what losses keep goes on with a run, and its largest part is left where a network alone is read", async () => {
  const kept = [["center", 2], ["ibot_center", 3], [
    "gram_anchor.blocks.0.norm1.weight",
    4,
  ]] as const;
  const buffers = new Map(kept.map(([name, n]) => [name as string, new Float32Array(n).fill(n)]));
  const bytes = encodeCheckpoint({ ...state(3), buffers });
  assert.deepEqual((await decodeCheckpoint(bytes)).buffers, buffers);
  using reader = await readerOf(bytes, "a");
  const { buffers: few, student } = await readCheckpoint(reader, ["teacher"]);
  assert.deepEqual([...few.keys()], ["center", "ibot_center"]);
  assert.equal(student.size, 0);
  const odd = encodeCheckpoint({ ...state(3), buffers: new Map([["gram", new Float32Array(1)]]) });
  await assert.rejects(decodeCheckpoint(odd, "odd"), /odd: unknown tensor "gram"/);
});

Deno.test("encodeCheckpoint() writes names, shapes and texts that other tools can read", () => {
  const { tensors, metadata } = parseSafetensors(encodeCheckpoint(state(120)));
  assert.deepEqual([...tensors.keys()].sort(), [
    "center",
    "exp_avg.cls_token",
    "exp_avg.head.last_layer.weight_v",
    "exp_avg_sq.cls_token",
    "student.cls_token",
    "student.head.last_layer.weight_v",
    "teacher.cls_token",
    "teacher.head.last_layer.weight_v",
  ]);
  assert.deepEqual(tensors.get("teacher.head.last_layer.weight_v")!.shape, [2, 3]);
  assert.equal(metadata.step, "120");
  assert.equal(JSON.parse(metadata.config).training.seed, 7);
});

Deno.test("encodeCheckpoint() throws when a shape is missing or does not fit", () => {
  const missing = state(1);
  missing.shapes.delete("cls_token");
  assert.throws(() => encodeCheckpoint(missing), /shape for student\.cls_token/);
  const wrong = state(1);
  wrong.shapes.set("cls_token", [4]);
  assert.throws(() => encodeCheckpoint(wrong), HatchlingError);
});

Deno.test("decodeCheckpoint() notices any changed byte and any cut", async () => {
  const good = encodeCheckpoint(state(120));
  for (let at = 0; at < good.length; at += 1 + Math.floor(at / 97)) {
    const bytes = good.slice();
    bytes[at] ^= 1;
    await assert.rejects(decodeCheckpoint(bytes, "c"), HatchlingError, `byte ${at}`);
  }
  for (const end of [0, 100, good.length - 1]) {
    await assert.rejects(decodeCheckpoint(good.slice(0, end), "c"), HatchlingError);
  }
});

Deno.test("decodeCheckpoint() leaves the bytes as they were", async () => {
  const bytes = encodeCheckpoint(state(120));
  const before = bytes.slice();
  await decodeCheckpoint(bytes);
  assert.deepEqual(bytes, before);
});

Deno.test("decodeCheckpoint() tells weights and other versions from a checkpoint", async () => {
  const weights = serializeSafetensors(new Map([["a", float32Tensor(new Float32Array(1), [1])]]));
  await assert.rejects(
    decodeCheckpoint(weights, "w"),
    /^HatchlingError: w: expected a training che/,
  );
  const { tensors, metadata } = parseSafetensors(encodeCheckpoint(state(1)));
  const zeroed = serializeSafetensors(tensors, {
    ...metadata,
    version: "2",
    sha256: "0".repeat(64),
  });
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", zeroed));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const later = serializeSafetensors(tensors, { ...metadata, version: "2", sha256 });
  await assert.rejects(
    decodeCheckpoint(later, "v"),
    /v: expected checkpoint version 1 but found 2/,
  );
});

folderTest("latestCheckpoint() skips damaged files and says so", async (folder) => {
  assert.equal(await latestCheckpoint(folder), null);
  assert.equal(await latestCheckpoint(`${folder}/none`), null);
  for (const step of [9, 120, 100_000_000]) {
    await saveCheckpoint(`${folder}/${checkpointName(step)}`, state(step));
  }
  await Deno.writeTextFile(`${folder}/checkpoint-best.safetensors`, "");
  await Deno.writeTextFile(`${folder}/notes.txt`, "");
  const files = await listCheckpoints(folder);
  assert.deepEqual(files.map(({ step }) => step), [100_000_000, 120, 9]);
  const sound = await latestCheckpoint(folder);
  assert.equal(sound!.step, 100_000_000);
  assert.deepEqual(sound!.skipped, []);

  await Deno.truncate(files[0].path, 900);
  const before = await latestCheckpoint(folder);
  assert.equal(before!.path, `${folder}/checkpoint-00000120.safetensors`);
  assert.deepEqual(before!.state, state(120));
  assert.equal(before!.skipped.length, 1);
  assert.match(before!.skipped[0], /checkpoint-100000000\.safetensors: /);

  for (const { path } of files) await Deno.truncate(path, 10);
  await assert.rejects(latestCheckpoint(folder), /None of the 3 checkpoints .* can be loaded/);
});

folderTest("pruneCheckpoints() keeps the newest, and what it is told to keep", async (folder) => {
  for (const step of [1, 2, 10, 30]) {
    await saveCheckpoint(`${folder}/${checkpointName(step)}`, state(step));
  }
  const removed = await pruneCheckpoints(folder, 2, (step) => step === 1);
  assert.deepEqual(removed, [`${folder}/${checkpointName(2)}`]);
  const left = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  assert.deepEqual(left, [1, 10, 30].map(checkpointName));
  await assert.rejects(pruneCheckpoints(folder, 0), /at least 1 checkpoint but found 0/);
});

folderTest("pruneCheckpoints() lets no later file push out a sound one", async (folder) => {
  for (const step of [1, 2, 9]) {
    await saveCheckpoint(`${folder}/${checkpointName(step)}`, state(step));
  }
  const removed = await pruneCheckpoints(folder, 1, undefined, 2);
  assert.deepEqual(removed, [`${folder}/${checkpointName(1)}`]);
});

folderTest(
  "removeTemporaries() removes what killed writes left, and nothing else",
  async (folder) => {
    const left = [`${checkpointName(5)}.1234.hatchling-tmp`, "config.yaml.9.hatchling-tmp"];
    for (const name of [...left, "mine.tmp"]) await Deno.writeTextFile(`${folder}/${name}`, "");
    assert.deepEqual(
      (await removeTemporaries(folder)).sort(),
      left.map((name) => `${folder}/${name}`),
    );
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["mine.tmp"]);
  },
);

folderTest("saveCheckpoint() and loadCheckpoint() say what to do about paths", async (folder) => {
  await assert.rejects(
    saveCheckpoint(`${folder}/none/a.safetensors`, state(1)),
    /Cannot write .*: the folder .*\/none does not exist: create it/,
  );
  await assert.rejects(loadCheckpoint(`${folder}/a.safetensors`), /Cannot read .* does not exist/);
  await assert.rejects(loadCheckpoint(folder), /expected a file but found a folder/);
});
