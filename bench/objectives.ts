/**
 * Which objective learns most from little? `deno task bench:objectives [--rows a,b] [--seeds 0,1] [--out DIR]` trains
 * the rows of objectives/rows.ts one after the other, each with every seed, judges all of them on the same pictures
 * and views, and prints tables in Markdown: means with their spread over the seeds, plain and whitened, beside raw
 * pixels and untrained weights that were treated alike.
 *
 * What is done stays in the folder, so it may be stopped at any time, and goes on where it was: a row's run with its
 * last checkpoint. `--report` prints the tables of what is there.
 *
 * @module
 */
import { join } from "node:path";
import { ensureAdapter } from "../lib/adapter.ts";
import { HatchlingError } from "../lib/errors.ts";
import { openGpu } from "../lib/gpu.ts";
import { writeFileAtomic } from "../lib/io/atomic.ts";
import { Progress } from "../scripts/common/progress.ts";
import { type ObjectivesArguments, readObjectivesArguments } from "./objectives/arguments.ts";
import { commandText, type Job, readFound, writeFound } from "./objectives/job.ts";
import { measure } from "./objectives/measure.ts";
import type { Row } from "./objectives/rows.ts";
import { type Done, tablesOf } from "./objectives/table.ts";
import { train, weightsOf } from "./objectives/train.ts";

async function main(args: ObjectivesArguments): Promise<number> {
  const { rows, out, extra } = args;
  // Pixels have no seed: they are judged once.
  const seedsOf = (row: Row) => row.by === "pixels" ? args.seeds.slice(0, 1) : args.seeds;
  const jobs = rows.flatMap((row) =>
    seedsOf(row).map((seed): Job => {
      return { row, seed, folder: join(out, row.name, `seed-${seed}`), extra };
    })
  );
  if (args.list) {
    for (const job of jobs) console.log(`${job.row.name}\t${commandText(job)}`);
    return 0;
  }
  let stop = false;
  const hear = () => {
    if (stop) Deno.exit(130); // heard before: what is under way is not waited for
    stop = true;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, hear);
  for (const job of args.report ? [] : jobs) {
    if (await readFound(job)) continue;
    if (!await work(job, () => stop)) {
      console.error("stopped: the same command goes on");
      return 130;
    }
  }
  const all: Done[] = [];
  for (const row of rows) {
    const seeds = [];
    for (const job of jobs.filter((job) => job.row === row)) {
      const found = await readFound(job);
      if (found) seeds.push({ job, found });
    }
    all.push({ row, seeds });
  }
  const text = tablesOf(all, args.readouts);
  console.log(text || `nothing in ${out} yet`);
  if (text) await writeFileAtomic(join(out, "tables.md"), new TextEncoder().encode(text + "\n"));
  return 0;
}

/** Trains and judges; false where it was stopped meanwhile. */
async function work(job: Job, heard: () => boolean): Promise<boolean> {
  const command = commandText(job);
  console.error(`\n${job.row.name}, seed ${job.seed}: ${command}`);
  const { seconds, stopped } = await train(job, heard);
  if (stopped) return false;
  await ensureAdapter();
  const gpu = await openGpu(); // of its own for each: nothing is held while another program trains
  const progress = new Progress();
  try {
    const say = (text: string) => progress.show(text);
    const found = await measure(gpu, job, await weightsOf(job), say);
    await writeFound(job, { command, seconds, adapter: gpu.info.description, ...found });
  } finally {
    progress.end();
    gpu.destroy();
  }
  return !heard();
}

try {
  Deno.exit(await main(readObjectivesArguments(Deno.args)));
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
