/**
 * Which kernels a run uses: chosen once per machine, recorded in the run, and kept when it goes on.
 *
 * @module
 */
import { join } from "node:path";
import type { LatestCheckpoint } from "../../lib/io/checkpoint.ts";
import { type Gpu, tune } from "../../lib/gpu/mod.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { kernelContests } from "../../lib/ops/mod.ts";
import { kernelStorage } from "../kernel_storage.ts";
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
 * Sets the GPU's choices: those of the checkpoint, or what is kept for this machine, or what wins now. Writes
 * them to kernels.json in the run's folder.
 */
export async function chooseKernels(
  gpu: Gpu,
  folder: string,
  { checkpoint, measure, progress }: {
    checkpoint?: LatestCheckpoint;
    measure: boolean;
    progress: Progress;
  },
): Promise<KernelRecord> {
  const before = checkpoint?.state.extra?.kernels as KernelRecord | undefined;
  const { choices, faults } = await tune(gpu, kernelContests(gpu), {
    storage: measure && !before ? await kernelStorage() : undefined,
    onProgress: (done, total) => progress.show(`choosing kernels: ${done} of ${total}`, !done),
  });
  progress.end();
  for (const fault of faults) console.error(`warning: ${fault}; this kernel is left out`);
  const record: KernelRecord = {
    adapter: gpu.info.description,
    deno: Deno.version.deno,
    subgroups: gpu.subgroupSize,
    choices: before?.choices ?? Object.fromEntries(choices),
  };
  if (before && (before.adapter !== record.adapter || before.subgroups !== record.subgroups)) {
    console.error(
      `warning: this run began on ${before.adapter} and goes on with ${record.adapter}: the same bits are ` +
        "not to be expected",
    );
  }
  gpu.choices = new Map(Object.entries(record.choices));
  const text = JSON.stringify(record, null, 2) + "\n";
  await writeFileAtomic(join(folder, "kernels.json"), new TextEncoder().encode(text));
  return record;
}
