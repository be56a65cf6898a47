/** Small sets of parameters for tests of what walks whole arenas. */
import assert from "node:assert/strict";
import type { Gpu, Tensor } from "../../lib/gpu.ts";
import { Parameters, type ParameterSpec } from "../../lib/model.ts";
import { normals } from "./numbers.ts";

const init = { constant: 0 };

/** Fewer elements than a granule, exactly one, more; decayed and not; one that is not trained. */
export const SPECS: readonly ParameterSpec[] = [
  { name: "cls_token", shape: [1, 1, 3], init },
  { name: "blocks.0.norm1.weight", shape: [64], init },
  { name: "blocks.0.fc.weight", shape: [7, 19], init },
  { name: "blocks.0.fc.bias", shape: [65], init },
  { name: "head.last_layer.weight_g", shape: [9, 1], init, trainable: false },
  { name: "head.last_layer.weight_v", shape: [9, 8], init },
];

/** Arena chunks that hold two or three of {@linkcode SPECS}. */
export const CHUNK = 256;

/** Those parameters over several chunks. */
export function chunked(gpu: Gpu, grad = false): Parameters {
  const params = new Parameters(gpu, SPECS, { grad, chunkElements: CHUNK });
  assert.ok(params.layout.chunks.length > 1, "the parameters fit one chunk");
  return params;
}

/** Random values by name. */
export function randomValues(seed: number, scale = 1): Map<string, Float32Array<ArrayBuffer>> {
  return new Map(SPECS.map(({ name, shape }, i) => {
    return [name, normals(shape.reduce((a, b) => a * b, 1), seed * 100 + i, scale)];
  }));
}

/** Asserts that what lies between the tensors of an arena is zero. */
export async function assertPaddingZero(
  gpu: Gpu,
  { layout }: Parameters,
  arena: readonly Tensor[],
  what: string,
): Promise<void> {
  const chunks = await gpu.read(arena);
  let padding = 0;
  for (const { spec, chunk, start } of layout.slots) {
    chunks[chunk].fill(0, start, start + spec.shape.reduce((a, b) => a * b, 1));
    padding += chunks[chunk].length;
  }
  assert.ok(padding > 0);
  chunks.forEach((values, i) => {
    assert.equal(values.findIndex((v) => v !== 0), -1, `${what}: padding of chunk ${i}`);
  });
}
