/**
 * A ResNet as a network of ONNX operators.
 *
 * @module
 */
import { blocksOf, type ConvSpec, type ResNetConfig, stemOf } from "../../model/resnet_shape.ts";
import type { GraphBuilder, Weights } from "./graph.ts";

/** Of every batch norm. */
const EPSILON = 1e-5;

/** Builds a ResNet on pictures [batch, C, H, W]: its last map [batch, D, rows, cols] and the mean of that, [batch, D]. */
export function buildResnet(
  graph: GraphBuilder,
  pixels: string,
  config: Required<ResNetConfig>,
  weights: Weights,
): { map: string; pooled: string } {
  const relu = (x: string) => graph.op("Relu", [x]);
  const conv = (x: string, spec: ConvSpec) => convNorm(graph, x, spec, weights);
  let x = relu(conv(pixels, stemOf(config)));
  x = graph.op("MaxPool", [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  for (const { convs, downsample } of blocksOf(config)) {
    const shortcut = downsample ? conv(x, downsample) : x;
    let branch = x;
    convs.forEach((spec, i) => {
      branch = conv(i ? relu(branch) : branch, spec);
    });
    x = relu(graph.op("Add", [branch, shortcut]));
  }
  return { map: x, pooled: graph.op("Flatten", [graph.op("GlobalAveragePool", [x])], { axis: 1 }) };
}

function convNorm(
  graph: GraphBuilder,
  x: string,
  { conv, norm, inputs, outputs, side, stride }: ConvSpec,
  weights: Weights,
): string {
  const kernel = graph.weight(
    `${conv}.weight`,
    weights(`${conv}.weight`),
    [outputs, inputs, side, side],
  );
  const pad = (side - 1) / 2;
  const convolved = graph.op("Conv", [x, kernel], {
    kernel_shape: [side, side],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
  });
  const parts = ["weight", "bias", "running_mean", "running_var"].map((part) => {
    return graph.weight(`${norm}.${part}`, weights(`${norm}.${part}`), [outputs]);
  });
  return graph.op("BatchNormalization", [convolved, ...parts], { epsilon: { float: EPSILON } });
}
