/**
 * Features of any number of pictures, some at a time.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import { inMemory } from "../data/in_memory.ts";
import { HatchlingError } from "../errors.ts";
import { featureEncoder } from "../eval/feature_encoder.ts";
import type { FeatureArray } from "../eval/features.ts";
import { type Readout, readoutDim, readoutName } from "../eval/readout.ts";
import { Whitener, type Whitening } from "../eval/whiten.ts";
import { spreadIndices } from "../from_config/pictures.ts";
import { rowsOf } from "../load/rows_of.ts";
import type { Session } from "../session.ts";
import { shown } from "../text.ts";
import { type Sound, soundPictures } from "./pictures.ts";

/** Which features. */
export interface FeatureChoice {
  /** What is read out of the model. */
  readout: Readout;
  /** How that is whitened, if at all. */
  whitening?: Whitening;
}

/** In words: "grid", "grid, whitened". */
export function choiceName({ readout, whitening }: FeatureChoice): string {
  return whitening ? `${readoutName(readout)}, whitened` : readoutName(readout);
}

/** Numbers of a picture, with tokens of width D. */
export function choiceDim({ readout, whitening }: FeatureChoice, dim: number): number {
  return whitening ? whitening.variance.length : readoutDim(readout, dim);
}

/** Most pictures that a whitening is fitted to where none is stored: they are encoded for it alone. */
const SAMPLE = 4096;

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
 * @param choice Which features.
 * @param normalize Scale each row to length 1.
 * @throws {HatchlingError} When features are not finite.
 */
export async function* encodeStream(
  session: Session,
  dataset: Dataset,
  indices: ArrayLike<number>,
  { readout, whitening }: FeatureChoice,
  normalize: boolean,
): AsyncGenerator<Encoded> {
  const { gpu, params } = await session.gpu();
  const { loaded, config } = session, { evaluation, model } = config;
  const encoder = featureEncoder(gpu, loaded.name, loaded.model.backbone, params, readout);
  using whitener = whitening && new Whitener(gpu, whitening);
  for await (const { sound, done } of soundPictures(dataset, indices, evaluation.batch_size)) {
    if (!sound.length) {
      yield { sound, rows: [], done };
      continue;
    }
    const pictures = inMemory(
      dataset.name,
      dataset.channels ?? model.in_chans,
      sound.map(({ picture }) => picture),
      (i) => String(sound[i].index),
    );
    const rows = await rowsOf(gpu, config, encoder, pictures, { whitener, normalize });
    yield { sound, rows, done };
  }
}

/**
 * Features to fit a whitening to: of at most 4,096 pictures, spread over all, as the model gives them.
 *
 * @throws {HatchlingError} When none of them is sound.
 */
export async function sampleFeatures(
  session: Session,
  dataset: Dataset,
  readout: Readout,
): Promise<FeatureArray> {
  const rows: Float32Array[] = [];
  const some = spreadIndices(dataset.length, SAMPLE);
  for await (const part of encodeStream(session, dataset, some, { readout }, false)) {
    rows.push(...part.rows);
    session.progress.show(
      `encoding, to fit the whitening: ${part.done} of ${some.length} pictures`,
    );
  }
  session.progress.end();
  if (!rows.length) {
    throw new HatchlingError(
      `Expected sound pictures to fit a whitening to but found none in ${shown(dataset.name)}`,
    );
  }
  const [{ length: dim }] = rows;
  const data = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => data.set(row, i * dim));
  return { data, shape: [rows.length, dim] };
}
