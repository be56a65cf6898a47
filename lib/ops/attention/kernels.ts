/**
 * The kernels behind attention, put together from what they share.
 *
 * @module
 */
import code from "../../../kernels/attention.wgsl" with { type: "text" };
import keyCode from "../../../kernels/attention_backward_kv.wgsl" with { type: "text" };
import queryCode from "../../../kernels/attention_backward_q.wgsl" with { type: "text" };
import mapCode from "../../../kernels/attention_map.wgsl" with { type: "text" };
import subgroupCode from "../../../kernels/attention_subgroup.wgsl" with { type: "text" };
import subgroupKeyCode from "../../../kernels/attention_subgroup_kv.wgsl" with { type: "text" };
import subgroupQueryCode from "../../../kernels/attention_subgroup_q.wgsl" with { type: "text" };
import tiledCode from "../../../kernels/attention_tiled.wgsl" with { type: "text" };
import tiledKeyCode from "../../../kernels/attention_tiled_kv.wgsl" with { type: "text" };
import tiledQueryCode from "../../../kernels/attention_tiled_q.wgsl" with { type: "text" };
import broadcastPart from "../../../kernels/shared/attention_broadcast.wgsl" with { type: "text" };
import deltaPart from "../../../kernels/shared/attention_delta.wgsl" with { type: "text" };
import forwardPart from "../../../kernels/shared/attention_forward.wgsl" with { type: "text" };
import gradientPart from "../../../kernels/shared/attention_gradient.wgsl" with { type: "text" };
import headPart from "../../../kernels/shared/attention_head.wgsl" with { type: "text" };
import keyPart from "../../../kernels/shared/attention_key.wgsl" with { type: "text" };
import loadPart from "../../../kernels/shared/attention_load.wgsl" with { type: "text" };
import outPart from "../../../kernels/shared/attention_out.wgsl" with { type: "text" };
import queryPart from "../../../kernels/shared/attention_query.wgsl" with { type: "text" };
import rowsPart from "../../../kernels/shared/attention_rows.wgsl" with { type: "text" };
import streamsPart from "../../../kernels/shared/attention_streams.wgsl" with { type: "text" };
import tilePart from "../../../kernels/shared/attention_tile.wgsl" with { type: "text" };
import walkPart from "../../../kernels/shared/attention_walk.wgsl" with { type: "text" };
import { defineKernel } from "../../gpu.ts";

const HEAD = { name: "attention_head", code: headPart };
const LOAD = { name: "attention_load", code: loadPart };
const ROWS = { name: "attention_rows", code: rowsPart };
const WALK = { name: "attention_walk", code: walkPart };
const BROADCAST = { name: "attention_broadcast", code: broadcastPart };
const FORWARD = { name: "attention_forward", code: forwardPart };
const QUERY = { name: "attention_query", code: queryPart };
const KEY = { name: "attention_key", code: keyPart };
const OUT = { name: "attention_out", code: outPart };
const DELTA = { name: "attention_delta", code: deltaPart };
const TILE = { name: "attention_tile", code: tilePart };
const STREAMS = { name: "attention_streams", code: streamsPart };
const GRADIENT = { name: "attention_gradient", code: gradientPart };

const ALONE = [HEAD, LOAD, WALK];
const TOGETHER = { subgroups: true, shared: [HEAD, BROADCAST] };

/** Each invocation by itself. */
export const PLAIN = {
  forward: defineKernel("attention", code, { shared: [...ALONE, ROWS, FORWARD, OUT] }),
  backwardQ: defineKernel("attention_backward_q", queryCode, {
    shared: [...ALONE, ROWS, QUERY, DELTA, GRADIENT],
  }),
  backwardKv: defineKernel("attention_backward_kv", keyCode, {
    shared: [...ALONE, KEY, STREAMS, GRADIENT],
  }),
};

/** Lanes by broadcast. */
export const SUBGROUP: typeof PLAIN = {
  forward: defineKernel("attention_subgroup", subgroupCode, {
    ...TOGETHER,
    shared: [...TOGETHER.shared, FORWARD],
  }),
  backwardQ: defineKernel("attention_subgroup_q", subgroupQueryCode, {
    ...TOGETHER,
    shared: [...TOGETHER.shared, QUERY],
  }),
  backwardKv: defineKernel("attention_subgroup_kv", subgroupKeyCode, {
    ...TOGETHER,
    shared: [...TOGETHER.shared, KEY],
  }),
};

/** A workgroup by tiles, through its memory. */
export const TILED: typeof PLAIN = {
  forward: defineKernel("attention_tiled", tiledCode, { shared: [TILE, LOAD, ROWS, OUT] }),
  backwardQ: defineKernel("attention_tiled_q", tiledQueryCode, {
    shared: [TILE, LOAD, STREAMS, DELTA, GRADIENT],
  }),
  backwardKv: defineKernel("attention_tiled_kv", tiledKeyCode, {
    shared: [TILE, LOAD, STREAMS, GRADIENT],
  }),
};

/** Probabilities, one query and key at a time. */
export const MAP = defineKernel("attention_map", mapCode, { shared: [LOAD] });
