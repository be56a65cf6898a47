/**
 * WGSL that several kernels share.
 *
 * @module
 */
import bitsCode from "../../kernels/shared/bits.wgsl" with { type: "text" };
import foursCode from "../../kernels/shared/fours.wgsl" with { type: "text" };
import geluCode from "../../kernels/shared/gelu.wgsl" with { type: "text" };
import laneSumCode from "../../kernels/shared/lane_sum.wgsl" with { type: "text" };
import heldRowsCode from "../../kernels/shared/held_rows.wgsl" with { type: "text" };
import lanesCode from "../../kernels/shared/lanes.wgsl" with { type: "text" };
import putCode from "../../kernels/shared/put.wgsl" with { type: "text" };
import sourceCode from "../../kernels/shared/source.wgsl" with { type: "text" };
import walkRowsCode from "../../kernels/shared/walk_rows.wgsl" with { type: "text" };
import weightVCode from "../../kernels/shared/weight_v.wgsl" with { type: "text" };
import type { SharedCode } from "../gpu.ts";

/** Numbers that are not finite, by their bits. */
export const BITS: SharedCode = { name: "bits", code: bitsCode };

/** Rows in vec4s or single elements: `VEC`, and sums of what they leave. */
export const FOURS: SharedCode = { name: "fours", code: foursCode };

/** erf, GELU and its derivative, of the kernel's `Real`. */
export const GELU: SharedCode = { name: "gelu", code: geluCode };

/** Rows that invocations of a GPU hold in registers, and sums over them. */
export const HELD_ROWS: SharedCode = { name: "held_rows", code: heldRowsCode };

/** Sums and maxima over the lanes of a row, through workgroup memory. */
export const LANES: SharedCode = { name: "lanes", code: lanesCode };

/** Sums over the eight lanes that hold a row, by broadcast. */
export const LANE_SUM: SharedCode = { name: "lane_sum", code: laneSumCode };

/** Writes of one or four elements to `out`. */
export const PUT: SharedCode = { name: "put", code: putCode };

/** Reads of one or four elements of `src`, and of `out`. */
export const SOURCE: SharedCode = { name: "source", code: sourceCode };

/** Walks rows in elements; the kernel says what becomes of one. */
export const WALK_ROWS: SharedCode = { name: "walk_rows", code: walkRowsCode };

/** Reads of a weight-normed layer's directions. */
export const WEIGHT_V: SharedCode = { name: "weight_v", code: weightVCode };
