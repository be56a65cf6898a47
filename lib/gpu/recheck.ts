/**
 * Running dispatches of a program twice, on the same memory, and comparing what they write bit for bit: whoever
 * computes something else the second time has a race, or runs on a machine that is not to be trusted.
 *
 * @module
 */
import code from "../../kernels/hash.wgsl" with { type: "text" };
import type { Dispatch } from "./dispatch.ts";
import type { Gpu } from "./gpu.ts";
import { defineKernel } from "./kernel.ts";
import type { Cost, Submission } from "./pace.ts";
import { type Program, record } from "./program.ts";
import { encode } from "./submit_queue.ts";
import { roundUp, Tensor } from "./tensor.ts";

/** Hashes bits. */
export const HASH = defineKernel("hash", code);
/** Lanes that hash, each for itself, and words that they look at. */
export const LANES = 512;
const SAMPLES = 2 ** 17;
/** Share of a program's memory that may be taken to keep what a dispatch is about to write over, and bytes at least. */
const SHARE = 1 / 16, LEAST = 16 * 2 ** 20;

/** A dispatch of a program that can be run twice. */
export interface Repeatable {
  /** Its place in the program. */
  readonly index: number;
  /** Its kernel. */
  readonly kernel: string;
  /** What it writes, in words. */
  readonly writes: string;
  /** Milliseconds that the second run and the comparison are expected to take. */
  readonly ms: number;
}

/** One dispatch of every kernel of a program, the cheapest, prepared to be run twice. */
export class Recheck {
  /** What can be run twice. */
  readonly repeatable: readonly Repeatable[];
  /** Kernels of the program, those among them whose results are too large to be kept. */
  readonly kernels: number;
  readonly #gpu: Gpu;
  readonly #program: Program<unknown>;
  readonly #written: readonly Tensor[][];
  readonly #scratch: Tensor;
  readonly #hashes: Tensor;
  readonly #hash: Program<unknown>;
  readonly #firstHash: readonly number[];

