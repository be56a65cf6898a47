/**
 * From a dispatch to the way of doing its kind of work that it belongs to: what is struck off when it is wrong.
 *
 * @module
 */
import { ATTENTION } from "../ops/attention/variants.ts";
import { tileOf, VARIANTS } from "../ops/matmul/variants.ts";
import { PRECISION } from "../ops/precision_task.ts";
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

/** The ways that a dispatch belongs to; none for kernels that have no other. */
export function waysOf({ source: { name, code }, constants, halves }: Capture): Way[] {
  const one = (kind: string, way: string): Way[] => [{ kind, way }];
  // The same kernel of f32 is proven by itself.
  if (halves.length) return one(PRECISION, "f16");
  if (/^matmul_staged/.test(name)) {
    return VARIANTS.filter((variant) => {
      const tile = tileOf(variant);
      return tile && Object.entries(tile).every(([key, value]) => constants[key] === value);
    }).map((way) => ({ kind: "matmul", way }));
  }
  if (/^matmul_(subgroup|naive)/.test(name)) return one("matmul", name.split("_")[1]);
  if (/^matmul(_conv\w*)?$/.test(name)) return one("matmul", "plain");
  if (/^attention_subgroup/.test(name)) return one(ATTENTION, "subgroup");
  if (/^attention_tiled/.test(name)) {
    // Where eight rows are too many for the registers, both have four.
    if (constants.ROWS === 8) return one(ATTENTION, "tiled8");
    const both = constants.CHUNKS > 2 || /_kv$/.test(name);
    return [...one(ATTENTION, "tiled4"), ...both ? one(ATTENTION, "tiled8") : []];
  }
  if (/^attention(_backward\w*)?$/.test(name)) return one(ATTENTION, "plain");
  if (/^(layer_norm|softmax)\w*_(subgroup|held)$/.test(name)) return one(ROWS, HELD_WAY);
  if (constants.LANES === undefined) return [];
  const kind = /@workgroup_size\(8, LANES\)/.test(code) ? COLUMNS : ROWS;
  return one(kind, String(constants.LANES));
}

/** As it stands in {@linkcode Gpu.struck}. */
export function nameOf({ kind, way }: Way): string {
  return `${kind} ${way}`;
}
