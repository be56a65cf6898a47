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
import { captureConfig, captureOdd, profiles, some } from "./survey.ts";
import { nameOf, wayOf } from "./ways.ts";

/** What to prove, and how thoroughly. */
export interface ProveOptions {
  /** The shapes of this configuration's step. */
  config?: Config;
  /** Odd shapes by every kernel that may be chosen here: so many of each; 0 by default. */
  odd?: number;
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
 * const { strikes, broken } = await proveMachine(gpu, { odd: 1, effort: EFFORTS.short });
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
  const findings: Findings = { proofs: [], known: 0, strikes, broken: [], idle: [], left: [] };
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
    for (const { capture, fault } of proofs) {
      if (!fault) {
        right.add(hashOf(capture));
        continue;
      }
      const way = wayOf(capture), kernel = capture.source.name;
      const strike = { name: way ? nameOf(way) : kernel, kernel, fault };
      const list = way ? strikes : findings.broken;
      if (list.some(({ name }) => name === strike.name)) continue;
      list.push(strike);
      more ||= !!way;
    }
    heed();
  }
  await writeKnown(storage, place, { right, strikes });
  findings.idle = definedKernels().map(({ name }) => name).filter((name) => !dispatched.has(name));
  return findings;
}

/** Families together, in the order in which they are met. */
function byFamily(captures: readonly Capture[]): Capture[] {
  const families = Map.groupBy(captures, ({ source }) => referenceOf(source)?.family ?? "");
  return [...families.values()].flat();
}

/** All dispatches to prove; a kind of work that has no way left is broken. */
async function survey(
  gpu: Gpu,
  { config, odd = 0 }: ProveOptions,
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
  if (odd) await attempt(() => captureOdd(gpu, odd));
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
