/**
 * Which kernels a run in the tab uses, recorded as a run in Deno records them.
 *
 * @module
 */
import type { Config } from "../../../lib/config.ts";
import { precisionOf } from "../../../lib/from_config.ts";
import { autotune, type Gpu } from "../../../lib/gpu.ts";
import { tuningTasks } from "../../../lib/ops.ts";
import { PRECISION } from "../../../lib/ops/precision_task.ts";
import type { KernelRecord } from "../../common/kernels.ts";

/**
 * Sets the GPU's choices: those that the run began with, as far as they are to be had here, else the fixed profile.
 * Nothing is measured: a page should not stand still for that.
 *
 * @returns The record, in which the browser stands for Deno's version.
 * @param notes Gets what may keep bits from being the same.
 */
export async function chooseKernels(
  gpu: Gpu,
  config: Config,
  before: Partial<KernelRecord> | undefined,
  notes: string[],
): Promise<KernelRecord> {
  const tasks = tuningTasks(gpu);
  const { choices } = await autotune(gpu, tasks, {});
  const all: Record<string, string> = Object.fromEntries(choices);
  for (const { name, candidates } of tasks) {
    const chosen = before?.choices?.[name];
    if (chosen !== undefined && candidates.includes(chosen)) all[name] = chosen;
  }
  const record: KernelRecord = {
    adapter: nameOf(gpu),
    deno: browserOf(navigator.userAgent),
    subgroups: gpu.subgroupSize,
    choices: all,
  };
  gpu.choices = new Map(Object.entries(all));
  all[PRECISION] = precisionOf(config, gpu);
  gpu.choices = new Map(Object.entries(all));
  if (before && before.adapter !== record.adapter) {
    notes.push(
      `The run had ${before.adapter}, now it has ${record.adapter}: equal but for the last digits`,
    );
  }
  return record;
}

/** What an adapter is called; browsers often tell little. */
export function nameOf({ info }: Gpu): string {
  return info.description || [info.vendor, info.architecture].filter(Boolean).join(" ") ||
    "a GPU that the browser does not name";
}

/** "Chrome 141". */
function browserOf(agent: string): string {
  const [, name, version] = agent.match(/(Firefox|Edg|Chrome|Version)\/(\d+)/) ?? [];
  return name ? `${name === "Version" ? "Safari" : name} ${version}` : "a browser";
}
