/**
 * How a run goes on, or ends, after a step whose numbers were not finite.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { type CheckpointState, listCheckpoints, loadCheckpoint } from "../../lib/io/checkpoint.ts";
import type { Trainer } from "../../lib/train.ts";
import { restoreTrainer, type RunExtra, stepCounts } from "./checkpoints.ts";
import { type BadStep, badStepText } from "./non_finite.ts";
import type { Progress } from "../shared/progress.ts";
import type { RunLog } from "./run_log.ts";
import type { Saver } from "./saver.ts";

/** What is needed for it. */
export interface Remedies {
  /** Its state is that from before the bad step. */
  trainer: Trainer;
  /** Saves it. */
  saver: Saver;
  /** The run's metrics. */
  log: RunLog;
  /** Folder of the run. */
  folder: string;
  /** Its configuration. */
  config: Config;
  /** Learning rate of the bad step. */
  lr: number;
  /** Where the steps left out are kept. */
  extra: RunExtra;
  /** Steps of an epoch. */
  stepsPerEpoch: number;
  /** Where to say what is done. */
  progress: Progress;
}

/**
 * Leaves the bad batch out where the configuration allows it. Where the weights themselves are not finite, the
 * update before has spoiled them: the run then goes back to the last sound checkpoint and leaves out that batch.
 *
 * @returns The step to go on with.
 * @throws {HatchlingError} When the run is to stop: the state from before is saved then.
 */
export async function heal(bad: BadStep, remedies: Remedies): Promise<number> {
  const { trainer, saver, log, config, extra, stepsPerEpoch, progress } = remedies;
  const { on_non_finite: policy, max_skipped_steps: most } = config.training;
  const culprit = bad.weights ? bad.step - 1 : bad.step;
  const goesOn = policy === "skip" && extra.skippedSteps.length < most && culprit >= 0;
  const text = badStepText(bad);
  const back = bad.weights ? await lastSound(remedies, culprit) : undefined;
  if (!goesOn) {
    if (!bad.weights) await saver.finish(bad.step);
    const { step, what: non_finite, first } = bad;
    await log.write({ step, lr: remedies.lr, non_finite, ...first && { first_non_finite: first } });
    const why = policy === "skip"
      ? `${extra.skippedSteps.length} steps were left out already, of at most ${most}. `
      : "";
    const saved = bad.weights
      ? `The last sound checkpoint is ${back?.path ?? "none"}`
      : `Weights, teacher and centre are those from before that step, saved in ${remedies.folder}`;
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
    const frozenSteps = config.training.freeze_last_layer * stepsPerEpoch;
    const [done, last] = stepCounts(bad.step, skippedSteps, frozenSteps);
    trainer.setCounts({ done, frozen: done - last });
    return bad.step + 1;
  }
  if (!back) {
    throw new HatchlingError(
      `Expected a sound checkpoint to go back to but there is none: ${text}. Lower optimizer.lr and start anew`,
    );
  }
  restoreTrainer(trainer, back.state);
  return back.state.step;
}

/** The newest checkpoint up to a step that holds finite numbers only. */
async function lastSound(
  { folder }: Remedies,
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

function isFinite({ student, teacher, expAvg, expAvgSq, center }: CheckpointState): boolean {
  const groups = [student, teacher, expAvg, expAvgSq].flatMap((group) => [...group.values()]);
  return [center, ...groups].every((values) => values.every(Number.isFinite));
}
