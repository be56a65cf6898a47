/**
 * A plan as a table, and as an object.
 *
 * @module
 */
import { clock } from "../../lib/words.ts";
import type { Config } from "../../lib/config.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { memoryLimit } from "../../lib/plan/fit.ts";
import { evaluationPeak, type Remedy } from "../../lib/plan/remedies.ts";
import type { PictureSizes } from "../../lib/plan/noise.ts";
import type { StepPlan } from "../../lib/plan/step.ts";
import type { StepTime } from "../../lib/plan/timing.ts";
import { bytesText, tensorText } from "../../lib/plan/words.ts";

/** What is reported. */
export interface Planned extends PictureSizes {
  /** The configuration, its batch resolved. */
  config: Config;
  /** Number of pictures. */
  pictures: number;
  /** What it needs. */
  plan: StepPlan;
  /** How long it takes, where that was measured. */
  time?: StepTime;
  /** What would make it smaller. */
  remedies: readonly Remedy[];
}

/** Steps of an epoch, and of the run. */
function stepsOf({ config: { data, training }, pictures }: Planned) {
  const perStep = data.batch_size * training.gradient_accumulation_steps;
  const perEpoch = Math.floor(pictures / perStep);
  const all = Math.min(training.num_epochs * perEpoch, training.max_steps ?? Infinity);
  return { perStep, perEpoch, all };
}

/** For other programs. Bytes, seconds, FLOPs; what is unknown or without limit is null. */
export function planObject(gpu: Gpu, planned: Planned): Record<string, unknown> {
  const { config, pictures, largestPixels, plan, time } = planned;
  const { perEpoch, all } = stepsOf(planned);
  const { bytes } = memoryLimit(gpu, config);
  const { limits } = gpu;
  return {
    adapter: gpu.info.description,
    pictures,
    largest_pixels: largestPixels,
    batch_size: config.data.batch_size,
    gradient_accumulation_steps: config.training.gradient_accumulation_steps,
    steps_per_epoch: perEpoch,
    steps: all,
    ...plan,
    flops_per_epoch: plan.flops * perEpoch,
    limits: {
      memory: Number.isFinite(bytes) ? bytes : null,
      binding: limits.maxStorageBufferBindingSize,
      buffer: limits.maxBufferSize,
      workgroups: limits.maxComputeWorkgroupsPerDimension,
      bindings: limits.maxStorageBuffersPerShaderStage,
    },
    time: time ?? null,
    seconds_per_step: time?.seconds ?? null,
    seconds_per_epoch: time ? time.seconds * perEpoch : null,
    seconds: time ? time.seconds * all : null,
    remedies: planned.remedies,
  };
}

/** For people: lines of a name and what it is. */
export function planLines(gpu: Gpu, planned: Planned): string[] {
  const { config, pictures, largestPixels, plan, time } = planned;
  const { perStep, perEpoch, all } = stepsOf(planned);
  const { gradient_accumulation_steps: micros } = config.training;
  const { limits } = gpu;
  const limit = memoryLimit(gpu, config);
  const lines: string[] = [];
  const line = (name: string, words: string) => lines.push(name.padEnd(16) + words);
  const row = (bytes: number, words: string) =>
    line("", `${bytesText(bytes).padStart(10)}  ${words}`);
  const million = (n: number) => `${(n / 1e6).toFixed(2)} M`;
  const { backbone, head } = plan.parameters;

  line("adapter", gpu.info.description);
  line("model", `${million(backbone)} parameters of the backbone, ${million(head)} of the head`);
  line(
    "pictures",
    `${pictures}, of ${largestPixels} pixels at most: ${perEpoch} steps an epoch, ${all} in all`,
  );
  line(
    "a step",
    `${perStep} pictures${micros > 1 ? ` in ${micros} batches` : ""}: ` +
      `${(plan.flops / 1e9).toFixed(1)} GFLOP in ${plan.dispatches} dispatches; ` +
      `${(plan.flops * perEpoch / 1e12).toPrecision(3)} TFLOP an epoch`,
  );
  line(
    "on the GPU",
    Number.isFinite(limit.bytes)
      ? `${bytesText(plan.peak)} at most, of ${bytesText(limit.bytes)} (${limit.why})`
      : `${bytesText(plan.peak)} at most; ${limit.why}`,
  );
  row(plan.total, "training:");
  for (const { what, bytes } of plan.bytes) row(bytes, `  ${what}`);
  const when = config.evaluation.every_n_epochs === null ? "at the end" : "beside training";
  row(
    evaluationPeak(plan),
    `evaluating ${when}: ${bytesText(plan.evaluation.bytes)}, and what stays meanwhile`,
  );
  line(
    "largest tensors",
    `of ${bytesText(limits.maxStorageBufferBindingSize)} that the adapter binds at once, ` +
      `${bytesText(limits.maxBufferSize)} of a buffer`,
  );
  for (const tensor of plan.largest) row(tensor.bytes, tensorText(tensor, false));
  line(
    "dispatches",
    `${plan.workgroups} workgroups a side at most, of ${limits.maxComputeWorkgroupsPerDimension}; ` +
      `${plan.bindings} buffers, of ${limits.maxStorageBuffersPerShaderStage}`,
  );
  line("a checkpoint", bytesText(plan.checkpoint));
  if (time) {
    const percent = (part: number) => `${Math.round(100 * part / time.seconds)} %`;
    line(
      "time",
      `${time.seconds.toPrecision(3)} s a step, ${clock(time.seconds * perEpoch)} an epoch, ` +
        `${
          clock(time.seconds * all)
        } in all, without compiling, waiting for pictures and evaluation`,
    );
    line(
      "",
      `${(plan.flops / time.seconds / 1e9).toFixed(1)} GFLOP/s: blocks ${percent(time.blocks)}, ` +
        `embedding, head and loss ${percent(time.rest)}, views ${percent(time.views)}, ` +
        `update ${percent(time.update)}`,
    );
    if (time.measuredWith < config.data.batch_size) {
      line("", `measured with ${time.measuredWith} of ${config.data.batch_size} pictures`);
    }
  }
  const { remedies } = planned;
  if (remedies.length) line("smaller by", "each change by itself");
  for (const { change, helps, saves } of remedies) {
    row(saves, `${change}${helps === "evaluation" ? ", while it evaluates" : ""}`);
  }
  return lines;
}
