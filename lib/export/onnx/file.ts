/**
 * ONNX files of a model's parts: opset 17, whose operators every runtime of the last years has.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import type { DinoModel } from "../../model.ts";
import { ResNet } from "../../model/resnet.ts";
import { pooling, prefixTokens, type VitShape, vitShape } from "../shape.ts";
import { GraphBuilder, type OnnxDtype, type Size, type Weights } from "./graph.ts";
import { buildHead } from "./head.ts";
import { encodeModel, type Graph } from "./schema.ts";
import { buildResnet } from "./resnet.ts";
import { buildVit } from "./vit.ts";

/** LayerNormalization came with 17; 18 changed the axes of ReduceMean. */
const OPSET = 17n;
/** The version of the format that goes with it. */
const IR_VERSION = 8n;

/** What is written. */
export interface OnnxOptions {
  /** What the network computes with. */
  dtype: OnnxDtype;
  /** Also gives the attention of the last block. */
  attention?: boolean;
  /** What the file says of itself. */
  metadata: Readonly<Record<string, string>>;
}

/**
 * Bytes of a file with the backbone of a model.
 *
 * @throws {HatchlingError} When the attention is asked for of a ResNet, or there are more than 2 GiB.
 */
export function backboneOnnx(
  { backbone }: DinoModel,
  weights: Weights,
  options: OnnxOptions,
): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder(options.dtype);
  if (backbone instanceof ResNet) resnet(graph, backbone, weights, options);
  else vit(graph, vitShape(backbone), weights, options);
  return fileOf(graph.finish("backbone"), options);
}

function vit(graph: GraphBuilder, shape: VitShape, weights: Weights, options: OnnxOptions): void {
  const { dim, heads, inChans, imageSize, patchSize, posEmbed } = shape;
  const free = posEmbed === "rope";
  const [height, width]: Size[] = free ? ["height", "width"] : [imageSize, imageSize];
  const count: Size = free ? "tokens" : prefixTokens(shape) + (imageSize / patchSize) ** 2;
  const words = `pictures, normalised; sides are ${
    free ? `multiples of ${patchSize}` : imageSize
  } pixels`;
  const pixels = graph.input("pixel_values", ["batch", inChans, height, width], words);
  const out = buildVit(graph, pixels, shape, weights);
  const order = [shape.classToken && "class token", shape.registers && "registers", "patches"];
  const tokens = order.filter(Boolean).join(", ");
  graph.output("last_hidden_state", out.tokens, ["batch", count, dim], `tokens: ${tokens}`);
  const feature = pooling(shape) === "class" ? "the class token" : "the mean of the patch tokens";
  graph.output("pooler_output", out.pooled, ["batch", dim], feature);
  if (options.attention) {
    const sizes: Size[] = ["batch", heads, count, count];
    graph.output("attention", out.attention, sizes, "who looks at whom in the last block");
  }
}

function resnet(
  graph: GraphBuilder,
  { config, dim, kind }: ResNet,
  weights: Weights,
  { attention }: OnnxOptions,
): void {
  if (attention) {
    throw new HatchlingError(
      `Expected a vision transformer with --attention but found ${kind}: leave it out`,
    );
  }
  const sizes: Size[] = ["batch", config.inChans, "height", "width"];
  const pixels = graph.input("pixel_values", sizes, "pictures of any size, normalised");
  const { map, pooled } = buildResnet(graph, pixels, config, weights);
  graph.output("last_hidden_state", map, ["batch", dim, "rows", "cols"], "the last map");
  graph.output("pooler_output", pooled, ["batch", dim], "the mean of the last map");
}

/**
 * Bytes of a file with DINO's head.
 *
 * @throws {HatchlingError} When the model has none.
 */
export function headOnnx(
  { head, feature }: DinoModel,
  weights: Weights,
  options: OnnxOptions,
): Uint8Array<ArrayBuffer> {
  if (!head) {
    throw new HatchlingError(
      "Expected DINO's head to export but this model was trained without one: take --part backbone",
    );
  }
  const { inDim, bottleneckDim, outDim } = head.config;
  const graph = new GraphBuilder(options.dtype);
  const features = graph.input("features", ["batch", inDim], `the feature ${feature}`);
  const { bottleneck, logits } = buildHead(graph, features, head.config, weights);
  graph.output("bottleneck", bottleneck, ["batch", bottleneckDim], "rows of length 1");
  graph.output("logits", logits, ["batch", outDim], "cosines with the prototypes, times gains");
  return fileOf(graph.finish("head"), options);
}

function fileOf(graph: Graph, { metadata }: OnnxOptions): Uint8Array<ArrayBuffer> {
  return encodeModel({
    irVersion: IR_VERSION,
    producerName: "Hatchling",
    producerVersion: "",
    docString: metadata.description ?? "",
    opsetImport: [{ domain: "", version: OPSET }],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph,
  });
}
