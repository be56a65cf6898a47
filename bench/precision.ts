/**
 * Training steps with activations of f32 and of f16, in turns: time as a ratio, memory, and what gradients would lose as
 * halves: `deno task bench:precision CONFIG [--weights FILE] [--rounds 9] [--section.key value …]`.
 *
 * Pictures are noise of the configuration's size. Gradients are the f32 tensors that the backward pass of a step of
 * halves makes, of the student's file of weights where one is given; of a half, less than 2⁻²⁴ is nothing, and less
 * than 2⁻¹⁴ has not all of its digits. A loss scale would move them: it can at most make the largest 65,504.
 *
 * @module
 */
import { Command } from "commander";
import { ensureAdapter } from "../lib/adapter.ts";
import { type Config, parseOverrides } from "../lib/config.ts";
import { feedOptionsOf, modelOf, scheduleOf, trainerOptionsOf } from "../lib/from_config.ts";
import { type DType, type Gpu, openGpu, record, type Tensor } from "../lib/gpu.ts";
import { readConfig } from "../lib/io/config_file.ts";
import { readWeights } from "../lib/io/weights.ts";
import { initialize } from "../lib/model.ts";
import { noise } from "../lib/plan/noise.ts";
import { activationBytes } from "../lib/plan/step.ts";
import { bytesText } from "../lib/plan/words.ts";
import { recordStep, Trainer } from "../lib/train.ts";
import { Feed } from "../lib/train/feed.ts";
import { median } from "./timing.ts";

const SIZES = { largestPixels: 1024 };
/** Steps that are timed together. */
const STEPS = 3;

const { overrides, rest } = parseOverrides([...Deno.args]);
const command = new Command("bench:precision")
  .argument("<config>")
  .option("--weights <file>", "the student's, instead of initial ones")
  .option("--rounds <n>", "timed rounds of both", Number, 9)
  .parse(rest, { from: "user" });
const { weights, rounds } = command.opts<{ weights?: string; rounds: number }>();
await ensureAdapter();
const { config } = await readConfig(command.args[0], { overrides });
using gpu = await openGpu();
console.log(gpu.info.description);

/** A trainer of that precision with its recorded step. */
async function stepOf(gpu: Gpu, config: Config, precision: DType) {
  const model = modelOf(config);
  const trainer = new Trainer(gpu, model, { ...trainerOptionsOf(config, gpu), precision });
  const values = initialize(model.specs(), config.training.seed);
  if (weights) {
    const given = await readWeights(weights, model.specs(), { part: "student" });
    for (const [name, data] of given.weights) values.set(name, data);
  }
  trainer.load(values);
  return { trainer, feed: new Feed(gpu, noise(config, SIZES), feedOptionsOf(config)) };
}

async function compare(): Promise<void> {
  const both = await Promise.all((["f32", "f16"] as const).map(async (precision) => {
    const { trainer, feed } = await stepOf(gpu, config, precision);
    const recorded = await recordStep(gpu, trainer, feed);
    const schedule = scheduleOf(config, 100);
    const run = async (steps: number) => {
      const start = performance.now();
      for (let step = 0; step < steps; step++) await recorded.run(schedule(step));
      await gpu.idle();
      return (performance.now() - start) / steps;
    };
    return { trainer, feed, recorded, run };
  }));
  const times: number[][] = [[], []];
  for (const { run } of both) await run(1);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { run }] of both.entries()) times[i].push(await run(STEPS));
  }
  const [full, halves] = times.map(median);
  const ratios = times[0].map((ms, i) => times[1][i] / ms);
  console.log(
    `a step: ${full.toFixed(1)} ms of f32, ${halves.toFixed(1)} ms of f16; f16 / f32 ${
      median(ratios).toFixed(3)
    } (${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)} in ${rounds} rounds)`,
  );
  for (const { trainer, feed, recorded } of both) {
    for (const part of [recorded, feed, trainer]) part.destroy();
  }
}

/** The gradients of activations of one micro-batch, looked at by their size. */
async function gradients(): Promise<void> {
  const { trainer, feed } = await stepOf(gpu, config, "f16");
  const made: Tensor[] = [];
  const empty = gpu.empty.bind(gpu);
  gpu.empty = (...args) => {
    const tensor = empty(...args);
    if (/grad$|^matmul$/.test(args[1] ?? "") && tensor.dtype === "f32") made.push(tensor);
    return tensor;
  };
  trainer.set(scheduleOf(config, 100)(300));
  await feed.microBatch(0, 0);
  const program = await record(gpu, () => {
    trainer.microStep(feed.views(), feed.masks);
    return made;
  });
  Reflect.deleteProperty(gpu, "empty");
  program.run();
  let [count, zeros, gone, short, top] = [0, 0, 0, 0, 0];
  for (const tensor of program.outputs) {
    for (const x of await tensor.read()) {
      const size = Math.abs(x);
      count++;
      if (size === 0) zeros++;
      else if (size < 2 ** -25) gone++;
      else if (size < 2 ** -14) short++;
      top = Math.max(top, size);
    }
  }
  const share = (n: number) => `${(100 * n / (count - zeros)).toFixed(1)} %`;
  console.log(
    `gradients: ${count} numbers, the largest ${top.toPrecision(3)}; as halves ${
      share(gone)
    } of those that are not 0 would be 0, ${share(short)} would lose digits`,
  );
  program.destroy();
}

await compare();
const { f32, f16 } = await activationBytes(gpu, config, SIZES);
console.log(`activations: ${bytesText(f32)} as f32, ${bytesText(f16 ?? f32)} as f16`);
await gradients();
