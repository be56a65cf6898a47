/**
 * Features of any number of pictures, some at a time.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Config } from "../config.ts";
import type { Dataset } from "../data/dataset.ts";
import { encodePictures } from "../eval/encode.ts";
import { featureEncoder } from "../eval/feature_encoder.ts";
import { type Readout, readoutName } from "../eval/readout.ts";
import type { Session } from "../session.ts";
import { inMemory, type Sound, soundPictures } from "./pictures.ts";

/** Some pictures with their features. */
export interface Encoded {
  sound: Sound[];
  /** A row of D numbers for each. */
  rows: Float32Array[];
  /** Pictures done, damaged ones among them. */
  done: number;
}

/**
 * Encodes pictures with a session's model: of their central squares, as evaluation does.
 *
 * @param indices Which.
 * @param readout Which features.
 * @param normalize Scale each row to length 1.
 * @throws {HatchlingError} When features are not finite.
 */
export async function* encodeStream(
  session: Session,
  dataset: Dataset,
  indices: ArrayLike<number>,
  readout: Readout,
  normalize: boolean,
): AsyncGenerator<Encoded> {
  const { gpu, params } = await session.gpu();
  const { loaded, config: { augmentation, evaluation, training, model } } = session;
  const encoder = featureEncoder(gpu, loaded.name, loaded.model.vit, params, readout);
  for await (const { sound, done } of soundPictures(dataset, indices, evaluation.batch_size)) {
    if (!sound.length) {
      yield { sound, rows: [], done };
      continue;
    }
    const pictures = inMemory(dataset.name, dataset.channels ?? model.in_chans, sound);
    const [{ whole, raw }] = await encodePictures(gpu, pictures, [...sound.keys()], [encoder], {
      batchSize: evaluation.batch_size,
      seed: training.seed,
      views: false,
      mean: [...augmentation.normalize_mean],
      std: [...augmentation.normalize_std],
    });
    const { data, shape: [, dim] } = normalize ? whole : raw.whole;
    const rows = sound.map((_, i) => data.subarray(i * dim, (i + 1) * dim));
    yield { sound, rows, done };
  }
}

/** A hash of what decides about features: weights, shape of the model, and how pictures get to it. */
export function modelHash(
  weights: ReadonlyMap<string, Float32Array>,
  config: Config,
  readout: Readout,
): string {
  const { augmentation: { normalize_mean, normalize_std, global_crop_size }, model, data } = config;
  const hash = createHash("sha256");
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
  return !name.startsWith("head.");
}
