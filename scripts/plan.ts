/**
 * What a run will need: `deno task plan CONFIG [--pictures N] [--no-time] [--json] [--section.key value …]`.
 *
 * @module
 */
import { Command } from "commander";
import { givenValues, parseConfig, parseOverrides } from "../lib/config.ts";
import { HatchlingError } from "../lib/errors.ts";
import { ensureAdapter } from "../lib/gpu/bootstrap.ts";
import { openGpu } from "../lib/gpu/mod.ts";
import { openDataset } from "../lib/data/open.ts";
import { readFile } from "../lib/io/files.ts";
import { bytesText, checkFits, memoryLimit, remedies } from "./train/plan.ts";
import { clock, Progress } from "./train/progress.ts";
import { datasetOptionsOf } from "./train/settings.ts";
import { settle } from "./train/settle.ts";
import { secondsPerStep } from "./train/timing.ts";

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides([...Deno.args]);
  const command = new Command("plan")
    .description("Says what a run will need before it is started.")
    .argument("<config>", "YAML file, configs/small.yaml for instance")
    .option("--pictures <n>", "number of pictures, instead of looking at the data set", Number)
    .option("--no-time", "leave out the time, which is measured")
    .option("--json", "one object instead of words")
    .addHelpText("after", "\nAny key of the configuration: --data.batch_size 32, --data.path DIR")
    .parse(rest, { from: "user" });
  const [file] = command.args;
  const { pictures: given, time, json } = command.opts<{
    pictures?: number;
    time: boolean;
    json?: boolean;
  }>();
  if (given !== undefined && !(Number.isInteger(given) && given > 0)) {
    throw new HatchlingError("Expected a whole number of pictures after --pictures");
  }
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
  const { batch_size: batch } = config.data;
  const { gradient_accumulation_steps: micros, num_epochs: epochs, max_steps } = config.training;
  const stepsPerEpoch = Math.floor(pictures / (batch * micros));
  const steps = Math.min(epochs * stepsPerEpoch, max_steps ?? Infinity);
  const seconds = time
    ? await secondsPerStep(gpu, config, sizes, (what) => progress.show(what, true))
    : undefined;
  progress.end();
  const limit = memoryLimit(gpu, config);
  const binding = gpu.limits.maxStorageBufferBindingSize;
  if (json) {
    const found = {
      adapter: gpu.info.description,
      pictures,
      batch_size: batch,
      gradient_accumulation_steps: micros,
      steps_per_epoch: stepsPerEpoch,
      steps,
      ...plan,
      memory_limit: Number.isFinite(limit.bytes) ? limit.bytes : null,
      binding_limit: binding,
      seconds_per_step: seconds ?? null,
      seconds_per_epoch: seconds === undefined ? null : seconds * stepsPerEpoch,
    };
    return console.log(JSON.stringify(found, null, 2));
  }
  const million = (n: number) => `${(n / 1e6).toFixed(2)} M`;
  const line = (name: string, words: string) => console.log(name.padEnd(16) + words);
  line("adapter", gpu.info.description);
  line(
    "model",
    `${million(plan.parameters.backbone)} parameters of the backbone, ` +
      `${million(plan.parameters.head)} of the head`,
  );
  line(
    "pictures",
    `${pictures}, of ${largestPixels} pixels at most; ${stepsPerEpoch} steps an epoch, ${steps} in all`,
  );
  line(
    "a step",
    `${batch * micros} pictures${micros > 1 ? ` in ${micros} batches` : ""}: ` +
      `${(plan.flops / 1e9).toFixed(1)} GFLOP, ${plan.dispatches} dispatches`,
  );
  line(
    "on the GPU",
    Number.isFinite(limit.bytes)
      ? `${bytesText(plan.total)} of ${bytesText(limit.bytes)} (${limit.why})`
      : `${bytesText(plan.total)}; ${limit.why}`,
  );
  for (const { what, bytes } of plan.bytes) line("", `${bytesText(bytes).padStart(10)}  ${what}`);
  line(
    "largest buffer",
    `${bytesText(plan.largest.bytes)} (${plan.largest.what}), of ${bytesText(binding)} that ` +
      "the adapter binds at once",
  );
  line("a checkpoint", bytesText(plan.checkpoint));
  if (seconds !== undefined) {
    line(
      "time",
      `${seconds.toPrecision(3)} s a step (${(plan.flops / seconds / 1e9).toFixed(1)} GFLOP/s), ` +
        `${clock(seconds * stepsPerEpoch)} an epoch, ${
          clock(seconds * steps)
        } in all, without evaluation`,
    );
  }
  console.log("what makes it smaller, each by itself");
  for (const { change, total } of await remedies(gpu, config, sizes)) {
    if (total !== undefined && total < plan.total) {
      line("", `${bytesText(total).padStart(10)}  ${change}`);
    }
  }
}

try {
  await main();
  Deno.exit(0);
} catch (error) {
  if (!(error instanceof HatchlingError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(1);
}
