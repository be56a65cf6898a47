/**
 * best.safetensors, checked where a run goes on and where it ends.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { checkpointName, loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { readFile } from "../../lib/io/files.ts";
import type { Prepared, RunExtra } from "./run.ts";

/** Its name. */
export const BEST = "best.safetensors";

/** A figure by which states of a run are compared. */
export type Score = NonNullable<RunExtra["best"]>;

/** An evaluation while the run trained. */
interface Evaluation {
  step: number;
  figures: { metric: string; percent?: number }[];
}

/** The figure that decides which state is the best: k-NN, without labels view retrieval. */
export function scoreOf({ step, figures }: Evaluation): Score | undefined {
  const shares = figures.flatMap(({ metric, percent }) => {
    return typeof percent === "number" ? [{ metric, percent }] : [];
  });
  const score = shares.find(({ metric }) => metric.includes("k-NN")) ??
    shares.find(({ metric }) => metric.startsWith("view retrieval"));
  return score && { ...score, step };
}

/**
 * Makes sure of the best state of a run, where it keeps one.
 *
 * @param also A state that was evaluated, but not while the run trained.
 */
export async function keepBest(run: Prepared, also?: Score): Promise<void> {
  const { config, extra, folder, progress, step } = run;
  if (!config.checkpoint.save_best) return;
  const say = (message: string) => progress.say(message);
  extra.best = await mendBest(folder.path, extra.best, { upTo: step, also, say });
}

/**
 * Checks every byte of the best state. One that is damaged or missing is said, and the best of the checkpoints that
 * are left takes its place; where none of them was evaluated, the next evaluation is the best so far.
 *
 * @param best What is known of the best state.
 * @param upTo Evaluations of later steps do not count.
 * @param also A state that was evaluated, but not while the run trained.
 * @returns What is the best now.
 */
export async function mendBest(
  folder: string,
  best: Score | undefined,
  { upTo, also, say }: { upTo: number; also?: Score; say: (message: string) => void },
): Promise<Score | undefined> {
  const { metric } = best ?? also ?? {};
  const path = join(folder, BEST);
  if (metric === undefined || !best && !await isThere(path)) return best;
  const fault = await faultOf(path);
  if (!fault) return best;
  for (const score of await ranking(folder, metric, upTo, also)) {
    const other = join(folder, checkpointName(score.step));
    if (await faultOf(other)) continue;
    try {
      await writeFileAtomic(path, await readFile(other));
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
      say(`warning: ${fault}; ${error.message}`);
      return undefined;
    }
    const same = score.step === best?.step ? "the same" : `${score.percent.toFixed(1)} %`;
    say(`warning: ${fault}; the checkpoint of step ${score.step} takes its place (${same})`);
    return score;
  }
  say(`warning: ${fault}; no checkpoint that was evaluated is left to take its place`);
  return undefined;
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** What is wrong with a checkpoint. */
async function faultOf(path: string): Promise<string | undefined> {
  try {
    await loadCheckpoint(path, []);
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    return error.message;
  }
}

/** Evaluated states, the best first; of equal ones the earlier, as while training. */
async function ranking(
  folder: string,
  metric: string,
  upTo: number,
  also?: Score,
): Promise<Score[]> {
  const bytes = await readFile(join(folder, "evaluations.jsonl")).catch(() => new Uint8Array());
  const scores = new Map(also?.metric === metric ? [[also.step, also]] : []);
  for (const row of new TextDecoder().decode(bytes).split("\n")) {
    try {
      const score = scoreOf(JSON.parse(row));
      if (score && score.metric === metric && score.step <= upTo) scores.set(score.step, score);
    } catch {
      // a line that is damaged
    }
  }
  return [...scores.values()].sort((a, b) => b.percent - a.percent || a.step - b.step);
}
