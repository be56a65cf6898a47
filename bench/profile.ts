/**
 * Where a step's time goes, by kernel and by timestamp, and what JavaScript adds.
 *
 * @module
 */
import { HatchlingError } from "../lib/errors.ts";
import type { Gpu } from "../lib/gpu.ts";
import { STEPS } from "./cases.ts";
import type { StepJobShape } from "./jobs.ts";
import type { Limits } from "./limits.ts";
import { prepareStep } from "./ours.ts";
import { digits, percent, table } from "./report.ts";
import { median } from "./timing.ts";

/** Steps over which JavaScript's time is taken. */
const STEPS_OF_JAVASCRIPT = 50;

/** One kernel of a step. */
export interface KernelProfile {
  /** Its name. */
  name: string;
  /** Dispatches per step. */
  dispatches: number;
  /** Milliseconds per step. */
  ms: number;
  /** Part of the step's time on the GPU. */
  share: number;
  /** 10⁹ operations per second. */
  gflops: number;
  /** 10⁹ bytes per second, of what is bound. */
  gbs: number;
  /** The time that the nearer of both limits would allow, over the time that it took. */
  ofLimit: number;
}

/** The kernels of a step, the slowest first. */
export async function profileStep(
  gpu: Gpu,
  shape: StepJobShape,
  limits: Limits,
  repeats: number,
): Promise<KernelProfile[]> {
  if (!gpu.device.features.has("timestamp-query")) {
    throw new HatchlingError(
      "Expected an adapter with timestamp-query for a profile but found none: leave out " +
        "--device.limits portable, or use another adapter",
    );
  }
  const { program, once, destroy } = await prepareStep(gpu, { op: "step", ...shape }, 0);
  try {
    once();
    const runs: Map<string, number>[] = [];
    for (let i = 0; i < repeats; i++) {
      runs.push(new Map((await program.profile()).map(({ name, ms }) => [name, ms])));
    }
    const rows = program.costs().map(({ name, dispatches, flops, bytes }) => {
      const ms = median(runs.map((run) => run.get(name)!));
      const least = Math.max(flops / limits.gflops, bytes / limits.gbs) / 1e6;
      const [gflops, gbs] = [flops / ms / 1e6, bytes / ms / 1e6];
      return { name, dispatches, ms, share: 0, gflops, gbs, ofLimit: least / ms };
    });
    const total = rows.reduce((sum, { ms }) => sum + ms, 0);
    for (const row of rows) row.share = row.ms / total;
    return rows.sort((a, b) => b.ms - a.ms);
  } finally {
    destroy();
  }
}

/** The profile as a table. */
export function profileText(name: string, rows: readonly KernelProfile[]): string {
  const total = rows.reduce((sum, { ms }) => sum + ms, 0);
  const head = ["kernel", "dispatches", "ms", "share", "GFLOP/s", "GB/s", "of limit"];
  const body = rows.map((row) => [
    row.name,
    `${row.dispatches}`,
    digits(row.ms),
    percent(row.share),
    digits(row.gflops),
    digits(row.gbs),
    percent(row.ofLimit),
  ]);
  return `## Profile of ${name}: ${digits(total)} ms on the adapter\n${table(head, body)}`;
}

/** What a step costs besides the adapter's work. */
export interface HostCost {
  /** Dispatches of a step. */
  dispatches: number;
  /** Mean milliseconds of JavaScript for a step: its scalars, one encoder, one submit. */
  ms: number;
}

/**
 * JavaScript's part of a step of the smallest size. Every step starts on an idle adapter: a submit may
 * wait for the one before it, which is not JavaScript's time.
 */
export async function hostCost(gpu: Gpu): Promise<HostCost> {
  const { program, once, destroy } = await prepareStep(gpu, { op: "step", ...STEPS.smoke }, 0);
  once(); // the first one pays for what is made lazily
  await gpu.idle();
  let ms = 0;
  for (let i = 0; i < STEPS_OF_JAVASCRIPT; i++) {
    const start = performance.now();
    once();
    ms += performance.now() - start;
    await gpu.idle();
  }
  destroy();
  return { dispatches: program.length, ms: ms / STEPS_OF_JAVASCRIPT };
}
