/**
 * The sizes of DINO's head in a file.
 *
 * @module
 */
import type { Network } from "../../io/names/networks.ts";
import type { ModelKeys } from "./types.ts";

/** Keys of the head; undefined where there is none, or one of another make (batch norms between its layers). */
export function projectionOf({ tensors }: Network): ModelKeys | undefined {
  const shape = (name: string) => tensors.get(`head.${name}`)?.shape;
  const prototypes = shape("last_layer.weight_v");
  if (!prototypes) return;
  let layers = 0;
  while (shape(`mlp.${2 * layers}.weight`)?.length === 2) layers++;
  const indices = [...tensors.keys()].filter((name) => name.startsWith("head.mlp."));
  if (!layers || indices.some((name) => Number(name.split(".")[2]) > 2 * layers - 2)) return;
  const [hidden] = shape("mlp.0.weight")!;
  return {
    projection_output_dim: prototypes[0],
    projection_bottleneck_dim: prototypes[1],
    projection_layers: layers,
    ...layers > 1 && { projection_hidden_dim: hidden },
  };
}
