/**
 * PyTorch on the CPU, in a process of its own: the same jobs, timed there.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { initialize } from "../../lib/model/mod.ts";
import { isDecayed } from "../../lib/optim/mod.ts";
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

const SCRIPT = fileURLToPath(new URL("torch_server.py", import.meta.url));

/** Pythons that may have PyTorch: one of the user's choice, then Debian's. */
const PYTHONS = ["python3", "/usr/bin/python3"];

/** What the environment may say that slows PyTorch down, or makes it eat a core while it waits. */
const ENVIRONMENT = { OMP_WAIT_POLICY: "PASSIVE" };
const UNSET = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"];

/** Below this many GFLOP/s a core, the BLAS is one without vector instructions. */
const SLOWEST = 20;

/** Talks to torch_server.py in lines of JSON. */
class Server {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(python: string) {
    const kept = Object.entries(Deno.env.toObject()).filter(([name]) => !UNSET.includes(name));
    this.#child = new Deno.Command(python, {
      args: [SCRIPT],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      clearEnv: true,
      env: { ...Object.fromEntries(kept), ...ENVIRONMENT },
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async answer<T>(): Promise<T> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error("its process ended");
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return JSON.parse(line);
  }

  async ask<T>(request: unknown): Promise<T> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    return this.answer();
  }

  async close(): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#output.cancel();
    await this.#child.status;
  }
}

/** Starts it; fails where no Python has PyTorch. */
export async function openTorch(): Promise<Contender> {
  const { server, hello } = await firstServer();
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

async function firstServer() {
  for (const python of PYTHONS) {
    try {
      const server = new Server(python);
      return { server, hello: await server.answer<{ version: string; threads: number }>() };
    } catch {
      continue; // no such program, or one without PyTorch
    }
  }
  throw new Error(
    "no Python has PyTorch: apt-get install python3-torch python3-numpy libopenblas0-pthread",
  );
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
