/**
 * PyTorch on the CPU, in a process of its own: the same jobs, timed there.
 *
 * @module
 */
import { initialize, type ParameterSpec } from "../../lib/model.ts";
import { isDecayed } from "../../lib/optim/optimizer.ts";
import type { Contender, Subject } from "../contender.ts";
import {
  type BackboneJob,
  CROP_SCALE,
  cropShapes,
  type Job,
  LOGIT_SCALE,
  SEED,
  STEP,
  type StepJob,
} from "../jobs.ts";
import { backboneOf, modelOf } from "../model.ts";
import { startPython } from "./python.ts";

/** What torch_server.py says first. */
interface Hello {
  version: string;
  threads: number;
}

/** Below this many GFLOP/s a core, the BLAS is one without vector instructions. */
const SLOWEST = 20;

/** Starts it; fails where no Python has PyTorch. */
export async function openTorch(): Promise<Contender> {
  const { server, hello } = await startPython<Hello>(
    "torch_server.py",
    "no Python has PyTorch: apt-get install python3-torch python3-numpy libopenblas0-pthread",
  );
  let tempFile: string | undefined;
  const clean = () => {
    if (tempFile) Deno.removeSync(tempFile);
    tempFile = undefined;
  };
  const subjectOf = async (job: Job): Promise<Subject | undefined> => {
    let sample: number[] | null;
    try {
      const model = modelOfJob(job);
      if (model) tempFile = Deno.makeTempFileSync({ prefix: "hatchling-bench-" });
      const asked = model
        ? { ...job, ...model, ...await withWeights(model.specs, tempFile!) }
        : job;
      const constants = { ...STEP, cropScale: CROP_SCALE, logitScale: LOGIT_SCALE };
      const request = { op: "prepare", job: asked, const: constants, seed: SEED };
      ({ sample } = await server.ask<{ sample: number[] | null }>(request));
    } finally {
      clean();
    }
    if (!sample) return undefined;
    return {
      per: 1,
      run: async (n) => (await server.ask<{ ms: number }>({ op: "run", n })).ms,
      sample: () => Promise.resolve(sample!),
      destroy: () => {},
    };
  };
  const square: Job = { op: "matmul", m: 512, k: 512, n: 512, transA: false, transB: false };
  const subject = await subjectOf(square);
  const speed = 20 * 2 * 512 ** 3 / (await subject!.run(20)) / 1e6;
  const slow = speed < SLOWEST * hello.threads ? `, a slow BLAS: ${speed.toFixed(0)} GFLOP/s` : "";
  return {
    name: "torch-cpu",
    version: `${hello.version}, ${hello.threads} threads${slow}`,
    prepare: subjectOf,
    close: () => void server.close(),
  };
}

/** What the server has to know of a model; undefined for a single operation. */
function modelOfJob(job: Job) {
  switch (job.op) {
    case "step":
      return stepModel(job);
    case "backbone":
      return backboneModel(job);
    default:
      return undefined;
  }
}

function stepModel(job: StepJob) {
  const specs = modelOf(job).specs();
  const decayed = specs.filter(({ name, shape }) => isDecayed(name, shape)).map(({ name }) => name);
  return { specs, crops: cropShapes(job), decayed };
}

function backboneModel({ model, batch }: BackboneJob) {
  const backbone = backboneOf(model), { inChans, imageSize, dim } = backbone;
  return {
    specs: backbone.specs(),
    images: [batch, inChans, imageSize, imageSize],
    features: [batch, dim],
  };
}

/** First weights in a file, f32 one after the other, and what they are. */
async function withWeights(specs: readonly ParameterSpec[], file: string) {
  const weights = initialize(specs, 0);
  const out = await Deno.open(file, { write: true, truncate: true });
  const writer = out.writable.getWriter();
  for (const { name } of specs) {
    const w = weights.get(name)!;
    await writer.write(new Uint8Array(w.buffer, w.byteOffset, w.byteLength));
  }
  await writer.close();
  return {
    weights: file,
    specs: specs.map(({ name, shape, trainable = true }) => ({ name, shape, trainable })),
  };
}
