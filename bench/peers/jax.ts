/**
 * jax-js: array programming for the browser with `jit` and `grad`; its WebGPU backend, here on Deno's.
 *
 * @module
 */
import { initialize } from "../../lib/model.ts";
import { type Contender, emptyWait, queued, SAMPLES, type Subject, watched } from "../contender.ts";
import {
  CROP_SCALE,
  cropShapes,
  LOGIT_SCALE,
  type OpJob,
  SEED,
  STEP,
  type StepJob,
} from "../jobs.ts";
import { modelOf } from "../model.ts";
import { values } from "../values.ts";
import { dinoLoss, fixedOf, type State, stepOf } from "./jax_step.ts";
import type { Jax, JaxArray, Tree } from "./jax_types.ts";

/** The version that is measured. */
const VERSION = "0.1.25";

/** Starts it on WebGPU. */
export async function openJax(): Promise<Contender> {
  const specifier = `npm:@jax-js/jax@${VERSION}`;
  const jax: Jax = await import(specifier);
  const found = await jax.init("webgpu");
  if (!found.includes("webgpu")) throw new Error("its WebGPU backend did not start");
  jax.defaultDevice("webgpu");
  const wait = watched(jax.getWebGPUDevice());
  const waitMs = await emptyWait(wait);
  return {
    name: "jax-js",
    version: VERSION,
    prepare: async (job) => {
      if (job.op === "backbone") return undefined;
      if (job.op === "step") return await step(jax, job, wait, waitMs);
      return await prepare(jax, job, wait, waitMs);
    },
    close: () => {},
  };
}

type Fn = (...inputs: JaxArray[]) => JaxArray;
type Prepared = { inputs: JaxArray[]; fn: Fn | ((...inputs: JaxArray[]) => JaxArray[]) };

/** Inputs and the function of a job. */
function functionOf(jax: Jax, job: OpJob): Prepared {
  const { numpy: np, nn } = jax;
  const size = (shape: number[]) => shape.reduce((a, b) => a * b, 1);
  const input = (shape: number[], seed: number, scale = 1) =>
    np.array(values(size(shape), seed, scale), { shape });
  switch (job.op) {
    case "matmul": {
      const { m, k, n, transA, transB } = job;
      const a = input(transA ? [k, m] : [m, k], SEED.a),
        b = input(transB ? [n, k] : [k, n], SEED.b);
      const fn = (x: JaxArray, y: JaxArray) =>
        np.matmul(transA ? x.transpose() : x, transB ? y.transpose() : y);
      return { inputs: [a, b], fn };
    }
    case "attention": {
      const { batch, tokens, heads, headDim, grad } = job;
      const width = heads * headDim;
      const attend = (qkv: JaxArray) => {
        const parts = np.split(qkv, 3, 2).map((x) => x.reshape([batch, tokens, heads, headDim]));
        return nn.dotProductAttention(parts[0], parts[1], parts[2])
          .reshape([batch, tokens, width]);
      };
      const qkv = input([batch, tokens, 3 * width], SEED.a);
      if (!grad) return { inputs: [qkv], fn: attend };
      const weighted = (x: JaxArray, dy: JaxArray) => attend(x).mul(dy).sum();
      return { inputs: [qkv, input([batch, tokens, width], SEED.b)], fn: jax.grad(weighted) };
    }
    case "layer_norm":
    case "layer_norm_grad": {
      const { rows, cols, op } = job;
      const inputs = [input([rows, cols], SEED.a), input([cols], SEED.b), input([cols], SEED.c)];
      const norm = (x: JaxArray, w: JaxArray, b: JaxArray) =>
        nn.standardize(x, -1, { epsilon: STEP.layerNormEps }).mul(w).add(b);
      if (op === "layer_norm") return { inputs, fn: norm };
      const weighted = (x: JaxArray, w: JaxArray, b: JaxArray, dy: JaxArray) =>
        norm(x, w, b).mul(dy).sum();
      return { inputs: [...inputs, input([rows, cols], SEED.d)], fn: jax.grad(weighted) };
    }
    case "softmax":
      return { inputs: [input([job.rows, job.cols], SEED.a)], fn: (x) => nn.softmax(x, -1) };
    case "gelu":
      return {
        inputs: [input([job.rows, job.cols], SEED.a)],
        fn: (x) => nn.gelu(x, { approximate: false }),
      };
    case "ema": {
      const fn = (t: JaxArray, s: JaxArray) => t.mul(STEP.momentum).add(s.mul(1 - STEP.momentum));
      return { inputs: [input([job.size], SEED.a), input([job.size], SEED.b)], fn };
    }
    case "adamw": {
      const [beta1, beta2] = STEP.betas;
      const fn = (w: JaxArray, g: JaxArray, m: JaxArray, v: JaxArray) => {
        const nextM = m.mul(beta1).add(g.ref.mul(1 - beta1));
        const nextV = v.mul(beta2).add(g.ref.mul(g).mul(1 - beta2));
        const denominator = np.sqrt(nextV.ref.div(1 - beta2)).add(STEP.eps);
        const move = nextM.ref.div(1 - beta1).div(denominator).mul(STEP.lr);
        return [w.mul(1 - STEP.lr * STEP.weightDecay).sub(move), nextM, nextV];
      };
      const zeros = () => np.array(new Float32Array(job.size), { shape: [job.size] });
      return {
        inputs: [input([job.size], SEED.a), input([job.size], SEED.b), zeros(), zeros()],
        fn,
      };
    }
    case "loss": {
      const { views, globals, batch, outDim } = job;
      const sizes = { globals, locals: views - globals, batch, outDim };
      const inputs = [
        input([views * batch, outDim], SEED.a, LOGIT_SCALE),
        input([globals * batch, outDim], SEED.b, LOGIT_SCALE),
        np.zeros([outDim]),
      ];
      const gradient = jax.grad((s: JaxArray, t: JaxArray, c: JaxArray) =>
        dinoLoss(jax, sizes, s, t, c)
      );
      const fn = (s: JaxArray, t: JaxArray, c: JaxArray) => {
        const mean = t.ref.mean(0).mul(1 - STEP.centerMomentum);
        const next = c.ref.mul(STEP.centerMomentum).add(mean);
        return [gradient(s, t, c), next];
      };
      return { inputs, fn };
    }
  }
}

