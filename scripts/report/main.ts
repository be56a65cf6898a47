/**
 * `deno task report RUN`: makes report.html and the curves of a run, also of one that is still going or was killed.
 *
 * @module
 */
import { dirname } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { shown } from "../../lib/text.ts";
import { bytes, many } from "../../lib/words.ts";
import { makeReport } from "../../lib/report/make.ts";
import { isRun, suggestion } from "../../lib/run/find.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, runCommand, say } from "../common/terminal.ts";

const [run] = newCommand("report")
  .description(
    "Makes report.html and curves/ in the folder of a run, from whatever files are there: also of a run that is\n" +
      "still going or was killed. Needs no GPU.",
  )
  .argument("<run>", "folder of a run, runs/small-… for instance")
  .helpOption("-h, --help", "show this help")
  .parse(commandArgs(), { from: "user" })
  .args;

await runCommand(async () => {
  const isFile = await Deno.stat(run).then((stat) => !stat.isDirectory, () => false);
  const folder = isFile ? dirname(run) : run;
  if (!await isRun(folder)) {
    const instead = await suggestion(folder);
    throw new HatchlingError(
      `Expected the folder of a run but ${shown(folder)} holds none of its files: ${instead}`,
    );
  }
  const { path, bytes: size, curves, notes } = await makeReport(folder);
  for (const note of notes) say(`note: ${note}`);
  print(
    `${shown(path)}: ${bytes(size)}, with ${many(curves, "curve")} in ${shown(folder)}/curves`,
  );
});
