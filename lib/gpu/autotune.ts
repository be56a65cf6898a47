/**
 * Choosing between kernels that compute the same, by trying them.
 *
 * No table knows which tile suits an adapter that nobody here has seen, so a few candidates run on it, three
 * rounds in turn, and the fastest wins. Speed counts only among the right: each candidate's result is compared
 * with a simple kernel's first. And a choice is made once: whatever the caller's storage remembers for this
 * adapter, runtime and kernel text is taken as it is, so that one machine keeps computing the same bits.
 *
 * Nothing is measured without a storage, for each start might choose anew, nor on software adapters, which
 * are too slow to try and known: the fixed profile holds there.
 *
 * @module
 */
import type { Gpu } from "./gpu.ts";
import { type Program, record } from "./program.ts";
import type { Tensor } from "./tensor.ts";
import { hex } from "../text.ts";

/**
 * Where choices are kept between runs: a folder, a database of the browser. When it fails, choices are made anew
 * each time.
 */
export interface TuningStorage {
  /** What was kept under a key. */
  get(key: string): Promise<string | undefined>;
  /** Keeps a value. */
  set(key: string, value: string): Promise<void>;
}

/** A kind of work with several ways to do it. */
export interface TuningTask {
  /** Its name, the key in {@linkcode Gpu.choices}. */
  readonly name: string;
  /** The ways that this adapter has. */
  readonly candidates: readonly string[];
  /** The one that the fixed profile takes. */
  readonly usual: string;
  /** Text of all kernels that take part: a changed one asks for a new choice. */
  readonly code: string;
  /** Largest difference from the reference, as a share of its largest magnitude. */
  readonly tolerance: number;
  /** Makes an instance of the work. */
  prepare(): Work;
}

/** An instance of a kind of work. */
export interface Work {
  /** Everything to be freed afterwards. */
  readonly tensors: readonly Tensor[];
  /** Where every way writes its result. */
  readonly output: Tensor;
  /** Dispatches one way. */
  run(candidate: string): void;
  /** Dispatches the simple way, which the others are compared with. */
  reference(): void;
}

/** How {@linkcode autotune} works. */
export interface TuningOptions {
  /** Where choices are kept; without one nothing is measured. */
  storage?: TuningStorage;
  /** Measure on software adapters too. */
  software?: boolean;
  /** Called before each task. */
  onProgress?: (done: number, total: number) => void;
}

/** What {@linkcode autotune} chose. */
export interface Tuning {
  /** A candidate for every task, for {@linkcode Gpu.choices}. */
  choices: Map<string, string>;
  /** Where they come from. */
  source: "fixed" | "stored" | "measured";
  /**
   * Candidates that were left out since they failed or computed something else, a storage that failed, and what it
   * held that was not as it was kept.
   */
  faults: string[];
}

/** Milliseconds of one timing: well above the 11 ms that a wait takes in Deno. */
const LONG_ENOUGH = 60;
const MOST_RUNS = 256, ROUNDS = 3;

/**
 * Chooses a candidate for each task.
 *
 * @example
 * ```ts
 * import { autotune, openGpu } from "@hatchling/hatchling/gpu";
 * import { tuningTasks } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const kept = new Map<string, string>(); // a browser would keep it in localStorage
 * const storage = {
 *   get: (key: string) => Promise.resolve(kept.get(key)),
 *   set: (key: string, value: string) => Promise.resolve(void kept.set(key, value)),
 * };
 * const { choices, source } = await autotune(gpu, tuningTasks(gpu), { storage });
 * gpu.choices = choices;
 * console.log(source, choices.get("matmul NT large"));
 * gpu.destroy();
 * ```
 */
export async function autotune(
  gpu: Gpu,
  tasks: readonly TuningTask[],
  { storage, software = false, onProgress }: TuningOptions = {},
): Promise<Tuning> {
  const faults: string[] = [];
  const usual = tasks.map(({ name, usual }): [string, string] => [name, usual]);
  if (!storage || (gpu.isSoftware && !software)) {
    return { choices: new Map(usual), source: "fixed", faults };
  }
  const key = await keyOf(gpu, tasks);
  const kept = await storage.get(key).catch(() => undefined);
  const stored = await parse(kept, tasks);
  if (stored) return { choices: stored, source: "stored", faults };
  if (kept !== undefined) {
    faults.push("the choice kept for this adapter was damaged or of another version: made again");
  }
  const choices = new Map<string, string>();
  let decided = true;
  for (const [i, task] of tasks.entries()) {
    onProgress?.(i, tasks.length);
    const chosen = await decide(gpu, task, faults);
    decided &&= chosen !== undefined;
    choices.set(task.name, chosen ?? task.usual);
  }
  // A task without a winner shall be tried again.
  if (decided) {
    await storage.set(key, await serialise(choices)).catch((error) => {
      faults.push(`the choice could not be kept: ${(error as Error).message}`);
    });
  }
  return { choices, source: "measured", faults };
}

