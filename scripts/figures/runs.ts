/**
 * The training runs behind the figure of collapses.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { diagnose, parseMetrics } from "../../lib/diagnosis.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { ensureAdapter } from "../../lib/adapter.ts";
import { openGpu } from "../../lib/gpu.ts";
import { readConfig } from "../../lib/io/config_file.ts";
import { say } from "../common/terminal.ts";
import { diagnosisSettingsOf } from "../../lib/from_config.ts";
import type { CollapseData, RunCurves } from "./collapse.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const STEPS = 300;

/** Milliseconds until a run is taken for hanging. */
const LIMIT = 3_600_000;

/** What all runs have; the evaluation at the end is made short, since nobody looks at it. */
const CONFIG = "configs/dino-small.yaml";
const COMMON = `--training.max_steps ${STEPS} --logging.log_every_n_iters 5`;
const SHORT = "--evaluation.max_images 64 --evaluation.view_retrieval false";

const RUNS = [
  { name: "healthy", flags: "" },
  { name: "one peak", flags: "--loss.centering none" },
  { name: "uniform", flags: "--loss.teacher_temp 0.2 --loss.warmup_teacher_temp 0.2" },
];

/** Trains the runs one after the other: some minutes each on two CPU cores. */
export async function trainRuns(): Promise<CollapseData> {
  await ensureAdapter();
  const gpu = await openGpu();
  const adapter = gpu.info.description;
  gpu.destroy();
  const folder = await Deno.makeTempDir({ prefix: "hatchling-figures-" });
  try {
    const runs: RunCurves[] = [];
    let outDim = 0;
    for (const { name, flags } of RUNS) {
      const out = join(folder, name.replace(" ", "-"));
      await train(out, flags);
      const run = await curvesOf(out, name, flags);
      outDim = run.outDim;
      runs.push(run.curves);
    }
    return { adapter, command: `deno task train ${CONFIG} ${COMMON}`, outDim, runs };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function train(out: string, flags: string): Promise<void> {
  const words = [CONFIG, "--out", out, ...`${COMMON} ${SHORT} ${flags}`.trim().split(" ")];
  say(`deno task train ${words.join(" ")}`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "scripts/train.ts", ...words],
    cwd: ROOT,
    stdout: "null",
    stderr: "inherit",
    signal: AbortSignal.timeout(LIMIT),
  }).output();
  if (!success) {
    throw new HatchlingError(`Expected the run to end but it did not: see the lines above`);
  }
}

async function curvesOf(
  folder: string,
  name: string,
  flags: string,
): Promise<{ curves: RunCurves; outDim: number }> {
  const file = join(folder, "config.yaml");
  const { config } = await readConfig(file);
  const { lines } = parseMetrics(await Deno.readTextFile(join(folder, "metrics.jsonl")));
  const column = (key: Exclude<keyof RunCurves, "name" | "flags" | "verdict">) =>
    lines.map((line) => Number(Number(line[key]).toPrecision(4)));
  return {
    outDim: config.model.projection_output_dim,
    curves: {
      name,
      flags: flags.split(" --")[0], // the other flag says the same
      verdict: diagnose(lines, diagnosisSettingsOf(config, { totalSteps: STEPS })).verdict,
      step: column("step"),
      loss: column("loss"),
      teacher_entropy: column("teacher_entropy"),
      teacher_entropy_of_mean: column("teacher_entropy_of_mean"),
      feature_std: column("feature_std"),
      feature_rank: column("feature_rank"),
    },
  };
}
