/**
 * From a dispatch to the way of doing its kind of work that it belongs to: what is struck off when it is wrong.
 *
 * @module
 */
import { constantsOfTile, tileOf, VARIANTS } from "../ops/matmul/variants.ts";
import { COLUMNS } from "../ops/reduce.ts";
import { HELD_WAY, ROWS } from "../ops/row_launch.ts";
import type { Capture } from "./capture.ts";

/** A way of doing a kind of work. */
export interface Way {
  /** As in {@linkcode Gpu.struck}: "matmul", say. */
  kind: string;
  /** "staged 64x64", say. */
  way: string;
}

/** The way that a dispatch belongs to; undefined for kernels that have no other. */
export function wayOf({ source: { name, code }, constants }: Capture): Way | undefined {
  if (/^matmul_staged/.test(name)) {
    const way = VARIANTS.find((variant) =>
      tileOf(variant) &&
      Object.entries(constantsOfTile(variant)).every(([key, value]) => constants[key] === value)
    );
    return way && { kind: "matmul", way };
  }
  if (/^matmul_(subgroup|naive)/.test(name)) return { kind: "matmul", way: name.split("_")[1] };
  if (/^matmul(_conv\w*)?$/.test(name)) return { kind: "matmul", way: "plain" };
  if (/^attention_subgroup/.test(name)) return { kind: "attention", way: "subgroup" };
  if (/^attention(_backward\w*)?$/.test(name)) {
    return { kind: "attention", way: constants.STAGED ? "staged" : "plain" };
  }
  if (/^(layer_norm|softmax)\w*_subgroup$/.test(name)) return { kind: ROWS, way: HELD_WAY };
  if (constants.LANES === undefined) return undefined;
  const kind = /@workgroup_size\(8, LANES\)/.test(code) ? COLUMNS : ROWS;
  return { kind, way: String(constants.LANES) };
}

/** As it stands in {@linkcode Gpu.struck}. */
export function nameOf({ kind, way }: Way): string {
  return `${kind} ${way}`;
}
