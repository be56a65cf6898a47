/**
 * `deno task bench:drivers`: how long a step of configs/dino-small.yaml takes with the system's driver and with
 * SwiftShader, in turns, each in a process of its own. About a minute on two CPU cores.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import manifest from "../deno.json" with { type: "json" };
import { parseConfig } from "../lib/config.ts";
import { HatchlingError } from "../lib/errors.ts";
import { ensureAdapter } from "../lib/adapter.ts";
import { openGpu } from "../lib/gpu.ts";
import small from "../configs/dino-small.yaml" with { type: "text" };
import { positive } from "../scripts/common/numbers.ts";
import { print, runCommand, say } from "../scripts/common/terminal.ts";
import { modelOf } from "../lib/from_config.ts";
import { transformerOf } from "../lib/model.ts";
import { openOurs } from "./ours.ts";
import { digits } from "./report.ts";
import { compare, median } from "./timing.ts";

/** Values of HATCHLING_ADAPTER. */
const DRIVERS = ["system", "swiftshader"] as const;

/** Each driver's turns. */
const TURNS = 2;

/** What a process finds. */
interface Found {
  adapter: string;
  /** Median milliseconds of a step. */
  ms: number;
}

/** Times steps on the adapter of this process. */
async function measure(steps: number): Promise<Found> {
  await ensureAdapter({ log: say });
  const gpu = await openGpu();
  const config = parseConfig(small, { file: "configs/dino-small.yaml" });
  const { data, augmentation } = config, { backbone, head } = modelOf(config);
  const ours = await openOurs(gpu, manifest.version, { gflops: 1, gbs: 1 });
  const subject = await ours.prepare({
    op: "step",
    batch: data.batch_size,
    vit: transformerOf(backbone, "this bench").config,
    head: head!.config,
    globals: augmentation.n_global_crops,
    locals: augmentation.num_local_views,
    localSize: augmentation.local_crop_size,
  });
  if (!subject) throw new HatchlingError("Expected a step to time but found none");
  await subject.sample(); // compiles
  const [{ ms }] = await compare([subject], steps);
  subject.destroy();
  const adapter = gpu.info.description;
  gpu.destroy();
  return { adapter, ms };
}

/** Has a driver measured by a child. */
async function ask(driver: typeof DRIVERS[number], steps: number): Promise<Found> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", fileURLToPath(import.meta.url), "--child", String(steps)],
    env: { HATCHLING_ADAPTER: driver },
    stderr: "inherit",
    signal: AbortSignal.timeout(300_000),
  }).output();
  if (success) return JSON.parse(new TextDecoder().decode(stdout));
  throw new HatchlingError(
    `Expected a step with HATCHLING_ADAPTER=${driver} but it failed: see above`,
  );
}

async function main(): Promise<void> {
  const { steps, child } = new Command("bench:drivers")
    .description("Times a training step with the system's driver and with SwiftShader.")
    .option("--steps <n>", "steps behind a median", positive, 10)
    .option("--child <n>", "measure in this process", positive)
    .parse(Deno.args, { from: "user" })
    .opts<{ steps: number; child?: number }>();
  if (child !== undefined) return print(JSON.stringify(await measure(child)));
  const times: [number, number][] = [];
  const adapters = new Set<string>();
  for (let turn = 0; turn < TURNS; turn++) {
    const [system, swiftshader] = [await ask("system", steps), await ask("swiftshader", steps)];
    times.push([system.ms, swiftshader.ms]);
    for (const { adapter } of [system, swiftshader]) adapters.add(adapter);
  }
  print(
    `A training step of configs/dino-small.yaml, medians of ${steps} steps in ${TURNS} turns:\n`,
  );
  [...adapters].forEach((adapter, i) => {
    const ms = times.map((pair) => pair[i]);
    print(`${digits(median(ms)).padStart(8)} ms  ${adapter} (${ms.map(digits).join(", ")})`);
  });
  const ratios = times.map(([system, swiftshader]) => swiftshader / system);
  print(`\nSwiftShader takes ${ratios.map(digits).join(" and ")} times as long.`);
}

await runCommand(main);
