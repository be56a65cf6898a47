/**
 * Runs dispatches on the GPU, several times each under load, and judges what they leave.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu.ts";
import { BYTES } from "../gpu/tensor.ts";
import { type Capture, elements } from "./capture.ts";
import { judge, POISON, type Verdict } from "./judge.ts";
import { hex, readTwice } from "./read_twice.ts";
import { Draw, Given, type Reference, type Values } from "./reference.ts";
import { referenceOf } from "./references.ts";

/** A dispatch, proven or not. */
export interface Proof {
  /** The dispatch. */
  capture: Capture;
  /** What its kernel is for. */
  family: string;
  /** Largest error in units of its bound; infinite where there is no telling. */
  error: number;
  /** What is wrong, in words; empty where nothing is. */
  fault: string;
  /** Outputs compared one by one. */
  compared: number;
  /** Times that it ran. */
  runs: number;
  /** Milliseconds, compiling included; of several that ran together each has its share. */
  ms: number;
}

/** How much is done. */
export interface Effort {
  /** Operations of the reference of a dispatch, about. */
  operations: number;
  /** Runs of a dispatch, whose bits are compared. */
  runs: number;
  /** Bytes of tensors at once. */
  bytes: number;
}

/** A dispatch as it is run: its tensors, those written once for every run. */
export interface Prepared {
  capture: Capture;
  reference: Reference;
  given: Given;
  inputs: ReadonlyMap<string, Values>;
  written: readonly string[];
}

/** Bytes of a dispatch with all of its runs. */
export function bytesOf(capture: Capture, runs: number): number {
  return capture.source.bindings.reduce((sum, { name, writable }) => {
    const each = capture.halves.includes(name) ? BYTES.f16 : BYTES.f32;
    return sum + each * elements(capture, name) * (writable ? runs : 1);
  }, 0);
}

/** Proves dispatches, as many at once as there is room for. */
export async function prove(
  gpu: Gpu,
  captures: readonly Capture[],
  effort: Effort,
  onProgress: (done: number) => void = () => {},
): Promise<{ proofs: Proof[]; left: string[] }> {
  const proofs: Proof[] = [], left: string[] = [];
  let batch: Capture[] = [], bytes = 0;
  const flush = async () => {
    if (batch.length) proofs.push(...await proveBatch(gpu, batch, effort));
    [batch, bytes] = [[], 0];
    onProgress(proofs.length);
  };
  for (const capture of captures) {
    const more = bytesOf(capture, effort.runs);
    if (more > effort.bytes) {
      // By itself, and no more than twice.
      await flush();
      const twice = { ...effort, runs: 2 };
      if (bytesOf(capture, 2) > LARGEST * effort.bytes) left.push(describe(capture));
      else proofs.push(...await proveBatch(gpu, [capture], twice));
      continue;
    }
    if (batch.length && (bytes + more > effort.bytes || batch.length >= MOST)) await flush();
    batch.push(capture);
    bytes += more;
  }
  await flush();
  return { proofs, left };
}

/** Of the bytes that many dispatches take together, how often a single one may take them. */
const LARGEST = 8;

/** A dispatch in words. */
export function describe({ source, shapes }: Capture): string {
  const sizes = Object.entries(shapes).filter(([, shape]) => shape)
    .map(([name, shape]) => `${name} [${shape!.join(", ")}]`);
  return `${source.name} of ${sizes.join(", ")}`;
}

/** Dispatches that run between two waits. */
const MOST = 32;

/** Proves some together; where the driver refuses, each by itself, so that the one to blame is known. */
async function proveBatch(
  gpu: Gpu,
  captures: readonly Capture[],
  effort: Effort,
): Promise<Proof[]> {
  const start = performance.now();
  try {
    const proofs = await runAll(gpu, captures, effort);
    const ms = (performance.now() - start) / captures.length;
    return proofs.map((proof) => ({ ...proof, ms }));
  } catch (error) {
    gpu.check(); // the loss of the device is nobody's fault
    if (error instanceof TypeError || error instanceof ReferenceError) throw error; // a reference's, not a machine's
    if (captures.length === 1) return [failed(captures[0], (error as Error).message)];
    const proofs: Proof[] = [];
    for (const capture of captures) proofs.push(...await proveBatch(gpu, [capture], effort));
    return proofs;
  }
}

function failed(capture: Capture, why: string): Proof {
  const family = referenceOf(capture.source)?.family ?? "unknown";
  return { capture, family, error: Infinity, fault: why, compared: 0, runs: 0, ms: 0 };
}

