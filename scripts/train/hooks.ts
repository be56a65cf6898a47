/**
 * What a run does between its steps.
 *
 * @module
 */
import { clock } from "../../lib/words.ts";
import { evaluateTeacher } from "./evaluate.ts";
import { canaryText } from "./canaries.ts";
import type { Hook } from "./loop.ts";
import { compareWeights } from "./ranks/compare.ts";
import type { Run } from "./run.ts";
import { costText } from "./run_log.ts";
import { isSaveDue, saveNow, saveOrWarn } from "./save.ts";
import { Snapshots } from "./snapshots.ts";

/** Shows how far the run is. */
export function showing(run: Run): Hook {
  const { progress, stepsPerEpoch } = run;
  return {
    run(step, { figures, imagesPerSecond, eta }) {
      const { total } = run; // a budget may move it
      const { loss, loss_over_ln_k: share, teacher_entropy: entropy, contrastive, ibot } = figures;
      const parts = [
        `loss ${loss.toFixed(4)}`,
        share !== undefined && `loss/ln K ${share.toFixed(3)}`,
        entropy !== undefined && `teacher entropy ${entropy.toFixed(3)}`,
        contrastive !== undefined && share !== undefined && `InfoNCE ${contrastive.toFixed(3)}`,
        ibot !== undefined && `iBOT ${ibot.toFixed(3)}`,
      ];
      progress.show(
        `step ${step}/${total} epoch ${(step / stepsPerEpoch).toFixed(2)}  ` +
          `${parts.filter((part) => part).join("  ")}  ` +
          `${imagesPerSecond.toFixed(0)} images/s  ETA ${clock(eta)}`,
        step === total,
      );
    },
  };
}

/** Writes a line of metrics.jsonl every few steps; at the end, says what the diagnostics have cost. */
export function logging(run: Run): Hook {
  const { config, feed, gpu, progress, stepper, stepsPerEpoch } = run;
  let spreadTime = 0;
  return {
    due: (step) => step % config.logging.log_every_n_iters === 0 || step === run.total,
    spread: true,
    async run(step, { figures, spread, values, imagesPerSecond, ...took }) {
      spreadTime += took.spreadTime;
      await run.log.write({
        step,
        epoch: values.step / stepsPerEpoch,
        ...figures,
        lr: values.lr,
        weight_decay: values.weightDecay,
        teacher_momentum: values.momentum,
        teacher_temp: values.teacherTemp,
        images_per_second: imagesPerSecond,
        ...feed.times(),
        gpu_bytes: gpu.memory.liveBytes,
        longest_submit_ms: gpu.pace.takeLongest(),
        process_bytes: Deno.memoryUsage().rss,
        ...run.ranks?.takeTimes(),
        ...stepper.takeRankTimes(),
        ...spread,
      });
    },
    finish(seconds) {
      run.log.conclude();
      progress.say(costText(spreadTime + run.log.time, seconds));
      progress.say(canaryText(run.stepper.canaries.counts, seconds));
    },
  };
}

/** Compares the weights of the ranks after the first step: adapters that compute otherwise show then. */
export function comparing(run: Run): Hook[] {
  if (run.team.size === 1) return [];
  const first = run.step + 1;
  return [{ due: (step) => step === first, run: () => compareWeights(run) }];
}

/** Evaluates the teacher every few epochs, but for the end: there the whole evaluation comes. */
export function evaluating(run: Run): Hook {
  const { every_n_epochs: every } = run.config.evaluation;
  return {
    due: (step) => every !== null && step % (every * run.stepsPerEpoch) === 0 && step < run.total,
    async run() {
      run.guard.rest();
      await evaluateTeacher(run);
    },
  };
}

/** Draws what the teacher looks at, at some moments and before the first step. */
export async function snapshotting(run: Run): Promise<Hook> {
  const snapshots = await Snapshots.open(run);
  return {
    due: (step) => snapshots.due(step),
    async run(step) {
      run.guard.rest();
      await snapshots.take(step);
    },
  };
}

/** Saves a checkpoint every few steps or epochs, and at the end. */
export function saving(run: Run): Hook {
  return {
    due: (step) => isSaveDue(run, step),
    run: () => saveOrWarn(run),
    finish: () => saveNow(run),
  };
}

/** Tells the dashboard how far the run is, and does what was asked there. */
export function heeding(run: Run): Hook {
  return {
    run: (step, { eta }) => run.panel.heed({ step, total: run.total, eta }, () => saveOrWarn(run)),
  };
}
