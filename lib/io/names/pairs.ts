/**
 * Tables of names: what a parameter of Hatchling is called elsewhere, in a form that is read in both directions.
 *
 * @module
 */

/**
 * A row: our name, and theirs. `#` is the number of a block. A name that ends with a point stands for all that begin
 * with it. Several names of theirs are equal parts of ours along the first axis, in order; an empty one is a part of
 * zeros that they do not store.
 */
export type NameRow = readonly [ours: string, ...theirs: string[]];

/** The rows of a layout; of several that fit, the first counts. What no row names is called the same. */
export type NameTable = readonly NameRow[];

/** The name as an expression; a point at the end takes what follows. */
function patternOf(name: string): RegExp {
  const escaped = name.replace(/[.]/g, "\\.").replace("#", "(?<block>\\d+)");
  return new RegExp(`^${escaped}${name.endsWith(".") ? "(?<rest>.+)" : ""}$`);
}

/**
 * What they call a parameter of ours: one name, or those of its parts.
 *
 * @example
 * ```ts
 * import { theirNames } from "./pairs.ts";
 *
 * const table = [["blocks.#.attn.qkv.", "layer.#.q.", "layer.#.k.", "layer.#.v."]] as const;
 * console.assert(theirNames(table, "blocks.3.attn.qkv.bias").join() === "layer.3.q.bias,layer.3.k.bias,layer.3.v.bias");
 * ```
 */
export function theirNames(table: NameTable, name: string): string[] {
  for (const [ours, ...theirs] of table) {
    const found = patternOf(ours).exec(name);
    if (!found) continue;
    const { block = "", rest = "" } = found.groups ?? {};
    return theirs.map((their) => their && their.replace("#", block) + rest);
  }
  return [name];
}

/** What a tensor of theirs is to us: a parameter, or part `index` of `parts` equal ones along its first axis. */
export interface OurPart {
  /** Our name. */
  name: string;
  /** Which part, from 0. */
  index: number;
  /** Of how many. */
  parts: number;
}

/** What we call a tensor of theirs; undefined where no row has it. */
export function ourName(table: NameTable, name: string): OurPart | undefined {
  for (const [ours, ...theirs] of table) {
    for (const [index, their] of theirs.entries()) {
      const found = their && patternOf(their).exec(name);
      if (!found) continue;
      const { block = "", rest = "" } = found.groups ?? {};
      return { name: ours.replace("#", block) + rest, index, parts: theirs.length };
    }
  }
}
