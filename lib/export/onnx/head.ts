/**
 * DINO's projection head as a network of ONNX operators.
 *
 * @module
 */
import type { DinoHeadConfig } from "../../model/head.ts";
import type { GraphBuilder, Weights } from "./graph.ts";

/** What the head makes of features. */
export interface HeadOutputs {
  /** Rows of length 1, [batch, bottleneck]. */
  bottleneck: string;
  /** [batch, K]. */
  logits: string;
}

/** Builds a head on features [batch, F]; the weight norm of its last layer, where it has one, is multiplied out. */
export function buildHead(
  graph: GraphBuilder,
  features: string,
  { inDim, hiddenDim, bottleneckDim, outDim, layers, useWeightNorm }: Required<DinoHeadConfig>,
  weights: Weights,
): HeadOutputs {
  const widths = [inDim, ...Array<number>(layers - 1).fill(hiddenDim), bottleneckDim];
  let x = features;
  for (let i = 0; i < layers; i++) {
    const name = layers === 1 ? "head.mlp" : `head.mlp.${2 * i}`;
    x = graph.linear(x, name, weights, [widths[i + 1], widths[i]]);
    if (i < layers - 1) x = graph.gelu(x);
  }
  // In f32 whatever the network computes with: squares overflow f16.
  const wide = graph.cast(x, "f32");
  const length = graph.op("ReduceL2", [wide], { axes: [-1], keepdims: 1 });
  const unit = graph.op("Div", [wide, graph.op("Max", [length, graph.number(1e-12, "f32")])]);
  const bottleneck = graph.cast(unit);
  const layer: Weights = useWeightNorm ? () => lastLayer(weights, outDim, bottleneckDim) : weights;
  const logits = graph.linear(bottleneck, "head.last_layer", layer, [outDim, bottleneckDim], false);
  return { bottleneck, logits };
}

/** g · v / ‖v‖ of every row. */
function lastLayer(weights: Weights, rows: number, cols: number): Float32Array {
  const v = weights("head.last_layer.weight_v"), g = weights("head.last_layer.weight_g");
  const out = new Float32Array(v.length);
  for (let r = 0; r < rows; r++) {
    let squares = 0;
    for (let c = 0; c < cols; c++) squares += v[r * cols + c] ** 2;
    const scale = g[r] / Math.sqrt(squares);
    for (let c = 0; c < cols; c++) out[r * cols + c] = scale * v[r * cols + c];
  }
  return out;
}
