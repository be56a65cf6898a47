/**
 * This project as one of the contenders: recorded programs of its public functions.
 *
 * @module
 */
import { emaUpdate } from "../lib/ema.ts";
import { type Gpu, type Program, record, StepScalars, type Tensor } from "../lib/gpu.ts";
import { DinoLoss } from "../lib/loss.ts";
import { initialize, Parameters } from "../lib/model.ts";
import { attention, gelu, layerNorm, matmul, softmax } from "../lib/ops.ts";
import { AdamW, clipFactors } from "../lib/optim.ts";
import { Trainer } from "../lib/train.ts";
import { prepareBackbone } from "./backbone.ts";
import { type Contender, emptyWait, queued, SAMPLES, type Subject } from "./contender.ts";
import {
  CROP_SCALE,
  cropShapes,
  LOGIT_SCALE,
  type OpJob,
  SEED,
  STEP,
  type StepJob,
  type StepJobShape,
} from "./jobs.ts";
import type { Limits } from "./limits.ts";
import { modelOf } from "./model.ts";
import { values } from "./values.ts";

/** A recording should take about this many milliseconds, so that a submit is small beside it. */
const PROGRAM_MS = 5;

/** Milliseconds at a quarter of the arithmetic and half of the copying that the adapter can do. */
const estimate = (flops: number, bytes: number, { gflops, gbs }: Limits) =>
  Math.max(4 * flops / gflops, 2 * bytes / gbs) / 1e6;

/** Opens it on a GPU that the caller keeps. */
export async function openOurs(
  gpu: Gpu,
  version: string,
  limits: Limits,
): Promise<Contender> {
  const wait = () => gpu.device.queue.onSubmittedWorkDone();
  const waitMs = await emptyWait(wait);
  return {
    name: "hatchling",
    version,
    prepare: async (job) => {
      if (job.op === "step") return (await prepareStep(gpu, job, waitMs)).subject;
      if (job.op === "backbone") return await prepareBackbone(gpu, job, waitMs);
      return await prepare(gpu, job, waitMs, limits);
    },
    close: () => {},
  };
}

/** What a job dispatches each time, and what to free at the end. */
interface Work {
  once(): Tensor;
  owned: { destroy(): void }[];
}

async function prepare(
  gpu: Gpu,
  job: OpJob,
  waitMs: number,
  limits: Limits,
): Promise<Subject> {
  const { once, owned } = workOf(gpu, job);
  const single = await record(gpu, () => ({ y: once() }));
  const { flops, bytes } = total(single);
  const per = Math.max(1, Math.min(200, Math.round(PROGRAM_MS / estimate(flops, bytes, limits))));
  single.run();
  const first = [...(await single.outputs.y.read()).subarray(0, SAMPLES)];
  single.destroy();
  const program = await record(gpu, () => {
    for (let i = 1; i < per; i++) once();
    return { y: once() };
  });
  return queued(() => gpu.idle(), waitMs, () => program.run(), {
    per,
    sample: () => Promise.resolve(first),
    destroy: () => [program, ...owned].forEach((x) => x.destroy()),
  });
}

const total = (program: Program<unknown>) => ({
  flops: program.flops,
  bytes: program.costs().reduce((sum, { bytes }) => sum + bytes, 0),
});

