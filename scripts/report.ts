/**
 * `deno task report RUN`: makes report.html and the curves of a run, also of one that is still going or was killed.
 *
 * @module
 */
import { Command } from "commander";
import { dirname } from "node:path";
import { HatchlingError } from "../lib/errors.ts";
import { bytes, many } from "./data/words.ts";
import { suggestion } from "./doctor/run.ts";
import { makeReport } from "./report/make.ts";
import { isRun } from "./report/read.ts";

const [run] = new Command("report")
  .description(
    "Makes report.html and curves/ in the folder of a run, from whatever files are there: also of a run that is\n" +
      "still going or was killed. Needs no GPU.",
  )
  .argument("<run>", "folder of a run, runs/small-… for instance")
  .helpOption("-h, --help", "show this help")
  .parse(["deno", "report", ...Deno.args])
  .args;

try {
  const isFile = await Deno.stat(run).then((stat) => stat.isFile, () => false);
  const folder = isFile ? dirname(run) : run;
  if (!await isRun(folder)) {
    throw new HatchlingError(
      `Expected the folder of a run but ${folder} holds none of its files: ${await suggestion(
        folder,
      )}`,
    );
  }
  const { path, bytes: size, curves, notes } = await makeReport(folder);
  for (const note of notes) console.error(`note: ${note}`);
  console.log(`${path}: ${bytes(size)}, with ${many(curves, "curve")} in ${folder}/curves`);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
