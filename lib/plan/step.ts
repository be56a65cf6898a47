/**
 * What a run will need, before it takes anything: its step is recorded on a GPU that computes nothing.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { resnetLayers } from "../config/backbones.ts";
import { type DType, type Gpu, type Program, record, sizeOf } from "../gpu.ts";
import type { Storage } from "../gpu/tensor.ts";
import { planMemory } from "../gpu/plan.ts";
import type { DinoModel } from "../model.ts";
import { Trainer } from "../train.ts";
import { StepCanaries } from "../train/canary.ts";
import { Feed } from "../train/feed.ts";
import { feedOptionsOf, modelOf, precisionOf, trainerOptionsOf } from "../from_config.ts";
import { evaluationBytes } from "./evaluation.ts";
import { keptBytes, kindsOfTemporaries } from "./kinds.ts";
import { noise, type PictureSizes } from "./noise.ts";
import { type NamedBytes, WatchedGpu } from "./watched.ts";

/** What a run needs. */
export interface StepPlan {
  /** Numbers of the backbone and of the head of one network. */
  parameters: { backbone: number; head: number };
  /** What activations are stored as, and the bytes of those that live until the backward pass. */
  activations: { precision: DType; bytes: number };
  /** Floating-point operations of a step. */
  flops: number;
  /** Dispatches of a step. */
  dispatches: number;
  /** Bytes on the GPU while it trains, by what they are for, largest first. */
  bytes: NamedBytes[];
  /** All of them together. */
  total: number;
  /** Bytes of an evaluation, and of what stays on the GPU meanwhile. */
  evaluation: { bytes: number; beside: number };
  /** The most that a run takes at any time, evaluations included. */
  peak: number;
  /** The largest tensors that a kernel is given, largest first. */
  largest: NamedBytes[];
  /** Most workgroups along a dimension. */
  workgroups: number;
  /** Most storage buffers of a kernel. */
  bindings: number;
  /** Bytes of a checkpoint. */
  checkpoint: number;
  /** What the adapter refuses, in words; without it the plan holds. */
  refused: string[];
}

/** What the labels of allocations stand for; slots come by themselves, all others are small tables. */
const KINDS: [RegExp, string][] = [
  [/^gradients/, "gradients"],
  [/^(exp_avg|momentum_buffer)/, "moments of the optimiser"],
  [/^gram_anchor/, "weights of the Gram anchor"],
  [/^pixels/, "pictures of a batch"],
  [/^canary/, "canaries"],
];
/** How many of the largest tensors are named. */
const NAMED = 3;

/**
 * Works out a run, exactly as training records its step, in some milliseconds and without memory. What the adapter
 * refuses is told in `refused`.
 *
 * @throws {HatchlingError} When a parameter by itself is larger than the adapter binds.
 */
export async function planStep(
  gpu: Gpu,
  config: Config,
  sizes: PictureSizes,
): Promise<StepPlan> {
  const dry = new WatchedGpu(gpu);
  const model = modelOf(config);
  const { gradient_accumulation_steps: micros } = config.training;
  const trainer = new Trainer(dry, model, trainerOptionsOf(config, dry));
  const state = dry.memory.liveBytes;
  const feed = new Feed(dry, noise(config, sizes), feedOptionsOf(config));

  dry.begin();
  const views = new Set<Storage>();
  const micro = await record(dry, () => {
    const tensors = feed.views();
    for (const { storage } of tensors) views.add(storage);
    return trainer.microStep(tensors, feed.masks);
  });
  const kinds = kindsOfTemporaries(dry.temporaries, views, slotBytes(dry, micro));
  const activations = {
    precision: precisionOf(config, dry),
    bytes: keptBytes(dry.temporaries, views),
  };
  dry.begin();
  const apply = await record(dry, () => trainer.update());
  kinds.push({ what: "working memory of the update", bytes: slotBytes(dry, apply) });
  const canaries = await StepCanaries.record(dry, model, { microStep: micro, update: apply });

  const bytes = [...kinds, ...kindsOfAllocations(dry, !!trainer.teacher, canaries.temporaryBytes)]
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes);
  const total = bytes.reduce((sum, { bytes }) => sum + bytes, 0);
  const parameters = countOf(model);
  const { backbone, head } = parameters;
  // Weights of student and teacher, and the moments of what is trained.
  const moments = trainer.optimizer.moments.size *
    trainer.student.layout.slotsOf(trainer.student.grads)
      .reduce((sum, { spec }) => sum + sizeOf(spec.shape), 0);
  const networks = trainer.teacher ? 2 : 1;
  const buffers = [...trainer.buffers.values()].reduce((sum, { size }) => sum + size, 0);
  // At the end the program is freed, and an untrained model stands beside the teacher.
  const atEnd = state + 4 * (backbone + head);
  const evaluation = {
    bytes: await evaluationBytes(gpu, config, sizes.largestPixels),
    beside: config.evaluation.every_n_epochs === null ? atEnd : Math.max(total, atEnd),
  };
  const largest = [...dry.tensors].map(([what, bytes]) => ({ what, bytes }))
    .sort((a, b) => b.bytes - a.bytes).slice(0, NAMED);
  return {
    ...{ parameters, activations },
    flops: micros * micro.flops + apply.flops,
    dispatches: micros * micro.length + apply.length,
    bytes,
    total,
    evaluation,
    peak: Math.max(total, evaluation.beside + evaluation.bytes),
    largest,
    workgroups: dry.workgroups,
    bindings: dry.bindings,
    checkpoint: 4 * (networks * (backbone + head) + moments + buffers),
    refused: [...new Set(dry.refused)],
  };
}

/** Bytes of the activations that live until the backward pass, by what they are stored as; f32 alone where that is all. */
export async function activationBytes(
  gpu: Gpu,
  config: Config,
  sizes: PictureSizes,
): Promise<{ f32: number; f16?: number }> {
  const as = async (precision: DType) => {
    const device = { ...config.device, precision };
    return (await planStep(gpu, { ...config, device }, sizes)).activations.bytes;
  };
  const f32 = await as("f32");
  return gpu.hasHalves && !resnetLayers(config.model.backbone)
    ? { f32, f16: await as("f16") }
    : { f32 };
}

/** What the temporaries of a recording take, those of refused dispatches included. */
function slotBytes(dry: WatchedGpu, program: Program<unknown>): number {
  if (!dry.refused.length) return program.temporaryBytes;
  return planMemory([...dry.temporaries.values()]).slots.reduce((sum, bytes) => sum + bytes, 0);
}

function kindsOfAllocations(dry: WatchedGpu, hasTeacher: boolean, canaries: number): NamedBytes[] {
  const kinds = new Map([["canaries", canaries]]);
  const add = (what: string, bytes: number) => kinds.set(what, (kinds.get(what) ?? 0) + bytes);
  for (const { label, bytes } of dry.allocations) {
    if (/^slot /.test(label)) continue;
    if (/^parameters/.test(label)) {
      // Of one layout, where there are two.
      add("weights of the student", hasTeacher ? bytes / 2 : bytes);
      if (hasTeacher) add("weights of the teacher", bytes / 2);
    } else add(KINDS.find(([name]) => name.test(label))?.[1] ?? "tables", bytes);
  }
  return [...kinds].map(([what, bytes]) => ({ what, bytes }));
}

function countOf(model: DinoModel): { backbone: number; head: number } {
  let [backbone, head] = [0, 0];
  for (const { name, shape } of model.specs()) {
    const size = shape.reduce((a, b) => a * b, 1);
    if (/^(\w+_)?head\./.test(name)) head += size;
    else backbone += size;
  }
  return { backbone, head };
}
