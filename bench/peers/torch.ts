/**
 * PyTorch on the CPU, in a process of its own: the same jobs, timed there.
 *
 * @module
 */
import { initialize } from "../../lib/model.ts";
import { isDecayed } from "../../lib/optim/optimizer.ts";
import type { Contender, Subject } from "../contender.ts";
import {
  CROP_SCALE,
  cropShapes,
  type Job,
  LOGIT_SCALE,
  SEED,
  STEP,
  type StepJob,
} from "../jobs.ts";
import { modelOf } from "../model.ts";
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
    if (job.op === "step") tempFile = Deno.makeTempFileSync({ prefix: "hatchling-bench-" });
    let sample: number[] | null;
    try {
      const asked = job.op === "step" ? await withWeights(job, tempFile!) : job;
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

/** The step with its weights in a file, f32 one after the other. */
async function withWeights(job: StepJob, file: string) {
  const specs = modelOf(job).specs();
  const weights = initialize(specs, 0);
  const out = await Deno.open(file, { write: true, truncate: true });
  const writer = out.writable.getWriter();
  for (const { name } of specs) {
    const w = weights.get(name)!;
    await writer.write(new Uint8Array(w.buffer, w.byteOffset, w.byteLength));
  }
  await writer.close();
  return {
    ...job,
    weights: file,
    crops: cropShapes(job),
    specs: specs.map(({ name, shape, trainable = true }) => ({ name, shape, trainable })),
    decayed: specs.filter(({ name, shape }) => isDecayed(name, shape)).map(({ name }) => name),
  };
}
