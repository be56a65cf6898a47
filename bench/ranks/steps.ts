/**
 * Training steps of one rank, or of each of those that mpirun started, as `deno task train` runs them but for pictures
 * and files: `steps.ts CONFIG [--steps 10] [--section.key value …]`. Rank 0 prints a line of JSON.
 *
 * @module
 */
import { Command } from "commander";
import { openDevice } from "../../lib/adapter.ts";
import { openComm } from "../../lib/comm.ts";
import { parseOverrides } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import {
  feedOptionsOf,
  gpuOptionsOf,
  modelOf,
  ranksOf,
  scheduleOf,
  trainerOptionsOf,
} from "../../lib/from_config.ts";
import { readConfig } from "../../lib/io/config_file.ts";
import { initialize } from "../../lib/model.ts";
import { noise } from "../../lib/plan/noise.ts";
import { recordStep, Trainer } from "../../lib/train.ts";
import { Feed } from "../../lib/train/feed.ts";
import { positive } from "../../scripts/common/numbers.ts";
import { print, runCommand } from "../../scripts/common/terminal.ts";
import type { Steps } from "../ranks.ts";

/** Pixels of a picture of noise: those of configs/small.yaml. */
const SIZES = { largestPixels: 1024 };
/** Steps before those that count: they compile, and learn how long kernels last. */
const WARM = 3;

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides([...Deno.args]);
  const command = new Command("steps").argument("<config>")
    .option("--steps <n>", "steps that are timed together", positive, 10)
    .parse(rest, { from: "user" });
  const { steps } = command.opts<{ steps: number }>();
  const { config } = await readConfig(command.args[0], { overrides });
  const comm = await openComm();
  const share = config.data.batch_size / comm.size;
  if (!Number.isInteger(share)) {
    throw new HatchlingError(
      `data.batch_size: expected a multiple of the ${comm.size} ranks but found ${config.data.batch_size}`,
    );
  }
  const ranks = ranksOf(config, comm);
  const gpu = await openDevice(gpuOptionsOf(config));
  const own = { ...config, data: { ...config.data, batch_size: share } };
  const model = modelOf(config);
  using trainer = new Trainer(gpu, model, { ...trainerOptionsOf(config, gpu), ranks });
  trainer.load(initialize(model.specs(), config.training.seed));
  using feed = new Feed(gpu, noise(own, SIZES), feedOptionsOf(config));
  using recorded = await recordStep(gpu, trainer, feed);
  const schedule = scheduleOf(config, 100);
  const run = async (from: number, to: number) => {
    for (let step = from; step < to; step++) await recorded.run(schedule(step));
    await gpu.idle();
  };
  await run(0, WARM);
  await comm.barrier();
  ranks.takeTimes();
  const start = performance.now();
  await run(WARM, WARM + steps);
  await comm.barrier();
  const ms = (performance.now() - start) / steps;
  const pictures = config.data.batch_size * config.training.gradient_accumulation_steps;
  const found: Steps = {
    adapter: gpu.info.description,
    ranks: comm.size,
    ms,
    picturesPerSecond: 1000 * pictures / ms,
    times: ranks.takeTimes(),
  };
  if (comm.rank === 0) print(JSON.stringify(found));
  await comm.close();
}

await runCommand(main);