function workOf(gpu: Gpu, job: OpJob): Work {
  const owned: { destroy(): void }[] = [];
  const own = <T extends { destroy(): void }>(x: T): T => {
    owned.push(x);
    return x;
  };
  const input = (shape: number[], seed: number, scale = 1) =>
    own(gpu.tensor(values(shape.reduce((a, b) => a * b, 1), seed, scale), shape));
  switch (job.op) {
    case "matmul": {
      const { m, k, n, transA, transB } = job;
      const a = input(transA ? [k, m] : [m, k], SEED.a),
        b = input(transB ? [n, k] : [k, n], SEED.b);
      const out = own(gpu.persistent([m, n]));
      return { owned, once: () => matmul(gpu, a, b, { transA, transB, out }) };
    }
    case "attention": {
      const { batch, tokens, heads, headDim, grad } = job;
      const qkv = input([batch, tokens, 3 * heads * headDim], SEED.a);
      const dy = grad ? input([batch, tokens, heads * headDim], SEED.b) : undefined;
      const once = () => {
        const { y, backward } = attention(gpu, qkv, heads);
        return dy ? backward(dy) : y;
      };
      return { owned, once };
    }
    case "layer_norm":
    case "layer_norm_grad": {
      const { op, rows, cols } = job;
      const x = input([rows, cols], SEED.a), dy = input([rows, cols], SEED.d);
      const weight = () => own(gpu.persistent([cols]));
      const w = { data: input([cols], SEED.b), grad: weight() };
      const b = { data: input([cols], SEED.c), grad: weight() };
      const once = () => {
        const { y, backward } = layerNorm(gpu, x, { ...w }, { ...b }, STEP.layerNormEps);
        return op === "layer_norm" ? y : backward(dy);
      };
      return { owned, once };
    }
    case "softmax":
    case "gelu": {
      const x = input([job.rows, job.cols], SEED.a);
      return { owned, once: () => (job.op === "softmax" ? softmax : gelu)(gpu, x).y };
    }
    case "ema":
    case "adamw": {
      const spec = [{ name: "w", shape: [job.size / 1024, 1024], init: { constant: 0 } }];
      const make = (seed: number, grad: boolean) => {
        const p = own(new Parameters(gpu, spec, { grad }));
        p.load(new Map([["w", values(job.size, seed)]]));
        return p;
      };
      const a = make(SEED.a, job.op === "adamw");
      if (job.op === "ema") {
        const s = make(SEED.b, false);
        const scalars = own(new StepScalars(gpu, ["momentum", "momentumRest"]));
        scalars.write({ momentum: STEP.momentum, momentumRest: 1 - STEP.momentum });
        return {
          owned,
          once: () => {
            emaUpdate(gpu, a, s, scalars.at("momentum"));
            return a.get("w").data;
          },
        };
      }
      a.get("w").grad!.write(values(job.size, SEED.b));
      const adamw = own(new AdamW(gpu, a, { betas: STEP.betas, eps: STEP.eps }));
      adamw.set({ lr: STEP.lr, weightDecay: STEP.weightDecay });
      const clip = gpu.scope(() => clipFactors(gpu, a, 0)).map((c) => {
        own(c.norms);
        own(c.factors);
        return c;
      });
      return {
        owned,
        once: () => {
          adamw.step(clip);
          return a.get("w").data;
        },
      };
    }
    case "loss": {
      const { views, globals, batch, outDim } = job;
      const loss = own(
        new DinoLoss({ gpu, outDim, nCrops: views, nGlobalCrops: globals, centerMomentum: 0.9 }),
      );
      const s = input([views * batch, outDim], SEED.a, LOGIT_SCALE);
      const t = input([globals * batch, outDim], SEED.b, LOGIT_SCALE);
      return { owned, once: () => loss.forward(s, t).gradStudent };
    }
  }
}

/** A trainer of a step's shape with its first weights, and what sets the values of a step. */
export function trainerOf(gpu: Gpu, job: StepJobShape) {
  const model = modelOf(job);
  const trainer = new Trainer(gpu, model, {
    loss: {
      nCrops: job.globals + job.locals,
      nGlobalCrops: job.globals,
      studentTemp: STEP.studentTemp,
      centerMomentum: STEP.centerMomentum,
    },
    optimizer: { betas: STEP.betas, eps: STEP.eps },
    clip: STEP.clip,
  });
  trainer.load(initialize(model.specs(), 0));
  const { teacherTemp, momentum, lr, weightDecay } = STEP;
  const set = (step: number) =>
    trainer.set({ step, teacherTemp, momentum, lr, weightDecay, freezeLastLayer: false });
  return { trainer, set };
}

/** A recorded step, ready to be run, timed or profiled. */
export async function prepareStep(gpu: Gpu, job: StepJob, waitMs: number) {
  const { trainer, set } = trainerOf(gpu, job);
  const crops = cropShapes(job).map((shape, i) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return gpu.tensor(values(size, SEED.a + i, CROP_SCALE), shape);
  });
  const program = await record(gpu, () => trainer.step(crops));
  let step = 0;
  const once = () => {
    set(step++);
    program.run();
  };
  const destroy = () => [program, trainer, ...crops].forEach((x) => x.destroy());
  const subject = queued(() => gpu.idle(), waitMs, once, {
    per: 1,
    flops: program.flops,
    async sample() {
      once();
      return [(await program.outputs.metrics.read())[0]];
    },
    destroy,
  });
  return { program, once, subject, destroy };
}
