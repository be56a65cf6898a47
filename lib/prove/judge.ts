/**
 * Compares what a kernel computed with what its reference says.
 *
 * @module
 */
import type { Bounded } from "./bounded.ts";
import type { Expect, Given, Part, Reference } from "./reference.ts";
import { uniforms } from "./numbers.ts";

/** The largest error of a dispatch, in units of its bound: above 1 is wrong. */
export interface Verdict {
  /** Error over bound; infinite where a bound is none. */
  error: number;
  /** The place and the numbers behind it. */
  detail: string;
  /** Outputs that were compared one by one. */
  compared: number;
}

/** What an output held before the kernel ran: the bits of a NaN that no arithmetic makes. */
export const POISON = 0x7fa5a5a5;

/** Operations of a reference that a dispatch may take; the rest of its parts is left to chance. */
export interface Budget {
  /** About so many. */
  operations: number;
}

/**
 * Most that storing a number as a half may change it: less than a unit in the last place, since Vulkan leaves open in
 * which direction is rounded, and all of a number below the smallest normal one, which may become 0.
 */
function halfError(x: number): number {
  return Math.abs(x) * 2 ** -10 + 2 ** -14;
}

/** Compares outputs. `found` gives the bits of a binding after the dispatch. */
export function judge(
  reference: Reference,
  given: Given,
  found: ReadonlyMap<string, Uint32Array>,
  { operations }: Budget,
): Verdict {
  const verdict: Verdict = { error: 0, detail: "", compared: 0 };
  const { halves } = given.capture;
  const floats = new Map<string, Float32Array>();
  const of = (name: string) => {
    let values = floats.get(name);
    if (!values) {
      const bits = found.get(name)!;
      floats.set(name, values = new Float32Array(bits.buffer, bits.byteOffset, bits.length));
    }
    return values;
  };
  const note = (error: number, detail: () => string) => {
    verdict.compared++;
    if (error <= verdict.error) return;
    verdict.error = Number.isNaN(error) ? Infinity : error;
    verdict.detail = detail();
  };
  const expect: Expect = Object.assign(
    (name: string, index: number, value: Bounded | number) => {
      const [v, own] = typeof value === "number" ? [value, 0] : [value.v, value.e];
      const e = own + (halves.includes(name) ? halfError(v) : 0);
      const is = of(name)[index];
      const error = Math.abs(is - v);
      if (error === 0) return void verdict.compared++;
      // What is flushed to 0 counts as exact.
      note(error / (e + 2 ** -126), () => {
        const empty = found.get(name)![index] === POISON ||
          halves.includes(name) && Number.isNaN(is);
        const was = empty ? "nothing written" : `${is}`;
        return `${name}[${index}]: expected ${v} ± ${e.toPrecision(2)} but found ${was}`;
      });
    },
    {
      bits(name: string, index: number, value: number) {
        const is = found.get(name)![index];
        note(
          is === value ? 0 : Infinity,
          () => `${name}[${index}]: expected ${value} but found ${is}`,
        );
      },
      levels(name: string, index: number, rgb: readonly number[], off: number) {
        const is = found.get(name)![index];
        const most = rgb.reduce((m, x, c) => Math.max(m, Math.abs(x - (is >>> (8 * c) & 255))), 0);
        const wrong = is >>> 24 !== 255 || most > off;
        note(
          wrong ? Infinity : most / (off + 1),
          () =>
            `${name}[${index}]: expected levels ${rgb.join(" ")} within ${off} but found ${
              [0, 8, 16, 24].map((shift) => is >>> shift & 255).join(" ")
            }`,
        );
      },
    },
  );
  const parts = reference.parts(given);
  const all = parts.every((part) => part.count * part.cost <= operations);
  for (const part of parts) for (const i of sample(part, operations)) part.at(i, expect);
  // Sums over outputs say nothing of rounded ones, which are more wrong than all that is summed.
  const rounded = [...found.keys()].some((name) => halves.includes(name));
  const whole = all || rounded ? undefined : reference.whole?.(given, of);
  if (whole) note(whole.error, () => `${whole.where}: ${whole.error.toPrecision(3)} bounds off`);
  return verdict;
}

/** All parts, or the first, the last and some between. */
function* sample({ count, cost }: Part, operations: number): Generator<number> {
  const most = Math.max(2, Math.floor(operations / cost));
  if (count <= most) {
    for (let i = 0; i < count; i++) yield i;
    return;
  }
  yield 0;
  yield count - 1;
  const next = uniforms(count);
  for (let k = 2; k < most; k++) yield Math.floor(next() * count);
}
