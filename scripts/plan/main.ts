/**
 * What a run will need: `deno task plan CONFIG [--budget TIME] [--pictures N] [--no-time] [--json]
 * [--ranks 8,64 --bandwidth 10gbit --latency 50us [--batch-per-rank N] [--step-time 160ms]] [--section.key value …]`.
 *
 * @module
 */
import { type Config, parseOverrides } from "../../lib/config.ts";
import { openDevice } from "../../lib/adapter.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { openDataset } from "../../lib/data/open.ts";
import { parseDuration } from "../../lib/preset.ts";
import { BudgetError } from "../../lib/preset/length.ts";
import { readConfig } from "../../lib/io/config_file.ts";
import { LIMITS, positive, upTo } from "../common/numbers.ts";
import { gpuElsewhere } from "../../lib/plan/elsewhere.ts";
import { faster } from "../../lib/plan/faster.ts";
import { activationBytes, planStep } from "../../lib/plan/step.ts";
import { checkFits, memoryLimit } from "../../lib/plan/fit.ts";
import { remedies } from "../../lib/plan/remedies.ts";
import { planRanks, rankList, type RankOptions, rankQuestion, shareOf } from "./ranks.ts";
import { planLines, planObject } from "./report.ts";
import { stepTime } from "../../lib/plan/timing.ts";
import { commandArgs, ownConfig } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import { Progress } from "../common/progress.ts";
import { datasetOptionsOf, gpuOptionsOf } from "../../lib/from_config.ts";
import { resolveConfig } from "../common/resolve.ts";

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides(commandArgs());
  const command = newCommand("plan")
    .description("Says what a run will need before it is started.")
    .argument("<config>", `YAML file, ${ownConfig("small")} for instance`)
    .option(
      "--pictures <n>",
      "number of pictures, each of data.max_pixels, instead of a look at the data set",
      upTo(LIMITS.pictures),
    )
    .option("--budget <time>", "what fits into this time, as training would choose it: 20m, 2h")
    .option("--no-time", "leave out the time, which is measured")
    .option("--ranks <list>", "the same on so many ranks, as a model tells: 8, or 8,64", rankList)
    .option("--bandwidth <list>", "what a rank's network carries each way: 10gbit, or 1.25GB/s")
    .option("--latency <time>", "of a message from one rank to another: 50us")
    .option("--batch-per-rank <n>", "pictures of a rank, instead of its share of a batch", positive)
    .option("--step-time <time>", "of a rank's own work, instead of measuring it here: 160ms")
    .option("--json", "one object instead of words")
    .addHelpText("after", "\nAny key of the configuration: --data.batch_size 32, --data.path DIR")
    .parse(rest, { from: "user" });
  const [file] = command.args;
  const options = command.opts<
    { pictures?: number; time: boolean; json?: boolean; budget?: string } & RankOptions
  >();
  const { pictures: given, time: timed, json, budget } = options;
  const question = rankQuestion(options);
  const seconds = budget === undefined ? undefined : parseDuration(budget);
  if (seconds !== undefined && !timed) {
    throw new HatchlingError("Expected --budget or --no-time but found both: time is measured");
  }
  if (question && seconds !== undefined) {
    throw new HatchlingError(
      "Expected --budget or --ranks but found both: a budget is kept by what is measured, and ranks are told by a model",
    );
  }
  if (question && !timed && question.seconds === undefined) {
    throw new HatchlingError(
      "Expected --step-time with --ranks and --no-time but found none: --step-time 160ms, of a rank's own work",
    );
  }
  const onWarning = (line: string) => say(`warning: ${line}`);
  const read = await readConfig(file, { overrides, onWarning });
  const progress = new Progress();
  const here = await openDevice(gpuOptionsOf(read.config));
  // A time that is given is that of another GPU.
  const gpu = question?.seconds === undefined ? here : gpuElsewhere(here);

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
  // Of ranks all that follows is told of one of them.
  const own = question ? shareOf(config, question.ranks[0], question.batchPerRank) : config;
  const plan = await checkFits(gpu, own, sizes);
  const measure = (of: Config) => stepTime(gpu, of, sizes, (what) => progress.show(what, true));
  const measures = timed && question?.seconds === undefined;
  const time = known ?? (measures ? await measure(own) : undefined);
  const ranks = question && await planRanks(gpu, config, {
    question,
    sizes,
    own: async (share) => ({
      seconds: question.seconds ??
        (share.data.batch_size === own.data.batch_size ? time! : await measure(share)).seconds,
      flops: (await planStep(gpu, share, sizes)).flops,
    }),
  });
  progress.end();
  const planned = {
    ...{ config: own, choices, pictures, largestPixels, plan, time, budget: seconds, ranks },
    remedies: await remedies(gpu, own, sizes, plan, memoryLimit(gpu, config).bytes),
    activations: await activationBytes(gpu, own, sizes),
    faster: await faster(gpu, own, sizes, plan),
  };
  print(
    json ? JSON.stringify(planObject(gpu, planned), null, 2) : planLines(gpu, planned).join("\n"),
  );
}

await runCommand(main);
