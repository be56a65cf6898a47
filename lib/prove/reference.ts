/**
 * What a reference of a kernel is: how its tensors are filled, and what each of its outputs has to be.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Bounded } from "./bounded.ts";
import { type Capture, elements } from "./capture.ts";
import { uniforms } from "./numbers.ts";

/** What a tensor holds. */
export type Values = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** A dispatch with what its tensors hold before it. */
export class Given {
  /** The dispatch. */
  readonly capture: Capture;
  /** Its numbers. */
  readonly p: Readonly<Record<string, number>>;
  readonly #values: ReadonlyMap<string, Values>;

  /** A dispatch, and its tensors by name. */
  constructor(capture: Capture, values: ReadonlyMap<string, Values>) {
    this.capture = capture;
    this.p = capture.params;
    this.#values = values;
  }

  /** The value of an override; false is 0. */
  c(name: string, otherwise = 0): number {
    return this.capture.constants[name] ?? otherwise;
  }

  /** A tensor of floats. */
  f(name: string): Float32Array {
    return this.#of(name) as Float32Array;
  }

  /** A tensor of whole numbers. */
  u(name: string): Uint32Array {
    const values = this.#of(name);
    return values instanceof Uint32Array ? values : new Uint32Array(values.buffer);
  }

  /** Whether the dispatch has a tensor for a binding. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Elements of a tensor; 0 without one. */
  size(name: string): number {
    return elements(this.capture, name);
  }

  #of(name: string): Values {
    const values = this.#values.get(name);
    if (values) return values;
    throw new HatchlingError(
      `Proof of ${this.capture.source.name}: expected a tensor for ${name} but it has none`,
    );
  }
}

/** Takes what an output has to be: a value with its bound, or a whole number of 32 bits. */
export interface Expect {
  /** A float. */
  (binding: string, index: number, value: Bounded | number): void;
  /** A whole number. */
  bits(binding: string, index: number, value: number): void;
  /** A pixel of RGBA8, opaque, each level of which may be so many off. */
  levels(binding: string, index: number, rgb: readonly number[], off: number): void;
}

/** Outputs that are worked out together: a row, say. */
export interface Part {
  /** How many there are. */
  readonly count: number;
  /** Operations of one, about. */
  readonly cost: number;
  /** Works out number i. */
  at(i: number, expect: Expect): void;
}

/** Makes what a tensor holds. */
export type Fill = (draw: Draw, capture: Capture) => Values;

/** A check of all of a result at once, where parts are only samples. */
export interface Whole {
  /** The error in units of its bound. */
  readonly error: number;
  /** Where it is largest. */
  readonly where: string;
}

/** The reference of some kernels. */
export interface Reference {
  /** What they do, for the table. */
  readonly family: string;
  /** Their names; of several references the first one that fits counts. */
  readonly kernels: RegExp;
  /** What their tensors hold, where that is not normal numbers. */
  readonly fill?: Readonly<Record<string, Fill>>;
  /** Tensors that are read and written. Whatever else is written holds the bits of NaN before. */
  readonly kept?: (given: Given) => readonly string[];
  /** What their outputs have to be. */
  parts(given: Given): readonly Part[];
  /** A check of all of the outputs. */
  whole?(given: Given, found: (name: string) => Float32Array): Whole | undefined;
}

/** Draws what tensors hold. */
export class Draw {
  /** Elements of the tensor. */
  readonly n: number;
  /** The next number between 0 and 1. */
  readonly next: () => number;

  /** For a tensor of n elements. */
  constructor(n: number, seed: number) {
    this.n = n;
    this.next = uniforms(seed);
  }

  /** Each element by itself. Of many, a block of them comes again and again: its length divides no size. */
  each(make: (i: number) => number): Float32Array<ArrayBuffer> {
    return repeated(new Float32Array(this.n), make);
  }

  /** Whole numbers, each by itself: what they mean often depends on their place. */
  whole(make: (i: number) => number): Uint32Array<ArrayBuffer> {
    const out = new Uint32Array(this.n);
    for (let i = 0; i < out.length; i++) out[i] = make(i);
    return out;
  }

  /** Uniform between two numbers. */
  uniform(low: number, high: number): Float32Array<ArrayBuffer> {
    return this.each(() => low + (high - low) * this.next());
  }

  /** About normal, by the sum of three uniform numbers: no logarithms, which take longer than the kernels. */
  normal(scale = 1): Float32Array<ArrayBuffer> {
    const { next } = this;
    return this.each(() => 2 * scale * (next() + next() + next() - 1.5));
  }

  /** A whole number below n. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }
}

/** A prime: what repeats after so many is not in step with rows. */
const BLOCK = 65_521;

function repeated<T extends Values>(out: T, make: (i: number) => number): T {
  const own = Math.min(out.length, BLOCK);
  for (let i = 0; i < own; i++) out[i] = make(i);
  for (let at = own; at < out.length; at += own) {
    out.set(out.subarray(0, Math.min(own, out.length - at)) as never, at);
  }
  return out;
}

/** Every element by itself. */
export function elementwise(
  count: number,
  at: (i: number, expect: Expect) => void,
  cost = 1,
): Part[] {
  return [{ count, cost, at }];
}

/** Elements of a row: `width` counts vec4s where VEC is. */
export const widthOf = (g: Given): number => g.p.width * (g.c("VEC") ? 4 : 1);

/** Numbers that steps rewrite: temperatures, rates, momenta. */
export const SCALARS: Fill = (draw) => draw.uniform(0.25, 0.75);
/** Zeros. */
export const ZEROS: Fill = (draw) => draw.whole(() => 0);
