/**
 * What a run does when its canaries find that the machine computes wrong.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { listCheckpoints, loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { shown } from "../../lib/text.ts";
import { CANARY_SHARE, type CanaryCounts } from "../../lib/train/canary.ts";
import { restoreState } from "../../lib/train/state.ts";
import { many, percent } from "../../lib/words.ts";
import { firstFault, type RankFault } from "./ranks/canaries.ts";
import { ask, order } from "./ranks/duties.ts";
import type { Run } from "./run.ts";

/** The machine computes wrong: what is in its memory may not be saved. */
export class FaultError extends HatchlingError {}

/** Where faults have led back to: twice to one place is once too often. */
const backTo = new WeakMap<Run, number>();

/**
 * Has all ranks try the known answers, unless that was done after this step: nothing is saved without them.
 *
 * @throws {FaultError} When one is wrong.
 */
export async function askCanaries(run: Run): Promise<void> {
  const fault = firstFault(await ask(run, "canaries", null));
  if (fault) throw new FaultError(await reportOf(run, fault));
}

/**
 * Goes back to the last checkpoint, which was written after canaries were right, where `training.on_non_finite` lets a
 * run go on; a second time from there it does not.
 *
 * @throws {FaultError} When the run is to stop: nothing has been saved since that checkpoint.
 */
export async function recoverFault(run: Run, fault: RankFault): Promise<void> {
  const { config, folder, log, progress, trainer } = run;
  const text = await reportOf(run, fault);
  const [last] = await listCheckpoints(folder.path);
  const again = last !== undefined && backTo.get(run) === last.step;
  if (config.training.on_non_finite !== "skip" || !last || again) throw new FaultError(text);
  backTo.set(run, last.step);
  progress.say(`warning: ${text}. Going back to step ${last.step}`);
  restoreState(trainer, await loadCheckpoint(last.path));
  await order(run, "state", null);
  run.step = last.step;
  log.conclude();
  await log.goOn(run.step);
}

/** Writes canary-<step>.json; tells what happened and what to do. */
async function reportOf(run: Run, { rank, ...fault }: RankFault): Promise<string> {
  const { files, folder, step, team } = run;
  const name = `canary-${String(step).padStart(8, "0")}.json`;
  const where = team.size > 1 ? { rank, host: team.hosts[rank] } : {};
  const report = { step, ...where, ...fault, kernels: run.extra.kernels };
  await files.put(name, JSON.stringify(report, null, 2) + "\n");
  const [last] = folder.isOurs ? await listCheckpoints(folder.path) : [];
  const kept = last
    ? `The last sound checkpoint is ${shown(last.path)}: go on from it with --resume`
    : "No checkpoint is there yet";
  return `Expected right results of the GPU after step ${step} but a canary found a wrong one: ${
    team.said(fault.text, rank)
  } ` +
    `(${
      shown(join(files.folder, name))
    }). Nothing was saved since. ${kept}; run deno task prove first, and if this ` +
    "comes again, update the driver or take another adapter";
}

/** What canaries did in a run of so many seconds, in words. */
export function canaryText(
  { known, repeated, kernels: [covered, all], ms }: CanaryCounts,
  seconds: number,
): string {
  const share = seconds > 0 ? ms / seconds / 10 : 0;
  const rest = covered < all ? " (a longer run gets to the others)" : "";
  const twice = repeated
    ? `${
      many(repeated, "dispatch", "dispatches")
    } of ${covered} of the step's ${all} kernels ran twice, with ` +
      `equal bits${rest}`
    : `none of the step's ${all} kernels ran a second time, as the run was too short for the ${
      percent(CANARY_SHARE)
    } of its time that canaries may take`;
  return `canaries (does the machine compute right?): known answers came out right ${
    many(known, "time")
  }; ${twice}; ` +
    `${ms.toFixed(0)} ms of ${seconds.toFixed(0)} s (${share.toFixed(2)} %)`;
}
