/**
 * What a run will need: `deno task plan CONFIG [--pictures N] [--no-time] [--json] [--section.key value …]`.
 *
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import { givenValues, parseConfig, parseOverrides } from "../lib/config.ts";
import { HatchlingError } from "../lib/errors.ts";
import { ensureAdapter } from "../lib/gpu/bootstrap.ts";
import { openGpu } from "../lib/gpu/mod.ts";
import { openDataset } from "../lib/data/open.ts";
import { readFile } from "../lib/io/files.ts";
import { checkFits, memoryLimit } from "./plan/fit.ts";
import { remedies } from "./plan/remedies.ts";
import { planLines, planObject } from "./plan/report.ts";
import { stepTime } from "./plan/timing.ts";
import { Progress } from "./train/progress.ts";
import { datasetOptionsOf } from "./train/settings.ts";
import { settle } from "./train/settle.ts";

function pictureCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("Expected a whole number of pictures from 1 on.");
}

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides([...Deno.args]);
  const command = new Command("plan")
    .description("Says what a run will need before it is started.")
    .argument("<config>", "YAML file, configs/small.yaml for instance")
    .option(
      "--pictures <n>",
      "number of pictures, each of data.max_pixels, instead of a look at the data set",
      pictureCount,
    )
    .option("--no-time", "leave out the time, which is measured")
    .option("--json", "one object instead of words")
    .addHelpText("after", "\nAny key of the configuration: --data.batch_size 32, --data.path DIR")
    .parse(rest, { from: "user" });
  const [file] = command.args;
  const { pictures: given, time: timed, json } = command.opts<{
    pictures?: number;
    time: boolean;
    json?: boolean;
  }>();
  const text = new TextDecoder().decode(await readFile(file));
  let config = parseConfig(text, { file, overrides });
  const progress = new Progress();
  await ensureAdapter();
  const gpu = await openGpu({ limits: config.device.limits });

  let [pictures, largestPixels] = [given ?? 0, config.data.max_pixels];
  if (given === undefined) {
    const dataset = await openDataset({ ...datasetOptionsOf(config) });
    pictures = dataset.length;
    largestPixels = dataset.largestPixels;
    dataset.close?.();
  }
  const sizes = { largestPixels };
  const dataset = { length: pictures, largestPixels };
  config = await settle({ config, given: givenValues(text, { overrides }) }, {
    gpu,
    dataset,
    progress,
  });
  const plan = await checkFits(gpu, config, sizes);
  const time = timed
    ? await stepTime(gpu, config, sizes, (what) => progress.show(what, true))
    : undefined;
  progress.end();
  const smaller = await remedies(gpu, config, sizes, plan, memoryLimit(gpu, config).bytes);
  const planned = { config, pictures, largestPixels, plan, time, remedies: smaller };
  console.log(
    json ? JSON.stringify(planObject(gpu, planned), null, 2) : planLines(gpu, planned).join("\n"),
  );
}

try {
  await main();
  Deno.exit(0);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
