/**
 * How long a run is, and how its end is moved.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { scheduleOf } from "../from_config.ts";
import { type Move, Pace } from "../preset/pace.ts";
import type { StepValues } from "../train.ts";

/** What a checkpoint holds of an end that was moved. */
export interface Paced {
  /** Epochs that the schedules are made for. */
  epochs: number;
  /** Where the end was moved to, and when. */
  moves: Move[];
}

/** Steps of a run, and the values of each. */
export interface Length {
  /** Steps in all. */
  total: number;
  /** Values of a step, from 0. */
  valuesOf: (step: number) => StepValues;
}

/**
 * Steps of a run, and the values of each. What depends on the epoch of the pictures, the frozen last layer, follows
 * the steps themselves, all schedules those that were planned.
 */
export function lengthOf(
  config: Config,
  stepsPerEpoch: number,
  paced?: Paced,
): Length {
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

/** What of a run its length decides. */
interface HasLength extends Length {
  config: Config;
  extra: { pace?: Paced };
  stepsPerEpoch: number;
}

/** Moves the end: what is trained from here on, and what the run's folder says of it. */
export function moveEnd(run: HasLength, move: Move): void {
  const { config, extra, stepsPerEpoch } = run;
  extra.pace = {
    epochs: extra.pace?.epochs ?? config.training.num_epochs,
    moves: [...extra.pace?.moves ?? [], move],
  };
  // Epochs that hold the steps, and are no fewer than a warm-up: whoever reads the configuration knows the end.
  const warmups = [config.scheduler.warmup_epochs, config.loss.warmup_teacher_temp_epochs];
  const num_epochs = Math.ceil(Math.max(move.end / stepsPerEpoch, ...warmups));
  run.config = { ...config, training: { ...config.training, num_epochs, max_steps: move.end } };
  Object.assign(run, lengthOf(run.config, stepsPerEpoch, extra.pace));
}
