/**
 * The file that keeps a whitening beside weights.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Whitening } from "../eval/whiten.ts";
import { decodeWhitening, type WhiteningOf } from "../eval/whitening_file.ts";
import { shown } from "../text.ts";

/** The file of a whitening: one for each feature. */
export function whiteningFile(feature: string): string {
  return `whitening-${feature.replace(/[^\w+]+/g, "-")}.safetensors`;
}

/**
 * Reads a whitening.
 *
 * @param path How messages call its file.
 * @param weights The file of the weights, for messages.
 * @param of The feature, and the hash of these weights.
 * @throws {HatchlingError} When it is damaged, or fitted to another feature or to other weights.
 */
export function whiteningIn(
  bytes: Uint8Array,
  path: string,
  weights: string,
  of: WhiteningOf,
): Whitening {
  const { whitening, of: found } = decodeWhitening(bytes, path);
  const what = found.feature !== of.feature
    ? `to the feature ${shown(found.feature)}`
    : found.model !== of.model
    ? "to other weights, or with other settings of the model"
    : undefined;
  if (what === undefined) return whitening;
  throw new HatchlingError(
    `Expected the whitening ${shown(path)} to be fitted to the feature ${shown(of.feature)} of ${
      shown(weights)
    } but it was fitted ${what}: deno task evaluate RUN, with the run's folder, stores one that fits; or delete it`,
  );
}
