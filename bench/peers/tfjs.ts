/**
 * TensorFlow.js with its WebGPU backend: eager ops.
 *
 * @module
 */
import { type Contender, emptyWait, queued, SAMPLES, watched } from "../contender.ts";
import { type Job, SEED, STEP } from "../jobs.ts";
import { values } from "../values.ts";

/** The version that is measured. */
const VERSION = "4.22.0";

interface TfTensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** The part of tfjs that is used; see jax_types.ts for why its own types are not. */
interface Tf {
  env(): { set(flag: string, value: unknown): void };
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  getBackend(): string;
  backend(): {
    device: GPUDevice;
    queue: GPUQueue;
    endComputePassEncoder(): void;
    ensureCommandEncoderReady(): void;
    submitQueue(): void;
  };
  tensor(data: Float32Array, shape: number[]): TfTensor;
  tidy<T>(fn: () => T): T;
  matMul(a: TfTensor, b: TfTensor, transA: boolean, transB: boolean): TfTensor;
  softmax(x: TfTensor): TfTensor;
  erf(x: TfTensor): TfTensor;
  moments(x: TfTensor, axis: number, keepDims: boolean): { mean: TfTensor; variance: TfTensor };
  add(a: TfTensor, b: TfTensor | number): TfTensor;
  sub(a: TfTensor, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor | number): TfTensor;
  rsqrt(x: TfTensor): TfTensor;
}

/** Starts it. */
export async function openTfjs(): Promise<Contender> {
  const specifiers = [
    `npm:@tensorflow/tfjs-core@${VERSION}`,
    `npm:@tensorflow/tfjs-backend-webgpu@${VERSION}`,
  ];
  const tf: Tf = await import(specifiers[0]);
  await import(specifiers[1]);
  await tf.setBackend("webgpu");
  await tf.ready();
  if (tf.getBackend() !== "webgpu") throw new Error(`its backend is ${tf.getBackend()}`);
  tf.env().set("WEBGPU_CPU_FORWARD", false); // small tensors too go to the adapter
  const done = watched(tf.backend().device);
  const wait = () => {
    const backend = tf.backend();
    backend.endComputePassEncoder();
    backend.ensureCommandEncoderReady(); // there may be nothing to submit
    backend.submitQueue();
    return done();
  };
  const waitMs = await emptyWait(wait);
  return {
    name: "tfjs",
    version: VERSION,
    prepare(job) {
      const made = functionOf(tf, job);
      if (!made) return Promise.resolve(undefined);
      const call = () => tf.tidy(made.fn);
      return Promise.resolve(queued(wait, waitMs, () => call().dispose(), {
        per: 1,
        async sample() {
          const y = call();
          const first = [...(await y.data()).subarray(0, SAMPLES)];
          y.dispose();
          return first;
        },
        destroy: () => made.inputs.forEach((x) => x.dispose()),
      }));
    },
    close: () => {},
  };
}

/** Inputs and the function of a job that tfjs has ops for. */
function functionOf(tf: Tf, job: Job): { inputs: TfTensor[]; fn: () => TfTensor } | undefined {
  const input = (shape: number[], seed: number) =>
    tf.tensor(values(shape.reduce((a, b) => a * b, 1), seed), shape);
  switch (job.op) {
    case "matmul": {
      const { m, k, n, transA, transB } = job;
      const a = input(transA ? [k, m] : [m, k], SEED.a),
        b = input(transB ? [n, k] : [k, n], SEED.b);
      return { inputs: [a, b], fn: () => tf.matMul(a, b, transA, transB) };
    }
    case "softmax": {
      const x = input([job.rows, job.cols], SEED.a);
      return { inputs: [x], fn: () => tf.softmax(x) };
    }
    case "layer_norm": {
      const x = input([job.rows, job.cols], SEED.a);
      const [w, b] = [input([job.cols], SEED.b), input([job.cols], SEED.c)];
      const fn = () => {
        const { mean, variance } = tf.moments(x, -1, true);
        const scale = tf.rsqrt(tf.add(variance, STEP.layerNormEps));
        return tf.add(tf.mul(tf.mul(tf.sub(x, mean), scale), w), b);
      };
      return { inputs: [x, w, b], fn };
    }
    case "gelu": {
      const x = input([job.rows, job.cols], SEED.a);
      const fn = () => {
        const twice = tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1);
        return tf.mul(tf.mul(twice, x), 0.5);
      };
      return { inputs: [x], fn };
    }
    case "ema": {
      const [t, s] = [input([job.size], SEED.a), input([job.size], SEED.b)];
      const fn = () => tf.add(tf.mul(t, STEP.momentum), tf.mul(s, 1 - STEP.momentum));
      return { inputs: [t, s], fn };
    }
    default:
      return undefined;
  }
}
