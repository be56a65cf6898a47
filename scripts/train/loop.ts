/**
 * The loop of a run. Whatever happens between steps is a hook: the loop itself only trains and looks.
 *
 * @module
 */
import type { StepValues } from "../../lib/train.ts";
import type { NonFiniteStep } from "../../lib/train/observe.ts";
import { recoverFault } from "./canaries.ts";
import { order } from "./ranks/duties.ts";
import { look, type TeamObservation } from "./ranks/look.ts";
import type { Run } from "./run.ts";

/** Longest time in milliseconds that steps are queued without looking at their results. */
const PATIENCE = 1000;

/** What is known after a step that the host has looked at. */
export interface Seen extends TeamObservation {
  /** The values that the step was done with. */
  values: StepValues;
  /** Speed since the start. */
  imagesPerSecond: number;
  /** Seconds since the first step began, without those that somebody paused it. */
  seconds: number;
  /** Seconds to the end at that speed. */
  eta: number;
}

/** Something that is done between steps. */
export interface Hook {
  /** Whether it is due after so many steps. Without it: whenever the host looks, which it then does for others. */
  due?(step: number): boolean;
  /** Whether it asks for the spread of the state. */
  readonly spread?: boolean;
  /** Does it. Returns milliseconds that were spent waiting for people, which do not count. */
  run(step: number, seen: Seen): Promise<number | void> | void;
  /** Called when the loop has ended, after so many seconds. */
  finish?(seconds: number): Promise<void> | void;
}

/**
 * Trains until all steps are done, or something asks the run to stop.
 *
 * @param hooks What is done between steps, in this order.
 * @param recover Called after a step whose numbers were not finite: sets the step to go on with.
 */
export async function trainSteps(
  run: Run,
  hooks: readonly Hook[],
  recover: (found: NonFiniteStep) => Promise<void>,
): Promise<void> {
  const { extra, guard, loader, pictures, progress } = run;
  const started = { step: run.step, time: performance.now() };
  let synced = { ...started };
  while (run.step < run.total && !guard.stop) {
    if (extra.skippedSteps.includes(run.step)) {
      run.step++;
      continue;
    }
    const values = run.valuesOf(run.step);
    const watched = hooks.some((hook) => hook.due?.(run.step + 1));
    const whole = await order(run, "step", { values, watched });
    if (whole) run.step++; // otherwise asked to stop: the step has changed nothing
    pictures.nameSkipped();

    const { step } = run;
    const due = hooks.filter((hook) => hook.due?.(step));
    const waits = !due.length && !guard.stop && performance.now() - synced.time < PATIENCE;
    if (step === synced.step || waits) continue;

    // Everything the host wants to know, in one read.
    const seen = await look(run, { watched, spread: due.some(({ spread }) => spread === true) });
    guard.beat();
    if (seen.fault) {
      await recoverFault(run, seen.fault);
      synced = { step: run.step, time: performance.now() };
      continue;
    }
    const now = performance.now();
    synced = { step, time: now };
    if (seen.nonFinite) {
      await recover(seen.nonFinite);
      synced = { step: run.step, time: performance.now() };
      continue;
    }
    if (!whole) continue;
    const seconds = (now - started.time) / 1000, done = step - started.step;
    const imagesPerSecond = done * loader.picturesPerStep / seconds;
    const eta = (run.total - step) * seconds / done;
    for (const hook of hooks) {
      if (hook.due && !due.includes(hook)) continue;
      const waited = await hook.run(step, { ...seen, values, imagesPerSecond, seconds, eta }) ?? 0;
      started.time += waited;
      synced.time += waited;
    }
  }
  guard.rest();
  progress.end();
  const seconds = (performance.now() - started.time) / 1000;
  for (const hook of hooks) await hook.finish?.(seconds);
}
