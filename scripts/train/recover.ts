/**
 * How a run goes on, or ends, after trouble: with its device, or with numbers that are not finite.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { DeviceError, HatchlingError } from "../../lib/errors.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { type CheckpointState, listCheckpoints, loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { resolveConfig } from "../common/resolve.ts";
import { restoreState, stepCounts } from "../../lib/train/state.ts";
import { placeOf } from "./checkpoints.ts";
import { badStepText, diagnoseNonFinite } from "./non_finite.ts";
import type { NonFiniteStep } from "../../lib/train/observe.ts";
import { openRankDevice } from "./ranks/device.ts";
import { order } from "./ranks/duties.ts";
import type { Launch, Run, RunExtra } from "./run.ts";
import { checkSameConfig, checkSamePictures } from "./same_run.ts";
import { saveNow } from "./save.ts";

/**
 * Trains on a device. Trouble with it costs the run the steps since its last checkpoint, and happens once in a place:
 * the run then goes on with a new one. With several ranks it ends the run: the others are in the midst of a step.
 *
 * @returns The exit status.
 */
export async function recoverDevice(
  launch: Launch,
  train: (gpu: Gpu, config: Config) => Promise<number>,
): Promise<number> {
  const { args, folder, guard, progress, team } = launch;
  let config: Config | undefined;
  for (let trouble = -1;;) {
    using gpu = await openRankDevice(team, args.config);
    try {
      config ??= await configOf(gpu, launch);
      return await train(gpu, config);
    } catch (error) {
      if (!(error instanceof DeviceError) || team.size > 1) throw error;
      guard.rest();
      progress.end();
      await folder.refresh();
      const step = folder.checkpoint?.step ?? 0;
      if (folder.checkpoint) config = undefined; // a budget may have moved its end since
      if (step <= trouble) throw error;
      trouble = step;
      progress.say(`error: ${error.message}\nGoing on after step ${step} with a new device.`);
    }
  }
}

/** The final configuration; of a run that goes on it is that of before. */
async function configOf(gpu: Gpu, launch: Launch): Promise<Config> {
  const { args, earlier, folder, pictures, progress, team: { size: ranks } } = launch;
  const { dataset } = pictures, before = folder.checkpoint?.state;
  const paced = !args.extend &&
    (before?.extra as Partial<RunExtra> | undefined)?.pace !== undefined;
  const known = before && { config: before.config, paced };
  const { config } = await resolveConfig(args, { gpu, dataset, before: known, progress, ranks });
  if (!before) return config;
  checkSameConfig(config, before.config, { extend: args.extend, moved: earlier.moved });
  checkSamePictures(before, pictures);
  return config;
}

/**
 * Leaves the bad batch out where the configuration allows it. Where the weights themselves are not finite, the
 * update before has spoiled them: the run then goes back to the last sound checkpoint and leaves out that batch.
 *
 * @throws {HatchlingError} When the run is to stop: the state from before is saved then.
 */
export async function recoverStep(run: Run, found: NonFiniteStep): Promise<void> {
  const { config, extra, folder, log, progress, trainer } = run;
  const bad = await diagnoseNonFinite(run, found);
  run.step = bad.step; // the state is that from before it
  const { on_non_finite: policy, max_skipped_steps: most } = config.training;
  const culprit = bad.weights ? bad.step - 1 : bad.step;
  const goesOn = policy === "skip" && extra.skippedSteps.length < most && culprit >= 0;
  const text = badStepText(bad);
  const back = bad.weights ? await lastSound(folder.path, culprit) : undefined;
  if (!goesOn) {
    if (!bad.weights) await saveNow(run);
    const { step, what: non_finite, first } = bad;
    const { lr } = run.valuesOf(step);
    await log.write({ step, lr, non_finite, ...first && { first_non_finite: first } });
    const why = policy === "skip"
      ? `${extra.skippedSteps.length} steps were left out already, of at most ${most}. `
      : "";
    if (!folder.isOurs) { // the run that was to be replaced comes back, and what is known of this one goes
      throw new HatchlingError(
        `Expected finite numbers but found ${
          badStepText({ ...bad, file: undefined })
        }. Nothing of this run is kept, ` +
          "as it came to no checkpoint: lower optimizer.lr or training.gradient_clip, lengthen " +
          "scheduler.warmup_epochs and start anew",
      );
    }
    const saved = bad.weights
      ? `The last sound checkpoint is ${back?.path ?? "none"}`
      : `Weights, teacher and centre are those from before that step, saved in ${folder.path}`;
    throw new HatchlingError(
      `Expected finite numbers but found ${text}. ${why}${saved}: lower optimizer.lr or training.gradient_clip, ` +
        "lengthen scheduler.warmup_epochs and start from it with --weights" +
        (policy === "stop"
          ? ", or go on without that batch: --resume --training.on_non_finite skip"
          : ""),
    );
  }
  trainer.clearFlag();
  const { skippedSteps } = extra;
  skippedSteps.push(culprit);
  progress.say(
    `warning: ${text}. Batch ${culprit} is left out (${skippedSteps.length} of at most ${most})` +
      (bad.weights ? `; going back to step ${back?.state.step ?? 0}` : ""),
  );
  if (!bad.weights) {
    const [done, last] = stepCounts(placeOf(run));
    trainer.setCounts({ done, frozen: done - last });
    run.step++;
  } else if (back) {
    restoreState(trainer, back.state);
    run.step = back.state.step;
  } else {
    throw new HatchlingError(
      `Expected a sound checkpoint to go back to but there is none: ${text}. Lower optimizer.lr and start anew`,
    );
  }
  await order(run, "state", null);
  log.conclude();
  await log.goOn(run.step);
}

/** The newest checkpoint up to a step that holds finite numbers only. */
async function lastSound(
  folder: string,
  step: number,
): Promise<{ path: string; state: CheckpointState } | undefined> {
  for (const file of await listCheckpoints(folder)) {
    if (file.step > step) continue;
    try {
      const state = await loadCheckpoint(file.path);
      if (isFinite(state)) return { path: file.path, state };
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error; // a damaged one: the one before it, then
    }
  }
}

function isFinite({ student, teacher, moments, buffers }: CheckpointState): boolean {
  const groups = [student, teacher, ...moments.values()].flatMap((group) => [...group.values()]);
  return [...buffers.values(), ...groups].every((values) => values.every(Number.isFinite));
}
