/**
 * Attention of all heads.
 *
 * @module
 */
import { prefixTokens, type VitShape } from "../shape.ts";
import type { GraphBuilder } from "./graph.ts";
import { rotate, type Rotation } from "./rope.ts";

/**
 * softmax(q · kᵀ / √d) · v per head, of qkv [batch, tokens, 3 · D].
 *
 * @param rotation Turns queries and keys of patches, where positions are that.
 */
export function attend(
  graph: GraphBuilder,
  qkv: string,
  shape: VitShape,
  rotation?: Rotation,
): { y: string; attention: string } {
  const { dim, heads } = shape, width = dim / heads;
  const parts = graph.ops("Split", [qkv, graph.ints(dim, dim, dim)], 3, { axis: -1 });
  let [q, k, v] = parts.map((part) => {
    const apart = graph.op("Reshape", [part, graph.ints(0, 0, heads, width)]);
    return graph.op("Transpose", [apart], { perm: [0, 2, 1, 3] });
  });
  if (rotation) {
    [q, k] = [q, k].map((x) => rotate(graph, x, rotation, prefixTokens(shape), width));
  }
  const scaled = graph.op("Mul", [q, graph.number(1 / Math.sqrt(width))]);
  const turned = graph.op("Transpose", [k], { perm: [0, 1, 3, 2] });
  const attention = graph.op("Softmax", [graph.op("MatMul", [scaled, turned])], { axis: -1 });
  const mixed = graph.op("Transpose", [graph.op("MatMul", [attention, v])], { perm: [0, 2, 1, 3] });
  return { y: graph.op("Reshape", [mixed, graph.ints(0, 0, dim)]), attention };
}
