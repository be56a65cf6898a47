/**
 * From a configuration to the values of every step.
 *
 * @module
 */
import type { Config } from "../config.ts";
import {
  constantSchedule,
  cosineSchedule,
  linearSchedule,
  scaledLr,
  teacherTempSchedule,
} from "../optim.ts";
import type { StepValues } from "../train.ts";

/** Schedules of the learning rate by name. */
const SCHEDULES = {
  cosine_warmup: cosineSchedule,
  cosine: cosineSchedule,
  linear: linearSchedule,
  constant: constantSchedule,
};

/** Epochs of the learning rate's warm-up. */
export function warmupOf({ scheduler, warmup_epochs }: Config["scheduler"]): number {
  return scheduler === "cosine" ? 0 : warmup_epochs;
}

/**
 * The values of every step of a run, as a function of the step alone.
 *
 * @category Training
 */
export function scheduleOf(
  { data, loss, optimizer, scheduler, training }: Config,
  stepsPerEpoch: number,
): (step: number) => StepValues {
  const batch = data.batch_size * training.gradient_accumulation_steps;
  const span = { epochs: training.num_epochs, itersPerEpoch: stepsPerEpoch };
  const lr = SCHEDULES[scheduler.scheduler]({
    ...span,
    base: optimizer.lr_scale_by_batch ? scaledLr(optimizer.lr, batch) : optimizer.lr,
    final: scheduler.min_lr,
    warmupEpochs: warmupOf(scheduler),
    warmupStart: scheduler.warmup_start_lr,
  });
  const weightDecay = cosineSchedule({
    ...span,
    base: optimizer.weight_decay,
    final: optimizer.weight_decay_end,
  });
  const momentum = cosineSchedule({
    ...span,
    base: training.teacher_momentum,
    final: training.teacher_momentum_schedule
      ? training.teacher_momentum_final
      : training.teacher_momentum,
  });
  const teacherTemp = teacherTempSchedule({
    start: loss.warmup_teacher_temp,
    final: loss.teacher_temp,
    warmupEpochs: loss.warmup_teacher_temp_epochs,
    epochs: training.num_epochs,
  });
  const gramAt = (step: number) => {
    const period = loss.gram_refresh_epochs * stepsPerEpoch;
    return { on: step >= period, refresh: step > 0 && step % period === 0 };
  };
  return (step) => {
    const epoch = Math.floor(step / stepsPerEpoch);
    return {
      step,
      lr: lr(step),
      weightDecay: weightDecay(step),
      momentum: momentum(step),
      teacherTemp: teacherTemp(epoch),
      freezeLastLayer: epoch < training.freeze_last_layer,
      holdBackbone: epoch < training.head_warmup_epochs,
      ...loss.gram_weight > 0 && { gram: gramAt(step) },
    };
  };
}
