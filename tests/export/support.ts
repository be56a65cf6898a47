/** Small models with weights that are not near zero, for exports. */
import { parseConfig } from "../../lib/config.ts";
import { modelOf } from "../../lib/from_config.ts";
import { float32Tensor, serializeSafetensors } from "../../lib/io.ts";
import type { Gpu, Tensor } from "../../lib/gpu.ts";
import { DinoModel, initialize, Parameters, type ParameterSpec, ResNet } from "../../lib/model.ts";
import type { LoadedModel } from "../../lib/open_model/load.ts";

/** The smallest model that is worth exporting, with more keys of the model. */
const toy = (more = "") =>
  [
    "model: {backbone: custom, patch_size: 8, dim: 24, depth: 2, heads: 3, projection_hidden_dim: 20,",
    `  projection_bottleneck_dim: 8, projection_output_dim: 16${more && `, ${more}`}}`,
    "augmentation: {global_crop_size: 32, local_crop_size: 16}",
  ].join("\n");

/** A plain one. */
export const TOY = toy();

const DINOV3 = "pos_embed: rope, registers: 4, layer_scale: 1e-5, qkv_bias: no_key, norm_eps: 1e-5";

/** A model of every family that is exported. */
export const FAMILIES = {
  dino: TOY,
  dinov2: toy("layer_scale: 1e-5"),
  dinov2_registers: toy("layer_scale: 1e-5, registers: 4"),
  dinov2_giant: toy("layer_scale: 1e-5, mlp: swiglu, mlp_hidden_dim: 64"),
  dinov3: toy(DINOV3),
  dinov3_plus: toy(`${DINOV3}, mlp: swiglu, mlp_hidden_dim: 40`),
  plain: toy("qkv_bias: none, use_weight_norm: false"),
  mean: toy("class_token: false, feature: mean"),
  fc_norm: toy("fc_norm: true, registers: 2, feature: mean"),
} as const;

/** Initial weights, each moved a little, so that biases and scales count. */
export function movedWeights(
  specs: readonly ParameterSpec[],
  by = 0.1,
): Map<string, Float32Array> {
  const weights = initialize(specs, 0);
  let at = 0;
  for (const { name, held } of specs) {
    const values = weights.get(name)!;
    for (let i = 0; i < values.length; i++) values[i] += by * Math.sin(1.37 * at++);
    if (held) values.fill(0, ...held);
  }
  return weights;
}

/** A model of a configuration as a command would have loaded it. */
export function loaded(text: string): LoadedModel {
  const config = parseConfig(text), model = modelOf(config);
  const weights = movedWeights(model.specs());
  return {
    config,
    model,
    weights,
    hasHead: !!model.head,
    name: "teacher",
    file: "teacher.safetensors",
  };
}

/** A ResNet of some width, with DINO's head. */
export function loadedResnet(layers: 18 | 50, width: number): LoadedModel {
  const { config, ...toy } = loaded(TOY);
  const head = { outDim: 16, hiddenDim: 20, bottleneckDim: 8 };
  const model = new DinoModel(new ResNet({ layers, imageSize: 32, width }), head);
  const weights = movedWeights(model.specs(), 0.01);
  for (const [name, values] of weights) {
    // Variances are positive.
    if (name.endsWith("running_var")) values.forEach((x, i) => values[i] = 0.5 + Math.abs(x));
  }
  return { ...toy, config, model, weights };
}

/** Writes a run's folder that holds a model: its configuration and its weights. */
export async function putRun(folder: string, text: string): Promise<void> {
  const { model, weights } = loaded(text);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/config.yaml`, text);
  const tensors = model.specs().map(({ name, shape }) => {
    return [name, float32Tensor(weights.get(name)!, shape)] as const;
  });
  await Deno.writeFile(`${folder}/teacher.safetensors`, serializeSafetensors(new Map(tensors)));
}

/** Numbers as of normalised pictures. */
export function pixels(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => 2 * Math.sin(0.7 * i + 0.01 * (i % 97)));
}

/** What a model makes of pictures [n, C, H, W]. */
export interface Features {
  /** All tokens after the final norm. */
  tokens: Float32Array;
  /** The class token, or what stands for it. */
  pooled: Float32Array;
  /** Of the last block. */
  attention: Float32Array;
  /** DINO's head of `pooled`. */
  logits: Float32Array;
}

/** What the model itself makes of pictures [n, C, H, W]. */
export async function features(
  gpu: Gpu,
  { model, weights }: LoadedModel,
  data: Float32Array,
  dims: number[],
): Promise<Features> {
  const params = new Parameters(gpu, model.specs());
  params.load(weights);
  const images = gpu.tensor(data, dims), trace = new Map<string, Tensor>();
  const made = gpu.scope(() => {
    const { logits, features: pooled } = model.forward(gpu, params, [images], { trace });
    return { tokens: trace.get("normed")!, pooled, attention: trace.get("attention")!, logits };
  });
  const tensors = [made.tokens, made.pooled, made.attention, made.logits];
  const [tokens, pooled, attention, logits] = await gpu.read(tensors);
  for (const tensor of [...tensors, images, params]) tensor.destroy();
  return { tokens, pooled, attention, logits };
}
