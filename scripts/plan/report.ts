/**
 * A plan as a table, and as an object.
 *
 * @module
 */
import { type Choice, durationText } from "../../lib/preset.ts";
import { evaluationShare } from "../../lib/preset/cost.ts";
import { needsOf, stepsOf, stepsWithin } from "../../lib/preset/length.ts";
import { clock, count, many } from "../../lib/words.ts";
import type { Config } from "../../lib/config.ts";
import type { Gpu } from "../../lib/gpu.ts";
import type { Faster } from "../../lib/plan/faster.ts";
import { memoryLimit } from "../../lib/plan/fit.ts";
import { evaluationPeak, type Remedy, withBatch } from "../../lib/plan/remedies.ts";
import type { PictureSizes } from "../../lib/plan/noise.ts";
import type { StepPlan } from "../../lib/plan/step.ts";
import type { StepTime } from "../../lib/plan/timing.ts";
import { bytesText, tensorText } from "../../lib/plan/words.ts";
import { rankLines, type RankPlan } from "./ranks.ts";

/** What is reported. */
export interface Planned extends PictureSizes {
  /** The configuration, its batch resolved: of one rank, where several are asked about. */
  config: Config;
  /** Number of pictures. */
  pictures: number;
  /** What it needs. */
  plan: StepPlan;
  /** How long it takes, where that was measured. */
  time?: StepTime;
  /** What would make it smaller. */
  remedies: readonly Remedy[];
  /** What would make it faster. */
  faster: readonly Faster[];
  /** Bytes of activations until the backward pass, by what they are stored as. */
  activations: { f32: number; f16?: number };
  /** What was chosen for it. */
  choices: readonly Choice[];
  /** Seconds that there are. */
  budget?: number;
  /** Several ranks, where they are asked about. */
  ranks?: RankPlan;
}

/** Steps of a run; of the first number of ranks, where several are asked about. */
function runSteps({ config, pictures, ranks }: Planned) {
  const of = ranks?.rows[0].ranks ?? 1;
  return { of, ...stepsOf(withBatch(config, of * config.data.batch_size), pictures) };
}

/** Steps that the budget has room for, where there is one: as it is, or so many times as fast. */
function stepsInBudget({ config, pictures, budget, time }: Planned, times = 1) {
  if (budget === undefined || !time) return undefined;
  return stepsWithin(budget, {
    secondsPerStep: time.seconds / times,
    stepsPerEpoch: stepsOf(config, pictures).perEpoch,
    evaluation: evaluationShare(config, pictures),
  });
}

/** For other programs. Bytes, seconds, FLOPs; what is unknown or without limit is null. */
export function planObject(gpu: Gpu, planned: Planned): Record<string, unknown> {
  const { config, pictures, largestPixels, plan, time, ranks } = planned;
  const { perEpoch, all } = runSteps(planned);
  const alone = ranks ? undefined : time; // others are waited for, too
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
    activations: { ...plan.activations, ...planned.activations },
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
    seconds_per_epoch: alone ? alone.seconds * perEpoch : null,
    seconds: alone ? alone.seconds * all : null,
    chosen: planned.choices,
    budget: planned.budget === undefined
      ? null
      : { seconds: planned.budget, steps: stepsInBudget(planned) },
    ranks: ranks ?? null,
    remedies: planned.remedies,
    faster: planned.faster.map((one) => ({ ...one, steps: stepsInBudget(planned, one.times) })),
  };
}

/** For people: lines of a name and what it is. */
export function planLines(gpu: Gpu, planned: Planned): string[] {
  const { config, pictures, largestPixels, plan, time } = planned;
  const { ranks } = planned, { of, perEpoch, all } = runSteps(planned);
  const { gradient_accumulation_steps: micros } = config.training;
  const perStep = config.data.batch_size * micros;
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
    `${pictures}, of ${largestPixels} pixels at most: ${many(perEpoch, "step")} an epoch, ${
      count(all)
    } in all` +
      (ranks ? `, with ${many(of, "rank")}; what follows is of one` : ""),
  );
  line(
    "a step",
    `${many(perStep, "picture")}${micros > 1 ? ` in ${micros} batches` : ""}: ` +
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
  const { f32, f16 } = planned.activations;
  line(
    "activations",
    `stored as ${plan.activations.precision} until the backward pass: ${bytesText(f32)} as f32, ` +
      (f16 === undefined ? "which is all that there is here" : `${bytesText(f16)} as f16`),
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
      `${time.seconds.toPrecision(3)} s a step, ` + (ranks
        ? "of one rank by itself"
        : `${clock(time.seconds * perEpoch)} an epoch, ${clock(time.seconds * all)} in all`) +
        ", without compiling, waiting for pictures and evaluation",
    );
    line(
      "",
      `${(plan.flops / time.seconds / 1e9).toFixed(1)} GFLOP/s: blocks ${percent(time.blocks)}, ` +
        `embedding, head and loss ${percent(time.rest)}, views ${percent(time.views)}, ` +
        `update ${percent(time.update)}`,
    );
    if (time.longestSubmitMs !== null) {
      line(
        "",
        `longest submission ${
          time.longestSubmitMs.toFixed(0)
        } ms, aim ${config.device.max_submit_ms} ms`,
      );
    }
    if (time.measuredWith < config.data.batch_size) {
      line("", `measured with ${time.measuredWith} of ${config.data.batch_size} pictures`);
    }
  }
  const room = stepsInBudget(planned);
  if (room !== undefined) {
    const { fewest } = needsOf(config), within = durationText(planned.budget!);
    const little = room < fewest ? `; features need about ${fewest} at least` : "";
    line("budget", `${within} has room for ${room} such steps and the evaluation${little}`);
  }
  const { remedies } = planned;
  if (remedies.length) line("smaller by", "each change by itself");
  for (const { change, helps, saves } of remedies) {
    row(saves, `${change}${helps === "evaluation" ? ", while it evaluates" : ""}`);
  }
  if (ranks) lines.push(...rankLines(ranks));
  if (planned.faster.length) {
    line("faster by", "each change by itself, by floating-point operations");
  }
  for (const { change, times } of planned.faster) {
    const steps = stepsInBudget(planned, times);
    line(
      "",
      `${times.toFixed(1).padStart(8)} ×  ${change}` +
        (steps === undefined ? "" : `: ${steps} steps in the budget`),
    );
  }
  return lines;
}
