/** How long a run is, and what is left of a budget that moved its end. */
import assert from "node:assert/strict";
import { parseConfig, stringifyConfig } from "../../lib/config.ts";
import { scheduleOf } from "../../lib/from_config.ts";
import { loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { followsBudget } from "../../scripts/train/budget.ts";
import { lengthOf, moveEnd } from "../../lib/from_config/length.ts";
import type { Run } from "../../scripts/train/run.ts";
import { assertSameFile, checkpoint, flags, path, runTest, SMALL, train } from "../support/runs.ts";

const S = 10; // steps of an epoch
const config = parseConfig(
  "training: {num_epochs: 20, freeze_last_layer: 2}\nscheduler: {warmup_epochs: 3}\n" +
    "loss: {warmup_teacher_temp: 0.02, warmup_teacher_temp_epochs: 4}",
);

Deno.test("lengthOf() is the schedule of the configuration while nothing is moved", () => {
  const { total, valuesOf } = lengthOf(config, S), schedule = scheduleOf(config, S);
  assert.equal(total, 20 * S);
  for (let step = 0; step < total; step++) assert.deepEqual(valuesOf(step), schedule(step));
  const cut = { ...config, training: { ...config.training, max_steps: 7 } };
  assert.equal(lengthOf(cut, S).total, 7);
  assert.deepEqual(lengthOf(cut, S).valuesOf(6), schedule(6));
});

Deno.test("moveEnd() brings every schedule to its end, and a run that goes on there too", () => {
  const run = { config, extra: {}, stepsPerEpoch: S, ...lengthOf(config, S) } as unknown as Run;
  const schedule = scheduleOf(config, S);
  for (const move of [{ step: 8, end: 83 }, { step: 40, end: 65 }]) {
    const before = [run.valuesOf(move.step - 1), run.valuesOf(move.step)];
    moveEnd(run, move);
    assert.equal(run.total, move.end);
    assert.deepEqual([run.valuesOf(move.step - 1), run.valuesOf(move.step)], before);
  }
  const last = run.valuesOf(64), planned = schedule(20 * S - 1);
  assert.ok(last.lr < schedule(0.95 * 20 * S).lr && last.lr >= planned.lr);
  assert.ok(last.momentum > schedule(0.95 * 20 * S).momentum);
  // Steps and the frozen last layer are the run's own: the optimiser counts by them.
  for (let step = 0; step < run.total; step++) {
    const { freezeLastLayer, ...values } = run.valuesOf(step);
    assert.deepEqual([values.step, freezeLastLayer], [step, step < 2 * S]);
  }
  // config.yaml tells the end, and what a checkpoint holds gives the same values.
  const kept = parseConfig(stringifyConfig(run.config));
  assert.deepEqual([kept.training.num_epochs, kept.training.max_steps], [7, 65]);
  const again = lengthOf(kept, S, structuredClone(run.extra.pace));
  assert.equal(again.total, 65);
  for (let step = 0; step < 65; step++) assert.deepEqual(again.valuesOf(step), run.valuesOf(step));
});

Deno.test("moveEnd() writes no fewer epochs than a warm-up takes", () => {
  const run = { config, extra: {}, stepsPerEpoch: S, ...lengthOf(config, S) } as unknown as Run;
  moveEnd(run, { step: 8, end: 12 });
  const { num_epochs, max_steps } = parseConfig(stringifyConfig(run.config)).training;
  assert.deepEqual([num_epochs, max_steps, run.total], [4, 12, 12]);
  const part = { ...config, scheduler: { ...config.scheduler, warmup_epochs: 4.5 } };
  const other = { config: part, extra: {}, stepsPerEpoch: S, ...lengthOf(part, S) };
  moveEnd(other, { step: 8, end: 12 });
  assert.equal(other.config.training.num_epochs, 5);
});

Deno.test("a budget decides the end of a new run that sets neither epochs nor steps", () => {
  const asked = (budget?: string, key?: string, checkpoint?: unknown) =>
    followsBudget(
      { args: { budget, given: new Map(key ? [[key, 5]] : []) }, folder: { checkpoint } } as never,
    );
  assert.ok(asked("1h") && asked("1h", "model.dim"));
  assert.ok(!asked() && !asked("1h", "training.num_epochs") && !asked("1h", "training.max_steps"));
  assert.ok(!asked("1h", undefined, {}));
});

runTest("train ends when its budget does, and keeps that end", async (folder, small) => {
  const { "training.num_epochs": _, ...toy } = SMALL;
  const text = await Deno.readTextFile(path("configs/tiny.yaml"));
  const free = text.replace(/^training:[^]*?^\n/m, "");
  assert.ok(!/num_epochs|max_steps/.test(free));
  await Deno.writeTextFile(`${folder}/free.yaml`, free);
  const pictures = small.slice(0, 2);
  assert.equal(pictures[0], "--data.path");
  const args = [...pictures, ...flags(toy), ...flags({ "evaluation.view_retrieval": "false" })];
  const run = await train(
    folder,
    [...args, "--budget", "4s", "--out", "run"],
    `${folder}/free.yaml`,
  );
  assert.equal(run.code, 0, run.stderr);
  const { training } = parseConfig(await Deno.readTextFile(`${folder}/run/config.yaml`));
  const lines = (await Deno.readTextFile(`${folder}/run/metrics.jsonl`)).trim().split("\n");
  const { step } = JSON.parse(lines.at(-1)!);
  assert.equal(step, Math.min(training.num_epochs * 2, training.max_steps ?? Infinity));
  const moved = [...run.stderr.matchAll(/^budget: a step takes .* after (\d+) steps/gm)];
  if (moved.length) assert.equal(Number(moved.at(-1)![1]), step);
  const state = await loadCheckpoint(checkpoint(`${folder}/run`, step));
  assert.equal((state.extra as Partial<Run["extra"]>).pace?.moves.length ?? 0, moved.length);
  await Deno.copyFile(`${folder}/run/teacher.safetensors`, `${folder}/before.safetensors`);
  const again = [...args, "--budget", "1h", "--out", "run", "--resume"];
  const resumed = await train(folder, again, `${folder}/free.yaml`);
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.match(resumed.stderr, /note: --budget changes nothing/);
  await assertSameFile(folder, "before.safetensors", "run/teacher.safetensors");
});
