/**
 * A whitening as bytes of a safetensors file, which any program reads.
 *
 * @module
 */
import { DamagedFileError } from "../errors.ts";
import {
  float32Tensor,
  parseSafetensors,
  serializeSafetensors,
  toFloat32,
} from "../io/safetensors.ts";
import { brief } from "../io/safetensors_header.ts";
import { shown } from "../text.ts";
import { type Whitening, whiteningScale } from "./whiten.ts";

/** What says that a file is a whitening, and of which form. */
const FORMAT = "hatchling.whitening.1";

/** Whose features a whitening is for. */
export interface WhiteningOf {
  /** The feature in words. */
  feature: string;
  /** Hash of the weights that made the features. */
  model: string;
}

/**
 * Writes a whitening: tensors `mean` [D], `components` [k, D], `variance` [k] and `scale` [k], so that
 * y = (f − mean) · componentsᵀ · scale; metadata `feature`, `model`, `alpha`, `mean_variance` and `pictures`.
 */
export function encodeWhitening(whitening: Whitening, of: WhiteningOf): Uint8Array<ArrayBuffer> {
  const { mean, components, variance, meanVariance, alpha, rows } = whitening;
  const [dim, k] = [mean.length, variance.length];
  const tensors = new Map([
    ["mean", float32Tensor(mean, [dim])],
    ["components", float32Tensor(components, [k, dim])],
    ["variance", float32Tensor(variance, [k])],
    ["scale", float32Tensor(whiteningScale(whitening), [k])],
  ]);
  return serializeSafetensors(tensors, {
    format: FORMAT,
    feature: of.feature,
    model: of.model,
    alpha: String(alpha),
    mean_variance: String(meanVariance),
    pictures: String(rows),
  });
}

/**
 * Reads what {@linkcode encodeWhitening} writes.
 *
 * @param file How messages call it.
 * @throws {DamagedFileError} When it is none, or its parts do not fit.
 */
export function decodeWhitening(
  bytes: Uint8Array,
  file: string,
): { whitening: Whitening; of: WhiteningOf } {
  const { tensors, metadata } = parseSafetensors(bytes, file);
  const fail = (expected: string, found: string): never => {
    throw new DamagedFileError(
      `${
        shown(file)
      }: expected ${expected} of a whitening but found ${found}: it is another file, or damaged`,
    );
  };
  if (metadata.format !== FORMAT) {
    fail(
      `metadata format ${FORMAT}`,
      metadata.format === undefined ? "none" : brief(metadata.format),
    );
  }
  const sizes = tensors.get("components")?.shape ?? [];
  const [k, dim] = sizes;
  if (!(k >= 1 && dim >= 1)) fail("components [k ≥ 1, D ≥ 1]", `[${sizes}]`);
  const read = (name: string, shape: number[]) => {
    const tensor = tensors.get(name) ?? fail(`a tensor ${name}`, "none");
    if (tensor.shape.join() !== shape.join()) fail(`${name} [${shape}]`, `[${tensor.shape}]`);
    const values = toFloat32(tensor);
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) fail(`finite ${name}`, String(values[bad]));
    return values;
  };
  const number = (key: string, least: number) => {
    const value = Number(metadata[key] ?? NaN);
    if (!(value >= least && value < Infinity)) {
      fail(`metadata ${key} ≥ ${least}`, brief(metadata[key] ?? "none"));
    }
    return value;
  };
  const variance = read("variance", [k]);
  if (variance.some((value) => value < 0)) fail("variance ≥ 0", "less");
  const whitening = {
    mean: read("mean", [dim]),
    components: read("components", [k, dim]),
    variance,
    meanVariance: number("mean_variance", 0),
    alpha: number("alpha", 0),
    rows: number("pictures", 2),
  };
  if (!(whitening.alpha * whitening.meanVariance + variance[k - 1] > 0)) fail("variance", "none");
  return { whitening, of: { feature: metadata.feature ?? "", model: metadata.model ?? "" } };
}
