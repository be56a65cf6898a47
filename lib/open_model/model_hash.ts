/**
 * What tells one model's features from another's.
 *
 * @module
 */
import { sha256 } from "../io/digests.ts";
import { headOf } from "../io/weight_names.ts";
import type { Config } from "../config.ts";
import { type Readout, readoutName } from "../eval/readout.ts";

/** A hash of what decides about features: weights, shape of the model, and how pictures get to it. */
export function modelHash(
  weights: ReadonlyMap<string, Float32Array>,
  config: Config,
  readout: Readout,
): string {
  const { augmentation: { normalize_mean, normalize_std, global_crop_size }, model, data } = config;
  const hash = sha256();
  const settings = {
    readout: readoutName(readout),
    normalize_mean,
    normalize_std,
    global_crop_size,
    model,
    data: data.max_pixels,
  };
  hash.update(JSON.stringify(settings));
  for (const name of [...weights.keys()].filter(isBackbone).sort()) {
    const { buffer, byteOffset, byteLength } = weights.get(name)!;
    hash.update(name).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest("hex");
}

/** The head has no part in features. */
function isBackbone(name: string): boolean {
  return headOf(name) === undefined;
}
