/**
 * A vision transformer as a network of ONNX operators.
 *
 * @module
 */
import { pooling, prefixTokens, type VitShape } from "../shape.ts";
import { attend } from "./attention.ts";
import type { GraphBuilder, Weights } from "./graph.ts";
import { rope, type Rotation } from "./rope.ts";

/** What comes out of the last block. */
export interface VitOutputs {
  /** All tokens after the final norm, [batch, tokens, D]. */
  tokens: string;
  /** The class token, or the mean of the patch tokens, [batch, D]. */
  pooled: string;
  /** The last block's attention, [batch, heads, tokens, tokens]. */
  attention: string;
}

/** Builds a vision transformer on pictures [batch, C, H, W]. */
export function buildVit(
  graph: GraphBuilder,
  pixels: string,
  shape: VitShape,
  weights: Weights,
): VitOutputs {
  const { dim, depth, normEps, fcNorm } = shape;
  const rotation = shape.posEmbed === "rope" ? rope(graph, pixels, shape) : undefined;
  let x = embed(graph, pixels, shape, weights);
  let attention = "";
  for (let i = 0; i < depth; i++) {
    const run = block(graph, x, shape, weights, `blocks.${i}`, rotation);
    x = run.y;
    attention = run.attention;
  }
  const tokens = fcNorm ? x : graph.layerNorm(x, "norm", weights, dim, normEps);
  if (pooling(shape) === "class") {
    const pooled = graph.op("Squeeze", [graph.slice(tokens, 1, 0, 1), graph.ints(1)]);
    return { tokens, pooled, attention };
  }
  const patches = graph.slice(tokens, 1, prefixTokens(shape));
  const mean = graph.op("ReduceMean", [patches], { axes: [1], keepdims: 0 });
  const pooled = fcNorm ? graph.layerNorm(mean, "fc_norm", weights, dim, normEps) : mean;
  return { tokens, pooled, attention };
}

/** Class token, registers, patches, with their positions: [batch, tokens, D]. */
function embed(graph: GraphBuilder, pixels: string, shape: VitShape, weights: Weights): string {
  const { dim, patchSize, inChans, imageSize, classToken, registers, posEmbed } = shape;
  const name = "patch_embed.proj";
  const kernel = [dim, inChans, patchSize, patchSize], sides = [patchSize, patchSize];
  const grid = graph.op("Conv", [
    pixels,
    graph.weight(`${name}.weight`, weights(`${name}.weight`), kernel),
    graph.weight(`${name}.bias`, weights(`${name}.bias`), [dim]),
  ], { kernel_shape: sides, strides: sides });
  const rows = graph.op("Reshape", [grid, graph.ints(0, dim, -1)]);
  const patches = graph.op("Transpose", [rows], { perm: [0, 2, 1] });
  const batch = graph.op("Shape", [pixels], { start: 0, end: 1 });
  const tokens = (name: string, count: number) => {
    const to = graph.op("Concat", [batch, graph.ints(count, dim)], { axis: 0 });
    return graph.op("Expand", [graph.weight(name, weights(name), [1, count, dim]), to]);
  };
  const join = (parts: string[]) =>
    parts.length > 1 ? graph.op("Concat", parts, { axis: 1 }) : parts[0];
  let x = join(classToken ? [tokens("cls_token", 1), patches] : [patches]);
  if (posEmbed === "learned") {
    const positions = (classToken ? 1 : 0) + (imageSize / patchSize) ** 2;
    const table = graph.weight("pos_embed", weights("pos_embed"), [1, positions, dim]);
    x = graph.op("Add", [x, table]);
  }
  if (!registers) return x;
  // Registers have no place: they come between class token and patches when those have theirs.
  const between = tokens("reg_token", registers);
  if (!classToken) return join([between, x]);
  return join([graph.slice(x, 1, 0, 1), between, graph.slice(x, 1, 1)]);
}

/** x + ls1 · attn(norm1(x)), then x + ls2 · mlp(norm2(x)). */
function block(
  graph: GraphBuilder,
  x: string,
  shape: VitShape,
  weights: Weights,
  name: string,
  rotation: Rotation | undefined,
): { y: string; attention: string } {
  const { dim, normEps, layerScale, qkvBias } = shape;
  const scaled = (branch: string, which: string) => {
    if (layerScale === null) return branch;
    const gamma = `${name}.${which}.gamma`;
    return graph.op("Mul", [branch, graph.weight(gamma, weights(gamma), [dim])]);
  };
  const normed = graph.layerNorm(x, `${name}.norm1`, weights, dim, normEps);
  const qkv = graph.linear(
    normed,
    `${name}.attn.qkv`,
    weights,
    [3 * dim, dim],
    qkvBias !== "none",
  );
  const { y: attended, attention } = attend(graph, qkv, shape, rotation);
  const proj = graph.linear(attended, `${name}.attn.proj`, weights, [dim, dim]);
  const middle = graph.op("Add", [x, scaled(proj, "ls1")]);
  const second = graph.layerNorm(middle, `${name}.norm2`, weights, dim, normEps);
  const branch = mlp(graph, second, shape, weights, `${name}.mlp`);
  return { y: graph.op("Add", [middle, scaled(branch, "ls2")]), attention };
}

function mlp(
  graph: GraphBuilder,
  x: string,
  { dim, mlp, mlpHiddenDim }: VitShape,
  weights: Weights,
  name: string,
): string {
  if (mlp === "gelu") {
    const hidden = graph.gelu(graph.linear(x, `${name}.fc1`, weights, [mlpHiddenDim, dim]));
    return graph.linear(hidden, `${name}.fc2`, weights, [dim, mlpHiddenDim]);
  }
  const both = graph.linear(x, `${name}.w12`, weights, [2 * mlpHiddenDim, dim]);
  const halves = graph.ints(mlpHiddenDim, mlpHiddenDim);
  const [gate, value] = graph.ops("Split", [both, halves], 2, { axis: -1 });
  const silu = graph.op("Mul", [gate, graph.op("Sigmoid", [gate])]);
  const hidden = graph.op("Mul", [silu, value]);
  return graph.linear(hidden, `${name}.w3`, weights, [dim, mlpHiddenDim]);
}
