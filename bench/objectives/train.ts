/**
 * Runs the command of a job, or goes on with it.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { commandOf, commandText, type Job, trainedIn } from "./job.ts";

/** The weights that a finished run leaves, the first that is there; and those of PyTorch. */
export const WEIGHTS = {
  hatchling: ["teacher.safetensors", "student.safetensors"],
  simdino: ["PyTorch simdino.safetensors"],
} as const;

const isThere = (path: string) => Deno.lstat(path).then(() => true, () => false);

async function hasCheckpoint(folder: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name.startsWith("checkpoint-")) return true;
  }
  return false;
}

/** The file of the weights, once a job has trained. */
export async function weightsOf(job: Job): Promise<string | undefined> {
  const { by } = job.row;
  if (by === "untrained" || by === "pixels") return;
  for (const name of WEIGHTS[by]) {
    const path = join(trainedIn(job), name);
    if (await isThere(path)) return path;
  }
}

/** How a command ended. */
export interface Ended {
  /** Seconds that it took from the beginning; undefined where it went on with something. */
  seconds?: number;
  /** Whether it was broken off. */
  stopped: boolean;
}

/**
 * Trains, unless that is done. A run of `deno task train` goes on where it was left; PyTorch begins anew.
 *
 * @param heard Whether somebody has asked to stop.
 * @throws {HatchlingError} When the command fails.
 */
export async function train(job: Job, heard: () => boolean): Promise<Ended> {
  const args = commandOf(job);
  if (!args || await weightsOf(job)) return { stopped: false };
  const folder = trainedIn(job);
  const begun = await isThere(folder);
  if (begun && job.row.by === "simdino") await Deno.remove(folder, { recursive: true });
  const resumes = begun && job.row.by === "hatchling" && await hasCheckpoint(folder);
  if (begun && job.row.by === "hatchling" && !resumes) args.push("--overwrite");
  const start = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: resumes ? [...args, "--resume"] : args,
    stdin: "null",
  }).spawn();
  // Ctrl-C reaches the whole group by itself; another program's signal only this one.
  const pass = () => child.kill("SIGTERM");
  Deno.addSignalListener("SIGTERM", pass);
  const { code } = await child.status;
  Deno.removeSignalListener("SIGTERM", pass);
  if (heard()) return { stopped: true };
  if (code !== 0) {
    throw new HatchlingError(
      `Expected the row ${job.row.name}, seed ${job.seed}, to train but its command ended with status ${code}: ` +
        `${commandText(job)}`,
    );
  }
  if (!await weightsOf(job)) {
    throw new HatchlingError(
      `Expected weights in ${folder} but found none after: ${commandText(job)}`,
    );
  }
  return { seconds: resumes ? undefined : (performance.now() - start) / 1000, stopped: false };
}
