/**
 * Runs kernels whose invocations share memory with an eye on races.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { type Capture, elements } from "./capture.ts";
import { HEAD, notesFor, raceIn, sharesMemory, watch, type Watched } from "./races.ts";
import { prepare, type Proof } from "./run.ts";
import { waysOf } from "./ways.ts";

/** Kernels that no software adapter chooses by itself, and whose watched form takes its compiler half a minute each. */
const DEAR = /^attention_tiled/;

/**
 * The smallest dispatch of each kernel and way whose invocations share memory: what else its constants are changes no
 * barrier. One lane shares with nobody. On software adapters, which take long to compile, one of each kernel.
 */
export function toWatch({ isSoftware }: Gpu, captures: readonly Capture[]): Capture[] {
  const least = new Map<string, Capture>();
  for (const capture of captures) {
    const { source, constants } = capture;
    if (!sharesMemory(source) || constants.LANES === 1) continue;
    if (isSoftware && DEAR.test(source.name)) continue;
    const ways = isSoftware ? "" : waysOf(capture).map(({ way }) => way);
    const key = `${source.name} ${ways}`, known = least.get(key);
    if (!known || sizeOf(capture) < sizeOf(known)) least.set(key, capture);
  }
  return [...least.values()].filter((capture) => sizeOf(capture) < 2 ** 20);
}

const sizeOf = (capture: Capture) =>
  Object.keys(capture.shapes).reduce((sum, name) => sum + elements(capture, name), 0);

/** Watches some dispatches, after each of which somebody may be told; a kernel that has no binding to spare for the notes is left out. */
export async function watchAll(gpu: Gpu, captures: readonly Capture[]): Promise<Proof[]> {
  const proofs: Proof[] = [];
  const known = new Map<string, Watched>();
  for (const capture of captures) {
    const { source } = capture;
    if (source.bindings.length >= gpu.limits.maxStorageBuffersPerShaderStage) continue;
    const watched = known.get(source.name) ?? watch(source);
    known.set(source.name, watched);
    proofs.push(await watchOne(gpu, capture, watched));
  }
  return proofs;
}

async function watchOne(gpu: Gpu, capture: Capture, watched: Watched): Promise<Proof> {
  const start = performance.now();
  const { source, shapes, constants, params, workgroups } = capture;
  const { inputs, reference } = prepare(capture, 1);
  const sizes = watched.variables.slice(watched.shared).map((name) => elements(capture, name) || 4);
  const held: Tensor[] = [];
  let fault: string;
  try {
    const tensor = (
      name: string,
      values: Parameters<Gpu["tensor"]>[0],
      shape: readonly number[],
    ) => {
      const half = capture.halves.includes(name);
      const made = gpu.detached(() => gpu.tensor(values, shape, name, half ? "f16" : "f32"));
      held.push(made);
      return made;
    };
    const notes = notesFor(watched, sizes);
    const race_notes = tensor("notes", notes, [notes.length]);
    const bindings = Object.fromEntries(
      source.bindings.map(({ name }) => {
        const values = inputs.get(name);
        return [name, values && tensor(name, values, shapes[name]!)];
      }),
    );
    gpu.dispatch(watched.source, {
      constants,
      bindings: { ...bindings, race_notes },
      params,
      workgroups,
    });
    const found = await gpu.read([race_notes.view([HEAD])]);
    fault = raceIn(watched, new Uint32Array(found[0].buffer));
  } catch (error) {
    gpu.check();
    fault = `watched for races: ${(error as Error).message}`;
  } finally {
    for (const one of held) one.destroy();
  }
  const ms = performance.now() - start;
  const { family } = reference;
  return { capture, family, error: fault ? Infinity : 0, fault, compared: 0, runs: 1, ms };
}
