/**
 * What activations are stored as.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { resnetLayers } from "../config/backbones.ts";
import { HatchlingError } from "../errors.ts";
import type { DType, Gpu } from "../gpu.ts";
import { PRECISION } from "../ops/precision_task.ts";

/**
 * What a run's activations are stored as on a GPU: as asked for, or, by `auto`, f16 where the tuner has found halves
 * right and faster, which it tries on GPUs alone.
 *
 * @throws {HatchlingError} When f16 is asked for and the device has no halves.
 */
export function precisionOf({ device, model }: Pick<Config, "device" | "model">, gpu: Gpu): DType {
  if (device.precision === "f16" && !gpu.hasHalves) {
    throw new HatchlingError(
      `Expected an adapter with shader-f16 for device.precision f16 but ${
        gpu.info.description || "this one"
      } has none${
        device.limits === "portable" ? " with device.limits portable" : ""
      }: use auto or f32`,
    );
  }
  const right = gpu.allows(PRECISION, "f16");
  if (device.precision === "f16" && !right) {
    throw new HatchlingError(
      "Expected an adapter that computes right with halves for device.precision f16 but a kernel was found wrong with " +
        "them, as `deno task prove` tells: use auto or f32",
    );
  }
  if (device.precision !== "auto") return device.precision;
  const tried = gpu.hasHalves && right && gpu.choices.get(PRECISION) === "f16";
  return tried && !resnetLayers(model.backbone) ? "f16" : "f32";
}