async function prepare(
  jax: Jax,
  job: OpJob,
  wait: () => Promise<unknown>,
  waitMs: number,
): Promise<Subject> {
  const { inputs, fn } = functionOf(jax, job);
  const jitted = jax.jit(fn);
  const call = () => {
    // One jitted call is submitted as a whole with any of its results.
    const [first, ...rest] = [jitted(...inputs.map((x) => x.ref))].flat();
    rest.forEach((x) => x.dispose());
    return first;
  };
  await jax.blockUntilReady(inputs);
  return queued(wait, waitMs, () => void call().gpuBufferSync(), {
    per: 1,
    sample: async () => [...(await call().data()).subarray(0, SAMPLES)],
    destroy: () => inputs.forEach((x) => x.dispose()),
  });
}

async function step(
  jax: Jax,
  job: StepJob,
  wait: () => Promise<unknown>,
  waitMs: number,
): Promise<Subject> {
  const { numpy: np } = jax;
  const specs = modelOf(job).specs();
  const weights = initialize(specs, 0);
  const trained = specs.filter(({ trainable }) => trainable !== false);
  const tree = (of: (name: string, size: number) => Float32Array): Tree =>
    Object.fromEntries(trained.map(({ name, shape }) => {
      const data = of(name, weights.get(name)!.length);
      return [name, np.array(data, { shape: [...shape] })];
    }));
  const zeros = (_: string, size: number) => new Float32Array(size);
  let state: State = {
    student: tree((name) => weights.get(name)!),
    teacher: tree((name) => weights.get(name)!),
    expAvg: tree(zeros),
    expAvgSq: tree(zeros),
    center: np.zeros([job.head.outDim]),
  };
  const crops = cropShapes(job).map((shape, i) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return np.array(values(size, SEED.a + i, CROP_SCALE), { shape });
  });
  const fn = stepOf(jax, job, fixedOf(jax, job));
  let count = 0;
  const scalar = (x: number) => np.array(Float32Array.of(x), { shape: [1] });
  const once = (): JaxArray => {
    count++;
    const [beta1, beta2] = STEP.betas;
    const [next, loss] = fn(state, crops.map((x) => x.ref), {
      lr: scalar(STEP.lr),
      correction1: scalar(1 - beta1 ** count),
      correction2: scalar(Math.sqrt(1 - beta2 ** count)),
    });
    state = next;
    return loss;
  };
  await jax.blockUntilReady([state, crops]);
  return queued(wait, waitMs, () => void once().gpuBufferSync(), {
    per: 1,
    sample: async () => [(await once().data())[0]],
    destroy() {
      for (const part of [state.student, state.teacher, state.expAvg, state.expAvgSq]) {
        for (const x of Object.values(part)) x.dispose();
      }
      for (const x of [state.center, ...crops]) x.dispose();
    },
  });
}
