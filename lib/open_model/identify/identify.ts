/**
 * The shape of a model, read off the names and shapes of a file's tensors.
 *
 * @module
 */
import { findNetwork } from "../../io/names/networks.ts";
import type { FoundTensor } from "../../io/weight_names.ts";
import { picturesOf } from "./pictures.ts";
import { projectionOf } from "./projection.ts";
import { residualOf } from "./residual.ts";
import { transformerOf } from "./transformer.ts";
import type { Identified, IdentifyOptions } from "./types.ts";

/**
 * Recognises the model in a file: patch size, width, depth, heads, registers, LayerScale, the kind of its MLP, its
 * positions and biases; residual networks by their blocks; DINO's head by its layers.
 *
 * @param entries What the file holds.
 * @throws {HatchlingError} When it holds no backbone that is known, more than one to choose from, or does not tell how
 * many attention heads there are.
 *
 * @example
 * ```ts
 * import { identify } from "./identify.ts";
 *
 * const shapes: [string, number[]][] = [["cls_token", [1, 1, 192]], ["pos_embed", [1, 197, 192]]];
 * shapes.push(["patch_embed.proj.weight", [192, 3, 16, 16]], ["norm.weight", [192]]);
 * shapes.push(["blocks.0.norm1.weight", [192]], ["blocks.0.mlp.fc1.weight", [768, 192]]);
 * shapes.push(["blocks.0.attn.qkv.weight", [576, 192]], ["blocks.0.attn.qkv.bias", [576]]);
 * const entries = new Map(shapes.map(([name, shape]) => [name, { name, dtype: "F32" as const, shape }]));
 * const { model, pictures } = identify(entries, { file: "made" });
 * console.assert(model.patch_size === 16 && model.heads === 3 && pictures.imageSize === 224);
 * ```
 */
export function identify(
  entries: ReadonlyMap<string, FoundTensor>,
  options: IdentifyOptions,
): Identified {
  const { file, part, config, preprocessor } = options;
  const network = findNetwork(file, entries.values(), part);
  const shape = network.layout.name === "torchvision"
    ? residualOf(network, options)
    : transformerOf(network, options);
  return {
    ...shape,
    names: network.layout.title,
    projection: projectionOf(network),
    pictures: picturesOf(network, { ...shape, config, preprocessor }),
  };
}
