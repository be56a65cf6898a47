/**
 * What a kernel's text takes of a GPU's core: counted, not declared.
 *
 * @module
 */
import type { Constants, KernelSource } from "../../lib/gpu.ts";

/** What a workgroup takes, and how its invocations read. */
export interface Footprint {
  /** Invocations. */
  invocations: number;
  /** Bytes of workgroup memory. */
  memory: number;
  /** Bytes that an invocation reads at once from the first tensor that is not written. */
  load: number;
}

const BYTES: Readonly<Record<string, number>> = {
  ...{ f32: 4, u32: 4, i32: 4, vec2f: 8, vec2u: 8, vec3f: 16, vec4f: 16, vec4u: 16 },
  ...{ mat2x4f: 32, mat4x4f: 64 },
};

/** Counts it for some override constants. */
export function footprintOf({ name, code }: KernelSource, constants: Constants): Footprint {
  const text = code.replace(/\/\/.*$/gm, "");
  const given: Record<string, number> = {};
  for (const [, key, value] of text.matchAll(/\boverride (\w+)\s*:\s*\w+\s*=\s*(\w+);/g)) {
    given[key] = value === "true" ? 1 : value === "false" ? 0 : Number(value.replace(/u$/, ""));
  }
  for (const [key, value] of Object.entries(constants)) given[key] = +value;
  const number = (expression: string): number => {
    const known = expression.replace(/[A-Za-z_]\w*/g, (key) => {
      if (key in given) return `${given[key]}`;
      throw new Error(`${name}: expected an override or a number but found ${key}`);
    });
    return Function(`return ${known.replace(/(\d)u\b/g, "$1")}`)() as number;
  };
  const size = text.match(/@workgroup_size\(([^)]*)\)/)![1];
  const invocations = size.split(",").filter((s) => s.trim())
    .reduce((product, part) => product * number(part.replace(/(\d)u\b/g, "$1")), 1);
  let memory = 0;
  for (
    const [, type, length] of text.matchAll(/var<workgroup>\s+\w+\s*:\s*array<(\w+),\s*([^>]+)>/g)
  ) {
    memory += BYTES[type] * number(length.replace(/(\d)u\b/g, "$1"));
  }
  for (const [, type] of text.matchAll(/var<workgroup>\s+\w+\s*:\s*(\w+)\s*;/g)) {
    memory += BYTES[type];
  }
  const [, element] = text.match(/var<storage(?:, read)?>\s*\w+\s*:\s*array<(\w+)>/) ?? [];
  const whole = /vec4/.test(element ?? "") && given.VEC !== 0;
  return { invocations, memory, load: whole ? 16 : 4 };
}
