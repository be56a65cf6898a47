/** What the plans of configurations compile, on adapters of all kinds: nothing computes, so no adapter is needed. */
import type { Config } from "../../lib/config.ts";
import { type Gpu, record } from "../../lib/gpu.ts";
import { DryGpu } from "../../lib/gpu/dry.ts";
import { type Compiled, watchCompiled } from "../../lib/gpu/kernel.ts";
import { tuningTasks } from "../../lib/ops/tuning_tasks.ts";
import { evaluationBytes } from "../../lib/plan/evaluation.ts";
import { planStep } from "../../lib/plan/step.ts";

/** A kind of adapter. */
export interface Profile {
  /** What it is, for messages. */
  name: string;
  /** It stands for this GPU: limits, features, who plays it, and its choices of kernels. */
  gpu: Gpu;
}

/** WebGPU's default limits, as far as kernels look at them. */
const PORTABLE = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65535,
  minStorageBufferOffsetAlignment: 256,
  minUniformBufferOffsetAlignment: 256,
  maxUniformBufferBindingSize: 65536,
};
const LARGE = {
  ...PORTABLE,
  maxBufferSize: 2 ** 40,
  maxStorageBufferBindingSize: 2 ** 31 - 4,
  maxComputeWorkgroupStorageSize: 49152,
  maxComputeInvocationsPerWorkgroup: 1024,
};

function standIn(software: boolean, subgroup: number, limits: typeof PORTABLE): Gpu {
  const features = new Set(["shader-f16", ...(subgroup ? ["subgroups"] : [])]);
  const info = {
    isFallbackAdapter: software,
    subgroupMinSize: subgroup,
    subgroupMaxSize: subgroup,
    ...{ vendor: "", architecture: "", device: "", description: "a stand-in" },
  };
  const gpu = {
    device: { limits, features },
    info,
    choices: new Map(),
    struck: new Set(),
    lanes: undefined,
  };
  return new DryGpu(gpu as unknown as Gpu);
}

/** Software adapters and GPUs, with subgroups and without. */
export function profiles(): Profile[] {
  return [
    { name: "software, subgroups of 8", gpu: standIn(true, 8, LARGE) },
    { name: "software, portable", gpu: standIn(true, 0, PORTABLE) },
    { name: "GPU, portable", gpu: standIn(false, 0, PORTABLE) },
    { name: "GPU, subgroups of 32", gpu: standIn(false, 32, LARGE) },
  ];
}

/** The same adapter with every candidate of every kind of work once. */
export function choicesOf({ name, gpu }: Profile): Profile[] {
  const tasks = tuningTasks(gpu);
  const most = Math.max(...tasks.map(({ candidates }) => candidates.length));
  return Array.from({ length: most }, (_, i) => {
    const chosen = new DryGpu(gpu);
    chosen.choices = new Map(tasks.map((t) => [t.name, t.candidates[i % t.candidates.length]]));
    return { name: `${name}, choice ${i}`, gpu: chosen };
  });
}

/** Different kernels, told by text and constants, with where they were first seen. */
export class CompiledKernels {
  /** What was compiled, by a key that tells it apart. */
  readonly all: Map<string, Compiled & { where: string }> = new Map();

  /** Runs `fn` and takes in what it compiles. */
  async of(where: string, fn: () => unknown): Promise<void> {
    watchCompiled((compiled) => {
      const { source: { name }, code, constants } = compiled;
      const key = JSON.stringify([name, code, Object.entries(constants).sort()]);
      if (!this.all.has(key)) this.all.set(key, { ...compiled, where });
    });
    try {
      await fn();
    } finally {
      watchCompiled(undefined);
    }
  }

  /** Takes in the step and the evaluation of a configuration. */
  async ofPlan(where: string, gpu: Gpu, config: Config): Promise<void> {
    const sizes = { largestPixels: 1024 };
    await this.of(where, async () => {
      await planStep(gpu, config, sizes);
      await evaluationBytes(gpu, config, sizes.largestPixels);
    });
  }

  /** Takes in what ops dispatch. */
  async ofOps(where: string, gpu: Gpu, ops: (gpu: Gpu) => void): Promise<void> {
    const dry = new DryGpu(gpu);
    await this.of(where, () => record(dry, () => ops(dry)));
  }

  /** Takes in all candidates that are tried before a choice, and what they are compared with. */
  async ofTuning({ name, gpu }: Profile): Promise<void> {
    await this.ofOps(`tuning on ${name}`, gpu, (gpu) => {
      for (const task of tuningTasks(gpu)) {
        const work = task.prepare();
        for (const candidate of task.candidates) work.run(candidate);
        work.reference();
      }
    });
  }
}
