/**
 * Proves what a machine may run: finds the dispatches, runs them, strikes off the ways that compute wrong, and proves
 * what takes their place.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { HatchlingError } from "../errors.ts";
import { definedKernels } from "../gpu/kernel.ts";
import type { Gpu, TuningStorage } from "../gpu.ts";
import { tuningTasks } from "../ops.ts";
import type { Capture } from "./capture.ts";
import { hashOf, placeOf, readKnown, type Strike, writeKnown } from "./kept.ts";
import { referenceOf } from "./references.ts";
import { type Effort, type Proof, prove } from "./run.ts";
import { captureConfig, captureOdd, captureUsual, profiles, some } from "./survey.ts";
import { toWatch, watchAll } from "./watch.ts";
import { nameOf, waysOf } from "./ways.ts";

/** What to prove, and how thoroughly. */
export interface ProveOptions {
  /** The shapes of this configuration's step. */
  config?: Config;
  /** Odd shapes: by every kernel that may be chosen here, or a few by those that are chosen now; none by default. */
  odd?: "all" | "few";
  /** Watch kernels whose invocations share memory for races, too. */
  races?: boolean;
  /** How much is done for each dispatch. */
  effort: Effort;
  /** Where it is kept what was proven; without one everything is proven anew. */
  storage?: TuningStorage;
  /** Prove what is known to be right as well. */
  again?: boolean;
  /** Called as it goes on. */
  onProgress?: (done: number, total: number) => void;
}

/** What came out. */
export interface Findings {
  /** The dispatches that were run now. */
  proofs: Proof[];
  /** Kernels that were watched for races. */
  watched: Proof[];
  /** Dispatches that were known to be right. */
  known: number;
  /** Ways that are struck off, now or before. */
  strikes: Strike[];
  /** What is wrong and has no other way; with any of them this machine is no good. */
  broken: Strike[];
  /** Kernels that nothing here dispatches. */
  idle: string[];
  /** Dispatches that were too large to be proven. */
  left: string[];
}

/** Odd dispatches of a kernel with the same constants. */
const EACH = 3;

/** Full and short. */
export const EFFORTS: Readonly<Record<"full" | "short", Effort>> = {
  full: { operations: 3e5, runs: 3, bytes: 2 ** 28 },
  short: { operations: 3e4, runs: 2, bytes: 2 ** 27 },
};

/**
 * Proves a machine, and sets {@linkcode Gpu.struck}. Ways that compute wrong are struck off, and what is chosen in
 * their place is proven too.
 *
 * @throws {DeviceError} When the device is lost.
 *
 * @example
 * ```ts
 * import { openGpu } from "../gpu.ts";
 * import { EFFORTS, proveMachine } from "./machine.ts";
 *
 * const gpu = await openGpu();
 * const { strikes, broken } = await proveMachine(gpu, { odd: "few", effort: EFFORTS.short });
 * console.log(strikes.length, broken.length); // 0, 0
 * gpu.destroy();
 * ```
 */
export async function proveMachine(gpu: Gpu, options: ProveOptions): Promise<Findings> {
  const { storage, effort, again = false, onProgress } = options;
  const place = await placeOf(gpu);
  const known = await readKnown(storage, place);
  const strikes = again ? [] : known.strikes;
  const right = again ? new Set<string>() : known.right;
  const none = { proofs: [], watched: [], known: 0, broken: [], idle: [], left: [] };
  const findings: Findings = { ...none, strikes };
  const met = new Set<string>(), dispatched = new Set<string>();
  const heed = () => gpu.struck = new Set(strikes.map(({ name }) => name));
  heed();
  for (let more = true; more;) {
    more = false;
    const captures = await survey(gpu, options, findings);
    const fresh = captures.filter((capture) => !met.has(hashOf(capture)));
    for (const capture of fresh) {
      met.add(hashOf(capture));
      dispatched.add(capture.source.name);
    }
    const todo = byFamily(fresh.filter((capture) => !right.has(hashOf(capture))));
    findings.known += fresh.length - todo.length;
    const total = findings.proofs.length + todo.length;
    const before = findings.proofs.length;
    const { proofs, left } = await prove(
      gpu,
      todo,
      effort,
      (done) => onProgress?.(before + done, total),
    );
    findings.proofs.push(...proofs);
    findings.left.push(...left);
    const watched = options.races ? await watchAll(gpu, toWatch(gpu, todo)) : [];
    findings.watched.push(...watched);
    const wrong = new Set<string>();
    for (const { capture, fault } of [...watched, ...proofs]) {
      const hash = hashOf(capture);
      if (!fault) {
        if (!wrong.has(hash)) right.add(hash);
        continue;
      }
      wrong.add(hash);
      const kernel = capture.source.name, ways = waysOf(capture).map(nameOf);
      more ||= strike(strikes, ways, { kernel, fault });
      if (!ways.length) strike(findings.broken, [kernel], { kernel, fault });
    }
    heed();
  }
  await writeKnown(storage, place, { right, strikes });
  findings.idle = definedKernels().map(({ name }) => name).filter((name) => !dispatched.has(name));
  return findings;
}

/** Adds what is not yet on a list, and says whether anything was. */
function strike(list: Strike[], names: readonly string[], why: Omit<Strike, "name">): boolean {
  const fresh = names.filter((name) => list.every((one) => one.name !== name));
  list.push(...fresh.map((name) => ({ name, ...why })));
  return fresh.length > 0;
}

/** Families together, in the order in which they are met. */
function byFamily(captures: readonly Capture[]): Capture[] {
  const families = Map.groupBy(captures, ({ source }) => referenceOf(source)?.family ?? "");
  return [...families.values()].flat();
}

/** All dispatches to prove; a kind of work that has no way left is broken. */
async function survey(
  gpu: Gpu,
  { config, odd }: ProveOptions,
  { broken }: Findings,
): Promise<Capture[]> {
  const all: Capture[] = [];
  const attempt = async (make: () => Promise<Capture[]>) => {
    try {
      all.push(...await make());
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
      const { message } = error;
      if (broken.every(({ fault }) => fault !== message)) {
        broken.push({ name: "a kind of work", kernel: "", fault: message });
      }
    }
  };
  if (odd === "all") await attempt(() => captureOdd(gpu, EACH));
  if (odd === "few") await attempt(() => captureUsual(gpu));
  if (config) {
    // Which kernels a GPU will choose is known when it has tried them.
    await attempt(async () => {
      const tasks = tuningTasks(gpu);
      const all = gpu.isSoftware ? [gpu.choices] : profiles(tasks);
      return (await Promise.all(all.map((choices) => captureConfig(gpu, config, choices)))).flat();
    });
  }
  return some(all);
}
