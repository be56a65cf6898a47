/** Which file of a run gives a model, and what happens where one is damaged. Needs no GPU. */
import assert from "node:assert/strict";
import { parseConfig, stringifyConfig } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { checkpointName, saveCheckpoint } from "../../lib/io/checkpoint.ts";
import { float32Tensor, serializeSafetensors } from "../../lib/io/safetensors.ts";
import { loadModel } from "../../lib/open_model/load.ts";
import { modelOf } from "../../lib/from_config.ts";
import { folderTest } from "../support/permissions.ts";

const CONFIG = parseConfig(`
augmentation: {global_crop_size: 8, local_crop_size: 4, num_local_views: 1}
model: {backbone: custom, patch_size: 4, dim: 4, depth: 1, heads: 2, projection_hidden_dim: 4,
        projection_bottleneck_dim: 4, projection_output_dim: 8}
`);
const SPECS = modelOf(CONFIG).specs();

/** Weights that are all the same number, so that it tells whose they are. */
const all = (value: number) =>
  new Map(SPECS.map(({ name, shape }) => {
    return [name, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value)];
  }));

const weightsFile = (value: number) =>
  serializeSafetensors(
    new Map(
      [...all(value)].map((
        [name, data],
        i,
      ) => [name, float32Tensor(data, SPECS[i].shape)]),
    ),
  );

/** A run's folder: teacher 1, student 2, best 3 and 4, checkpoints of steps 5 and 6 with 5, 50, 6 and 60. */
async function makeRun(folder: string): Promise<string> {
  const run = `${folder}/run`;
  await Deno.mkdir(run);
  await Deno.writeTextFile(`${run}/config.yaml`, stringifyConfig(CONFIG));
  await Deno.writeFile(`${run}/teacher.safetensors`, weightsFile(1));
  await Deno.writeFile(`${run}/student.safetensors`, weightsFile(2));
  const save = (name: string, step: number, teacher: number, student: number) =>
    saveCheckpoint(`${run}/${name}`, {
      step,
      epoch: 0,
      shapes: new Map(SPECS.map(({ name, shape }) => [name, shape])),
      student: all(student),
      teacher: all(teacher),
      moments: new Map([["exp_avg", all(0)], ["exp_avg_sq", all(0)]]),
      stepCounts: {},
      buffers: new Map([["center", new Float32Array(8)]]),
      config: CONFIG,
    });
  await save("best.safetensors", 4, 3, 4);
  for (const step of [5, 6]) await save(checkpointName(step), step, step, 10 * step);
  return run;
}

/** Loads, and gives the number that all weights have, with what was said. */
async function load(path: string, more: { student?: boolean; checkpoint?: string } = {}) {
  const said: string[] = [];
  const onWarning = (message: string) => said.push(message);
  const loaded = await loadModel({ path, overrides: [], onWarning, ...more });
  const values = new Set([...loaded.weights.values()].flatMap((data) => [...data]));
  assert.equal(values.size, 1);
  return { value: [...values][0], said: said.join("\n"), loaded };
}

/** Changes one byte in the middle of the data. */
async function spoil(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length - 40] ^= 0xff;
  await Deno.writeFile(path, bytes);
}

folderTest(
  "a run gives its teacher or student, of a checkpoint what is asked for",
  async (folder) => {
    const run = await makeRun(folder);
    const sound = await load(run);
    assert.deepEqual([sound.value, sound.said, sound.loaded.name], [1, "", "teacher"]);
    assert.equal(sound.loaded.center, undefined);
    assert.equal((await load(run, { student: true })).value, 2);
    const named = await load(run, { checkpoint: checkpointName(5), student: true });
    assert.deepEqual([named.value, named.loaded.name], [50, "student at step 5"]);
    assert.equal(named.loaded.center?.length, 8);
    assert.equal((await load(`${run}/best.safetensors`)).value, 3);
  },
);

folderTest("damaged files of a run are passed over, and said", async (folder) => {
  const run = await makeRun(folder);
  await Deno.truncate(`${run}/teacher.safetensors`, 1000);
  const best = await load(run);
  assert.equal(best.value, 3);
  assert.match(best.said, /teacher\.safetensors: not a valid safetensors file/);
  assert.match(best.said, /best\.safetensors is used instead/);

  await spoil(`${run}/best.safetensors`);
  await spoil(`${run}/${checkpointName(6)}`);
  await Deno.writeFile(`${run}/teacher.safetensors`, weightsFile(NaN));
  const old = await load(run);
  assert.equal(old.value, 5);
  assert.match(old.said, /teacher\.safetensors: expected finite numbers[^]*best[^]*checksum/);
  assert.match(old.said, /00000006\.safetensors: the checksum[^]*00000005\.safetensors is used/);
  assert.equal((await load(run, { student: true })).value, 2, "that file is sound");

  await Deno.writeFile(`${run}/${checkpointName(5)}`, new Uint8Array(0));
  await assert.rejects(load(run), (error: Error) => {
    assert.ok(error instanceof HatchlingError);
    assert.match(error.message, /all 4 are damaged:\n.*teacher[^]*best[^]*00000006[^]*00000005/);
    return true;
  });
});

folderTest("a damaged file that was named is an error", async (folder) => {
  const run = await makeRun(folder);
  await spoil(`${run}/best.safetensors`);
  const checkpoint = "best.safetensors";
  await assert.rejects(load(run, { checkpoint }), /checksum does not match/);
  await assert.rejects(load(`${run}/${checkpoint}`), /checksum does not match/);
  await Deno.truncate(`${run}/teacher.safetensors`, 1000);
  await assert.rejects(load(`${run}/teacher.safetensors`), /not a valid safetensors file/);
});

folderTest("another network is no damage: nothing else is taken instead", async (folder) => {
  const run = await makeRun(folder);
  const tensors = new Map(
    [...all(1)].map(([name, data], i) => [name, float32Tensor(data, SPECS[i].shape)]),
  );
  tensors.set("reg_token", float32Tensor(new Float32Array(4), [1, 1, 4]));
  await Deno.writeFile(`${run}/teacher.safetensors`, serializeSafetensors(tensors));
  await assert.rejects(load(run), /"reg_token": this model does not have register tokens/);
});