/** Adapter, runtime, what the device grants and the kernels' text, as one hash. */
async function keyOf(gpu: Gpu, tasks: readonly TuningTask[]): Promise<string> {
  const { vendor, architecture, device, description } = gpu.info;
  const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } = gpu.limits;
  const text = JSON.stringify([
    [vendor, architecture, device, description],
    navigator.userAgent,
    [gpu.subgroupSize, maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup],
    tasks.map(({ name, candidates, code }) => [name, candidates, code]),
  ]);
  return (await sha256(text)).slice(0, 32);
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return hex(new Uint8Array(digest));
}

/** Choices with their hash: one changed letter may name another kernel, and even one that was found to be wrong. */
async function serialise(choices: ReadonlyMap<string, string>): Promise<string> {
  const plain = Object.fromEntries(choices);
  return JSON.stringify({ choices: plain, sha256: await sha256(JSON.stringify(plain)) });
}

/** What was stored, if it is as it was written and answers every task. */
async function parse(
  text: string | undefined,
  tasks: readonly TuningTask[],
): Promise<Map<string, string> | undefined> {
  try {
    const found = JSON.parse(text ?? "null");
    if (await sha256(JSON.stringify(found.choices)) !== found.sha256) return;
    const choices = new Map(Object.entries(found.choices as Record<string, string>));
    const known = tasks.every((c) => c.candidates.includes(choices.get(c.name)!));
    return known && choices.size === tasks.length ? choices : undefined;
  } catch {
    return undefined;
  }
}

/** The fastest of the right candidates, if any is. */
async function decide(gpu: Gpu, task: TuningTask, faults: string[]): Promise<string | undefined> {
  const work = gpu.detached(() => gpu.scope(() => task.prepare()));
  try {
    const expected = await tryRun(gpu, work, () => work.reference());
    if (typeof expected === "string") {
      faults.push(`${task.name}: the reference ${expected}`);
      return undefined;
    }
    const right: string[] = [];
    for (const candidate of task.candidates) {
      const found = await tryRun(gpu, work, () => work.run(candidate));
      const fault = typeof found === "string" ? found : difference(found, expected, task.tolerance);
      if (fault) faults.push(`${task.name}: ${candidate} ${fault}`);
      else right.push(candidate);
    }
    if (right.length < 2) return right[0];
    return await race(gpu, work, right);
  } finally {
    for (const tensor of work.tensors) tensor.destroy();
  }
}

/** What a run computes, or how it failed; the loss of the device is nobody's fault. */
async function tryRun(gpu: Gpu, work: Work, run: () => void): Promise<Float32Array | string> {
  try {
    work.output.write(new Float32Array(work.output.size).fill(NaN)); // what is not written shows
    gpu.scope(run);
    return await work.output.read();
  } catch (error) {
    gpu.check();
    return `failed: ${(error as Error).message}`;
  }
}

function difference(
  found: Float32Array,
  expected: Float32Array,
  tolerance: number,
): string | undefined {
  const top = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const off = found.findIndex((x, i) => !(Math.abs(x - expected[i]) <= tolerance * top));
  if (off < 0) return undefined;
  return `computes ${found[off]} where the reference computes ${expected[off]}`;
}

/** The fastest of several candidates, each recorded once, so that nothing but its dispatches is timed. */
async function race(gpu: Gpu, work: Work, candidates: readonly string[]): Promise<string> {
  const programs = new Map<string, Program<void>>();
  try {
    for (const candidate of candidates) {
      programs.set(candidate, await record(gpu, () => work.run(candidate)));
    }
    return await fastest(candidates, async (candidate, runs) => {
      const program = programs.get(candidate)!;
      await gpu.idle();
      const start = performance.now();
      for (let i = 0; i < runs; i++) program.run();
      await gpu.idle();
      return performance.now() - start;
    });
  } finally {
    for (const program of programs.values()) program.destroy();
  }
}

/**
 * The candidate with the least time of several rounds, all taking turns, each with as many runs as the fastest
 * needs to be timed; whoever is far behind after one run is out.
 *
 * @param time Milliseconds that a candidate takes for some runs.
 */
export async function fastest(
  candidates: readonly string[],
  time: (candidate: string, runs: number) => Promise<number>,
): Promise<string> {
  const once = new Map<string, number>();
  for (const candidate of candidates) {
    await time(candidate, 1); // compiles
    once.set(candidate, await time(candidate, 1));
  }
  const best = Math.min(...once.values());
  const runners = candidates.filter((c) => once.get(c)! < 4 * best + LONG_ENOUGH);
  let runs = 1;
  for (const candidate of runners) {
    while (runs < MOST_RUNS && await time(candidate, runs) < LONG_ENOUGH) runs *= 2;
  }
  const least = new Map(runners.map((candidate) => [candidate, Infinity]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const c of runners) least.set(c, Math.min(least.get(c)!, await time(c, runs)));
  }
  return runners.reduce((a, b) => least.get(b)! < least.get(a)! ? b : a);
}
