/** scripts/train/best.ts and kept.ts: what a run has kept, when it is used again. */
import assert from "node:assert/strict";
import {
  checkpointName,
  type CheckpointState,
  loadCheckpoint,
  saveCheckpoint,
} from "../../lib/io/checkpoint.ts";
import { BEST, mendBest, scoreOf } from "../../scripts/train/best.ts";
import { readKept } from "../../scripts/train/kept.ts";
import { folderTest } from "../support/permissions.ts";

function state(step: number): CheckpointState {
  const one = () => new Map([["cls_token", new Float32Array([step, 2, 3])]]);
  return {
    step,
    epoch: 0,
    shapes: new Map([["cls_token", [1, 1, 3]]]),
    student: one(),
    teacher: one(),
    moments: new Map([["exp_avg", one()], ["exp_avg_sq", one()]]),
    stepCounts: { cls_token: step },
    buffers: new Map([["center", new Float32Array([1])]]),
    config: {},
    extra: {},
  };
}

const KNN = "folder k-NN (k 5)";
const line = (step: number, percent: number) =>
  JSON.stringify({ step, figures: [{ metric: "alignment", value: 1 }, { metric: KNN, percent }] });

/** A run evaluated at steps 10 to 50, the best at 20, whose checkpoints from 30 on are kept. */
async function evaluatedRun(folder: string): Promise<void> {
  const lines = [line(10, 40), line(20, 90), line(30, 70), "{ torn", line(40, 80), line(50, 80)];
  await Deno.writeTextFile(`${folder}/evaluations.jsonl`, lines.join("\n") + "\n");
  for (const step of [30, 40, 50]) {
    await saveCheckpoint(`${folder}/${checkpointName(step)}`, state(step));
  }
  await saveCheckpoint(`${folder}/${BEST}`, state(20));
}

async function flip(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length - 2] ^= 1;
  await Deno.writeFile(path, bytes);
}

const best = { metric: KNN, percent: 90, step: 20 };

folderTest("mendBest() leaves a sound best state as it is", async (folder) => {
  await evaluatedRun(folder);
  const say = (message: string) => assert.fail(message);
  assert.deepEqual(await mendBest(folder, best, { upTo: 50, say }), best);
  assert.equal(await mendBest(folder, undefined, { upTo: 50, say }), undefined);
  assert.equal((await loadCheckpoint(`${folder}/${BEST}`)).step, 20);
});

folderTest(
  "mendBest() puts the next best sound checkpoint in the place of a damaged one",
  async (folder) => {
    await evaluatedRun(folder);
    const said: string[] = [], say = (message: string) => void said.push(message);
    await flip(`${folder}/${BEST}`);
    const next = await mendBest(folder, best, { upTo: 50, say });
    assert.deepEqual(next, { metric: KNN, percent: 80, step: 40 });
    assert.equal((await loadCheckpoint(`${folder}/${BEST}`)).step, 40);
    assert.match(
      said.join(),
      /^warning: .*best\.safetensors.*step 40 takes its place \(80\.0 %\)$/,
    );

    // Missing, and the one that would be next is damaged; later ones do not count.
    await Deno.remove(`${folder}/${BEST}`);
    await flip(`${folder}/${checkpointName(40)}`);
    assert.equal((await mendBest(folder, next, { upTo: 49, say }))?.step, 30);
    assert.equal((await loadCheckpoint(`${folder}/${BEST}`)).step, 30);

    // Of the best itself, the checkpoint of the same step is the same state.
    await Deno.writeFile(`${folder}/${BEST}`, new Uint8Array());
    assert.equal(
      (await mendBest(folder, { ...best, percent: 80, step: 50 }, { upTo: 50, say }))?.step,
      50,
    );
    assert.match(said.at(-1)!, /step 50 takes its place \(the same\)/);
  },
);