  private constructor(
    gpu: Gpu,
    program: Program<unknown>,
    { chosen, kernels, scratch, hashes, hash }: {
      chosen: readonly Chosen[];
      kernels: number;
      scratch: Tensor;
      hashes: Tensor;
      hash: Program<unknown>;
    },
  ) {
    this.#gpu = gpu;
    this.#program = program;
    this.kernels = kernels;
    this.#written = chosen.map(({ written }) => written);
    this.#scratch = scratch;
    this.#hashes = hashes;
    this.#hash = hash;
    let at = 0;
    this.#firstHash = this.#written.map(({ length }) => (at += length) - length);
    this.repeatable = chosen.map(({ index, dispatch, written }, i) => {
      const cost = program.part(index).encoded.cost;
      const hashCost = written.map((_, w) => hash.part(2 * (this.#firstHash[i] + w)).encoded.cost);
      return {
        index,
        kernel: dispatch.pipeline.name,
        writes: written.join(" and "),
        get ms() {
          return [cost, ...hashCost, ...hashCost].reduce((sum, c) => sum + gpu.pace.expected(c), 0);
        },
      };
    });
  }

  /** Prepares the dispatches of a program; takes a sixteenth of its memory at most, or 16 MiB. */
  static async of(gpu: Gpu, program: Program<unknown>): Promise<Recheck> {
    const most = Math.max(LEAST, program.temporaryBytes * SHARE);
    const { chosen, kernels } = choose(program, most);
    const bytes = chosen.map(({ written }) => roomOf(written));
    const scratch = gpu.persistent([Math.max(4, ...bytes.map((n) => n / 4))], "canary scratch");
    const tensors = chosen.flatMap(({ written }) => written);
    const hashes = gpu.persistent([Math.max(1, tensors.length), 2, LANES], "canary hashes");
    const hash = await record(gpu, () =>
      tensors.forEach((x, i) => {
        const n = Math.floor(x.bytes / 4);
        for (const run of [0, 1]) {
          gpu.dispatch(HASH, {
            bindings: { x: new Tensor(gpu, [n], x.storage, x.offset), out: hashes },
            params: { n, samples: SAMPLES, at: (2 * i + run) * LANES },
            workgroups: [LANES / 64],
          });
        }
      }));
    return new Recheck(gpu, program, { chosen, kernels, scratch, hashes, hash });
  }

  /** Runs the dispatch of `repeatable[which]` twice, its memory being as before in between, in a submission of its own. */
  run(which: number): Submission {
    const gpu = this.#gpu, { device, pace, queue } = gpu;
    queue.flush();
    const { encoded } = this.#program.part(this.repeatable[which].index);
    const written = this.#written[which], first = this.#firstHash[which];
    const costs = [], encoder = device.createCommandEncoder();
    const clock = gpu.stopwatch.begin();
    this.#copy(encoder, written, true);
    for (const again of [0, 1]) {
      const pass = encoder.beginComputePass(
        clock && {
          timestampWrites: {
            querySet: clock.querySet,
            ...again
              ? { endOfPassWriteIndex: clock.end }
              : { beginningOfPassWriteIndex: clock.begin },
          },
        },
      );
      const hashes = written.map((_, w) => this.#hash.part(2 * (first + w) + again).encoded);
      for (const one of [encoded, ...hashes]) {
        encode(pass, one);
        costs.push(one.cost);
      }
      pass.end();
      if (!again) this.#copy(encoder, written, false);
    }
    const submission = pace.submit(costs, costs.reduce((sum, c) => sum + pace.expected(c), 0));
    if (clock) gpu.stopwatch.started(submission);
    device.queue.submit([encoder.finish()]);
    return submission;
  }

  /** Runs what compares once: a driver may compile it then. */
  warmUp(): void {
    this.#hash.run();
  }

  /** The cost of one run of the dispatch. */
  cost(which: number): Cost {
    return this.#program.part(this.repeatable[which].index).encoded.cost;
  }

  /** The hashes of both runs of a dispatch, to be read. */
  hashes(which: number): Tensor {
    const { length } = this.#written[which];
    return this.#hashes.view([length, 2, LANES], 2 * LANES * this.#firstHash[which]);
  }

  /** Whether hashes that were read are of two equal runs. */
  static agree(hashes: Float32Array): boolean {
    const words = new Uint32Array(hashes.buffer, hashes.byteOffset, hashes.length);
    return words.every((word, i) => i % (2 * LANES) >= LANES || word === words[i + LANES]);
  }

  /** Frees what it keeps; the program stays. */
  destroy(): void {
    for (const part of [this.#hash, this.#hashes, this.#scratch]) part.destroy();
  }

  /** Copies what a dispatch writes to the side, or back. */
  #copy(encoder: GPUCommandEncoder, written: readonly Tensor[], aside: boolean): void {
    const side = this.#scratch.binding().buffer;
    let at = 0;
    for (const tensor of written) {
      const { buffer, offset, size } = tensor.binding();
      if (aside) encoder.copyBufferToBuffer(buffer, offset!, side, at, size!);
      else encoder.copyBufferToBuffer(side, at, buffer, offset!, size!);
      at += size!;
    }
  }
}

/** A dispatch with what it writes. */
interface Chosen {
  index: number;
  dispatch: Dispatch;
  written: Tensor[];
}

const roomOf = (tensors: readonly Tensor[]) =>
  tensors.reduce((sum, { bytes }) => sum + roundUp(bytes, 16), 0);

/** Of every kernel the dispatch with the least work whose results are not too large; in the program's order. */
function choose(program: Program<unknown>, most: number): { chosen: Chosen[]; kernels: number } {
  const best = new Map<unknown, Chosen & { units: number }>(), all = new Set<unknown>();
  for (let index = 0; index < program.length; index++) {
    const { dispatch, encoded: { cost: { units } } } = program.part(index);
    const { pipeline, tensors } = dispatch;
    all.add(pipeline);
    const written = tensors.filter((_, i) => pipeline.source.bindings[i].writable);
    if (roomOf(written) > most || units >= (best.get(pipeline)?.units ?? Infinity)) continue;
    best.set(pipeline, { index, dispatch, written, units });
  }
  const chosen = [...best.values()].sort((a, b) => a.index - b.index);
  return { chosen, kernels: all.size };
}
