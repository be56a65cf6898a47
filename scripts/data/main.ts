/**
 * `deno task data check DIR`, `deno task data stats [DIR]`, `deno task data preview [CONFIG]`: what to know of
 * pictures before training on them.
 *
 * Exit status: 0 when all is well; 1 when something is damaged or nothing can be used; 2 for wrong arguments.
 *
 * @module
 */
import { adviceFor } from "./advice.ts";
import { ArgumentError, type CheckArguments, readArguments } from "./arguments.ts";
import { check } from "./check.ts";
import { reportOf } from "./report.ts";
import { stats } from "./stats.ts";
import { commandArgs } from "../common/called.ts";
import { print, printJson, runCommand } from "../common/terminal.ts";
import { Progress } from "../common/progress.ts";
import { datasetOptionsOf } from "../../lib/from_config.ts";

async function checkCommand({ folder, deep, json, config }: CheckArguments): Promise<number> {
  const options = { ...datasetOptionsOf(config), deep };
  const found = await check(folder, options, new Progress());
  const advice = adviceFor(found, config, Deno.systemMemoryInfo().total);
  const sound = found.pictures > 0 && found.damaged.length === 0;
  if (json) printJson({ sound, ...found, advice });
  else print(reportOf(found, advice));
  return sound ? 0 : 1;
}

async function main(): Promise<number> {
  const args = await readArguments(commandArgs());
  if (args?.command === "check") return await checkCommand(args);
  if (args?.command === "stats") await stats(args);
  if (args?.command === "preview") {
    const { preview } = await import("./preview.ts"); // needs a GPU, the others do not
    await preview(args);
  }
  return 0;
}

await runCommand(main, (error) => error instanceof ArgumentError ? 2 : 1);