folderTest("mendBest() says where nothing is left to take its place", async (folder) => {
  await evaluatedRun(folder);
  for (const step of [30, 40, 50]) await flip(`${folder}/${checkpointName(step)}`);
  await flip(`${folder}/${BEST}`);
  const said: string[] = [], say = (message: string) => void said.push(message);
  assert.equal(await mendBest(folder, best, { upTo: 50, say }), undefined);
  assert.match(said.join(), /no checkpoint that was evaluated is left/);
  await saveCheckpoint(`${folder}/${checkpointName(60)}`, state(60));
  const also = { metric: KNN, percent: 1, step: 60 };
  await Deno.copyFile(`${folder}/${BEST}`, `${folder}/damaged`);
  assert.deepEqual(await mendBest(folder, best, { upTo: 60, also, say }), also);
  await Deno.rename(`${folder}/damaged`, `${folder}/${BEST}`);
  assert.deepEqual(await mendBest(folder, undefined, { upTo: 60, also, say }), also);
  await Deno.remove(`${folder}/${BEST}`); // a run without a best state
  assert.equal(await mendBest(folder, undefined, { upTo: 60, also, say }), undefined);
});

Deno.test("scoreOf() takes k-NN before view retrieval, and nothing else", () => {
  const view = { metric: "view retrieval R@1", percent: 5 };
  assert.equal(scoreOf({ step: 1, figures: [view, { metric: KNN, percent: 7 }] })?.metric, KNN);
  assert.equal(scoreOf({ step: 1, figures: [view] })?.percent, 5);
  assert.equal(scoreOf({ step: 1, figures: [{ metric: "uniformity" }] }), undefined);
});

/** What is said on standard error. */
async function told(work: () => Promise<unknown>): Promise<string> {
  const write = Deno.stderr.writeSync;
  let text = "";
  Deno.stderr.writeSync = (bytes) => (text += new TextDecoder().decode(bytes), bytes.length);
  try {
    await work();
  } finally {
    Deno.stderr.writeSync = write;
  }
  return text;
}

folderTest("readKept() says what is damaged, of whatever type, and goes on", async (folder) => {
  assert.equal(await told(() => readKept(folder)), "");
  const sound: Record<string, string> = {
    "run.json": '{"parts": []}',
    "kernels.json": '{"choices": {}}',
    "config.yaml": "data: {batch_size: 4}\n",
    "metrics.jsonl": '{"step": 1, "loss": 2}\n{"step": 2, "lo',
    "evaluations.jsonl": line(1, 2) + "\n",
    "skipped.jsonl": '{"file": "a.png", "reason": "empty"}\n',
  };
  for (const [name, text] of Object.entries(sound)) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  assert.equal(await told(() => readKept(folder)), "");
  assert.deepEqual(await readKept(folder), [{ file: "a.png", reason: "empty" }]);
  for (const name of Object.keys(sound)) {
    const wrong = [
      "",
      "[]",
      "null\n",
      "{\x00\n",
      '{"parts": 5, "choices": 3, "step": "x", "data": 7}\n',
    ];
    for (const text of wrong) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
      const said = await told(() => readKept(folder));
      // Nothing was listed yet.
      if (text === "" && name.endsWith(".jsonl")) assert.equal(said, "", name);
      else {assert.match(
          said,
          new RegExp(`^warning: .*${name} is damaged: .*\\n$`),
          `${name}: ${text}`,
        );}
    }
    await Deno.writeFile(`${folder}/${name}`, Uint8Array.of(0xff, 0xfe, 0xfd));
    assert.match(await told(() => readKept(folder)), /^warning: .* is left out: it is no text\n$/);
    await Deno.remove(`${folder}/${name}`);
    await Deno.mkdir(`${folder}/${name}`);
    assert.match(await told(() => readKept(folder)), /expected a file but found a folder\n$/);
    await Deno.remove(`${folder}/${name}`);
    await Deno.writeTextFile(`${folder}/${name}`, sound[name]);
  }
});