async function runAll(
  gpu: Gpu,
  captures: readonly Capture[],
  { operations, runs }: Effort,
): Promise<Proof[]> {
  const work = captures.map((capture, i) => prepare(capture, i));
  const held: Tensor[] = [];
  const tensor = (name: string, values: Values, shape: readonly number[], half = false) => {
    const made = gpu.detached(() => gpu.tensor(values, shape, name, half ? "f16" : "f32"));
    held.push(made);
    return made;
  };
  const tensorOf = ({ shapes, halves }: Capture, name: string, values: Values) =>
    tensor(name, values, shapes[name]!, halves.includes(name));
  try {
    const inputs = work.map(({ capture, inputs, written }) =>
      new Map(
        [...inputs].filter(([name]) => !written.includes(name))
          .map(([name, values]) => [name, tensorOf(capture, name, values)]),
      )
    );
    const mark = Uint32Array.of(...crypto.getRandomValues(new Uint32Array(4)));
    const marker = tensor("mark", mark, [4]);
    const outputs: ReadonlyMap<string, Tensor>[][] = work.map(() => []);
    // Round by round, so that others run between two runs of the same.
    for (let run = 0; run < runs; run++) {
      work.forEach(({ capture, inputs: values, written }, i) => {
        const mine = new Map(
          written.map((name) => [name, tensorOf(capture, name, values.get(name)!)]),
        );
        outputs[i].push(mine);
      });
      work.forEach(({ capture }, i) => {
        const { source, shapes, constants, params, workgroups } = capture;
        const bindings = Object.fromEntries(
          Object.keys(shapes).map((
            name,
          ) => [name, outputs[i][run].get(name) ?? inputs[i].get(name)]),
        );
        gpu.dispatch(source, { constants, bindings, params, workgroups });
      });
    }
    const list = outputs.flatMap((rounds) => rounds.flatMap((round) => [...round.values()]));
    const read = await readTwice(gpu, marker, mark, list);
    return work.map((one, i) => {
      const rounds = outputs[i].map((round) =>
        new Map([...round].map(([name, tensor]) => [name, read.get(tensor)!]))
      );
      return proofOf(one, rounds, operations);
    });
  } finally {
    for (const one of held) one.destroy();
  }
}

/** Fills a dispatch's tensors; those that are written and not read hold poison. */
export function prepare(capture: Capture, seed: number): Prepared {
  const { source, shapes } = capture;
  const reference = referenceOf(source);
  if (!reference) {
    throw new HatchlingError(
      `Kernel ${source.name}: expected a reference in lib/prove/references/ but there is none`,
    );
  }
  const inputs = new Map<string, Values>();
  const given = new Given(capture, inputs);
  const kept = reference.kept?.(given) ?? [];
  for (const { name, writable } of source.bindings) {
    if (!shapes[name]) continue;
    const n = elements(capture, name);
    const draw = new Draw(n, seed * 31 + inputs.size + 1);
    const half = capture.halves.includes(name);
    if (writable && !kept.includes(name)) {
      inputs.set(name, half ? new Float32Array(n).fill(NaN) : new Uint32Array(n).fill(POISON));
      continue;
    }
    const values = reference.fill?.[name]?.(draw, capture) ?? draw.normal();
    inputs.set(name, half ? Float32Array.from(new Float16Array(values)) : values);
  }
  const written = source.bindings.filter(({ name, writable }) => writable && shapes[name])
    .map(({ name }) => name);
  return { capture, reference, given, inputs, written };
}

function proofOf(
  { capture, reference, given, written }: Prepared,
  rounds: readonly ReadonlyMap<string, Uint32Array>[],
  operations: number,
): Proof {
  const verdict: Verdict = judge(reference, given, rounds[0], { operations });
  let fault = verdict.error <= 1 ? "" : verdict.detail;
  let { error } = verdict;
  for (const name of written) {
    const first = rounds[0].get(name)!;
    for (const [run, round] of rounds.entries()) {
      const again = round.get(name)!;
      const at = first.findIndex((x, i) => x !== again[i]);
      if (at < 0 || fault) continue;
      error = Infinity;
      fault = `${name}[${at}]: expected the same bits each time but found ${
        hex(first.subarray(at, at + 1))
      } in the first run and ${hex(again.subarray(at, at + 1))} in run ${run + 1}: a race`;
    }
  }
  const { family } = reference;
  const { compared } = verdict;
  return { capture, family, error, fault, compared, runs: rounds.length, ms: 0 };
}
