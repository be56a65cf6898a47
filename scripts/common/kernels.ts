/**
 * Which kernels a run uses: chosen once per machine, recorded in the run, and kept when it goes on.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { autotune, type Gpu, type TuningTask } from "../../lib/gpu.ts";
import { precisionOf } from "../../lib/from_config.ts";
import { tuningTasks } from "../../lib/ops.ts";
import { PRECISION } from "../../lib/ops/precision_task.ts";
import { kernelStorage } from "./kernel_storage.ts";
import type { Progress } from "./progress.ts";

/** What a run records of its kernels: equal records on one adapter give equal bits. */
export interface KernelRecord {
  /** The adapter's name. */
  adapter: string;
  /** Deno's version. */
  deno: string;
  /** Least subgroup size, 0 without subgroups. */
  subgroups: number;
  /** A kernel for each kind of work. */
  choices: Record<string, string>;
}

/**
 * Sets the GPU's choices: those of before, or what is kept for this machine, or what wins now; and what
 * activations are stored as. They belong in kernels.json of the run's folder.
 *
 * @param before What the checkpoint that a run goes on from was made with, or what rank 0 computes with.
 * @throws {HatchlingError} When f16 is asked for where there are no halves.
 */
export async function chooseKernels(
  gpu: Gpu,
  { before, config, progress }: {
    before?: KernelRecord;
    config: Config;
    progress: Progress;
  },
): Promise<KernelRecord> {
  const tasks = tuningTasks(gpu);
  const { choices, faults } = await autotune(gpu, tasks, {
    storage: config.device.tune && !before && !gpu.isSoftware ? await kernelStorage() : undefined,
    onProgress: (done, total) => progress.show(`choosing kernels: ${done} of ${total}`, !done),
  });
  progress.end();
  for (const fault of faults) progress.say(`warning: ${fault}`);
  const record: KernelRecord = {
    adapter: gpu.info.description,
    deno: Deno.version.deno,
    subgroups: gpu.subgroupSize,
    choices: Object.fromEntries(choices),
  };
  if (before) keepChoices(record, before, tasks, progress);
  gpu.choices = new Map(Object.entries(record.choices));
  const precision = precisionOf(config, gpu);
  if (before && precision !== (before.choices?.[PRECISION] ?? "f32")) {
    progress.say(
      `warning: the run goes on with activations of ${precision}, which it had of ${
        before.choices?.[PRECISION] ?? "f32"
      }: weights and moments are f32 in both, but the same bits are not to be expected`,
    );
  }
  // Like any other choice: what goes on by `auto` keeps what was asked for.
  record.choices[PRECISION] = precision;
  gpu.choices = new Map(Object.entries(record.choices));
  return record;
}

/** Goes on with the choices of before, and says what cannot be the same any more. */
function keepChoices(
  record: KernelRecord,
  before: KernelRecord,
  tasks: readonly TuningTask[],
  progress: Progress,
) {
  const changed = (["adapter", "deno", "subgroups"] as const)
    .filter((key) => record[key] !== before[key])
    .map((key) => `${key} ${before[key]} is now ${record[key]}`);
  for (const { name, candidates } of tasks) {
    const chosen = before.choices?.[name] ?? (name === PRECISION ? "f32" : "");
    if (candidates.includes(chosen)) record.choices[name] = chosen;
    else changed.push(`${name} was made by ${chosen}, which is not there`);
  }
  if (!changed.length) return;
  progress.say(
    `warning: the same bits as without the stop are not to be expected: ${changed.join("; ")}`,
  );
}
