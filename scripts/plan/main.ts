/**
 * What a run will need: `deno task plan CONFIG [--budget TIME] [--pictures N] [--no-time] [--json] [--section.key value …]`.
 *
 * @module
 */
import { Command } from "commander";
import { parseOverrides } from "../../lib/config.ts";
import { openDevice } from "../../lib/adapter.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { openDataset } from "../../lib/data/open.ts";
import { parseDuration } from "../../lib/preset.ts";
import { BudgetError } from "../../lib/preset/length.ts";
import { readConfig } from "../../lib/io/config_file.ts";
import { LIMITS, upTo } from "../common/numbers.ts";
import { faster } from "../../lib/plan/faster.ts";
import { activationBytes } from "../../lib/plan/step.ts";
import { checkFits, memoryLimit } from "../../lib/plan/fit.ts";
import { remedies } from "../../lib/plan/remedies.ts";
import { planLines, planObject } from "./report.ts";
import { stepTime } from "../../lib/plan/timing.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import { Progress } from "../common/progress.ts";
import { datasetOptionsOf, gpuOptionsOf } from "../../lib/from_config.ts";
import { resolveConfig } from "../common/resolve.ts";

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides([...Deno.args]);
  const command = new Command("plan")
    .description("Says what a run will need before it is started.")
    .argument("<config>", "YAML file, configs/small.yaml for instance")
    .option(
      "--pictures <n>",
      "number of pictures, each of data.max_pixels, instead of a look at the data set",
      upTo(LIMITS.pictures),
    )
    .option("--budget <time>", "what fits into this time, as training would choose it: 20m, 2h")
    .option("--no-time", "leave out the time, which is measured")
    .option("--json", "one object instead of words")
    .addHelpText("after", "\nAny key of the configuration: --data.batch_size 32, --data.path DIR")
    .configureOutput({
      writeOut: (text) => print(text.trimEnd()),
      writeErr: (text) => say(text.trimEnd()),
    })
    .parse(rest, { from: "user" });
  const [file] = command.args;
  const { pictures: given, time: timed, json, budget } = command.opts<{
    pictures?: number;
    time: boolean;
    json?: boolean;
    budget?: string;
  }>();
  const seconds = budget === undefined ? undefined : parseDuration(budget);
  if (seconds !== undefined && !timed) {
    throw new HatchlingError("Expected --budget or --no-time but found both: time is measured");
  }
  const onWarning = (line: string) => say(`warning: ${line}`);
  const read = await readConfig(file, { overrides, onWarning });
  const progress = new Progress();
  const gpu = await openDevice(gpuOptionsOf(read.config));

  let [pictures, largestPixels] = [given ?? 0, read.config.data.max_pixels];
  if (given === undefined) {
    const dataset = await openDataset({ ...datasetOptionsOf(read.config) });
    pictures = dataset.length;
    largestPixels = dataset.largestPixels;
    dataset.close?.();
  }
  const sizes = { largestPixels };
  const dataset = { length: pictures, largestPixels };
  const resolve = (budget?: string) =>
    resolveConfig({ ...read, budget }, { gpu, dataset, progress });
  const { config, choices, time: known } = await resolve(budget).catch((error) => {
    if (!(error instanceof BudgetError)) throw error;
    say(`warning: ${error.message}`); // and what would fit is told below
    return resolve();
  });
  const plan = await checkFits(gpu, config, sizes);
  const measure = () => stepTime(gpu, config, sizes, (what) => progress.show(what, true));
  const time = known ?? (timed ? await measure() : undefined);
  progress.end();
  const smaller = await remedies(gpu, config, sizes, plan, memoryLimit(gpu, config).bytes);
  const planned = {
    ...{ config, choices, pictures, largestPixels, plan, time, budget: seconds },
    remedies: smaller,
    activations: await activationBytes(gpu, config, sizes),
    faster: await faster(gpu, config, sizes, plan),
  };
  print(
    json ? JSON.stringify(planObject(gpu, planned), null, 2) : planLines(gpu, planned).join("\n"),
  );
}

await runCommand(main);
