/**
 * How long a run is, and how its budget moves the end.
 *
 * @module
 */
import { type Config, stringifyConfig } from "../../lib/config.ts";
import { scheduleOf } from "../../lib/from_config.ts";
import { parseDuration } from "../../lib/preset.ts";
import { BudgetWatch, type Move, Pace } from "../../lib/preset/pace.ts";
import { evaluationShare } from "../../lib/preset/cost.ts";
import type { StepValues } from "../../lib/train.ts";
import type { Hook } from "./loop.ts";
import type { Launch, Run } from "./run.ts";
import { saveOrWarn } from "./save.ts";

/** What a checkpoint holds of an end that was moved. */
export interface Paced {
  /** Epochs that the schedules are made for. */
  epochs: number;
  /** Where the end was moved to, and when. */
  moves: Move[];
}

/**
 * Steps of a run, and the values of each. What depends on the epoch of the pictures, the frozen last layer, follows
 * the steps themselves, all schedules those that were planned.
 */
export function lengthOf(
  config: Config,
  stepsPerEpoch: number,
  paced?: Paced,
): { total: number; valuesOf: (step: number) => StepValues } {
  const { num_epochs, max_steps, freeze_last_layer } = config.training;
  const epochs = paced?.epochs ?? num_epochs;
  const pace = new Pace(epochs * stepsPerEpoch, paced?.moves);
  const schedule = scheduleOf(
    { ...config, training: { ...config.training, num_epochs: epochs } },
    stepsPerEpoch,
  );
  return {
    total: Math.min(pace.end, max_steps ?? Infinity),
    valuesOf: (step) => ({
      ...schedule(pace.scheduleStep(step)),
      step,
      freezeLastLayer: Math.floor(step / stepsPerEpoch) < freeze_last_layer,
    }),
  };
}

/** Whether a budget decides when a run ends: neither epochs nor steps are set, and it has just begun. */
export function followsBudget({ args, folder }: Pick<Launch, "args" | "folder">): boolean {
  const ends = ["training.num_epochs", "training.max_steps"];
  return args.budget !== undefined && !folder.checkpoint &&
    !ends.some((key) => args.given.has(key));
}

/** Moves the end of a run so that it keeps its budget, with a word; a run that goes on later keeps the end. */
export function budgeting(run: Run): Hook[] {
  if (!followsBudget(run)) return [];
  const budget = run.args.budget!, { config, pictures: { dataset }, stepsPerEpoch } = run;
  const watch = new BudgetWatch({
    seconds: parseDuration(budget),
    spent: performance.now() / 1000,
    after: stepsPerEpoch * evaluationShare(config, dataset.length),
  });
  const hook: Hook = {
    async run(step, { seconds }) {
      const found = watch.look(step, seconds, run.total);
      if (!found) return;
      const before = run.total;
      moveEnd(run, { step, end: found.end });
      const each = `${Number(found.secondsPerStep.toPrecision(3))} s`;
      run.progress.say(
        `budget: a step takes ${each} now: the run ends after ${run.total} steps and not ${before}, ` +
          `to take ${budget}`,
      );
      await run.files.put("config.yaml", stringifyConfig(run.config));
      await saveOrWarn(run);
    },
  };
  return [hook];
}

/** Moves the end: what is trained from here on, and what the run's folder says of it. */
export function moveEnd(run: Run, move: Move): void {
  const { config, extra, stepsPerEpoch } = run;
  extra.pace = {
    epochs: extra.pace?.epochs ?? config.training.num_epochs,
    moves: [...extra.pace?.moves ?? [], move],
  };
  // Epochs that hold the steps, and are no fewer than a warm-up: whoever reads the configuration knows the end.
  const warmups = [config.scheduler.warmup_epochs, config.loss.warmup_teacher_temp_epochs];
  const num_epochs = Math.max(Math.ceil(move.end / stepsPerEpoch), ...warmups);
  run.config = { ...config, training: { ...config.training, num_epochs, max_steps: move.end } };
  Object.assign(run, lengthOf(run.config, stepsPerEpoch, extra.pace));
}
