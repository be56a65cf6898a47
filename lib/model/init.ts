/**
 * Initial values of parameters, as facebookresearch/dino draws them.
 *
 * @module
 */
import { sizeOf } from "../gpu.ts";
import { Rng } from "../rng.ts";
import type { ParameterSpec } from "./parameters.ts";

/**
 * Draws every parameter from its own stream of (seed, index): the same values on every machine.
 *
 * @example
 * ```ts
 * import { initialize } from "@hatchling/hatchling/model";
 *
 * const values = initialize([{ name: "w", shape: [2], init: { normal: 0.02 } }], 0);
 * console.assert(values.get("w")!.length === 2);
 * ```
 *
 * @category Model
 */
export function initialize(
  specs: readonly ParameterSpec[],
  seed: number,
): Map<string, Float32Array> {
  return new Map(specs.map(({ name, shape, init }, index) => {
    const rng = new Rng(seed, STREAM, index);
    const values = new Float32Array(sizeOf(shape));
    for (let i = 0; i < values.length; i++) {
      if ("normal" in init) values[i] = rng.normal() * init.normal;
      else if ("uniform" in init) values[i] = rng.uniform(-init.uniform, init.uniform);
      else values[i] = init.constant;
    }
    return [name, values];
  }));
}

/** Keeps these numbers apart from those of data order and augmentation. */
const STREAM = 0x1417;
