/**
 * Features of an evaluation, whitened: every encoder's by a fit of its own to the same pictures.
 *
 * @module
 */
import { DeviceError, HatchlingError } from "../errors.ts";
import type { Gpu } from "../gpu.ts";
import type { Figure } from "./figures.ts";
import { measureFeatures } from "./measure.ts";
import type { MeasureOptions } from "./measure_options.ts";
import { whitenedName } from "./readout.ts";
import type { Side, Sides } from "./sides.ts";
import { fitWhitening, Whitener, type Whitening, type WhitenOptions } from "./whiten.ts";
import { whitenPictures } from "./whiten_pictures.ts";

/** Features whitened, and how. */
export interface WhitenedSides {
  /** The same pictures. */
  sides: Sides;
  /** What was fitted to the gallery, without its labels. */
  whitening: Whitening;
}

/**
 * Whitens the features of one encoder, fitted to the gallery: a test set is not looked at.
 *
 * @throws {HatchlingError} When all pictures of the gallery have the same features.
 */
export async function whitenSides(
  gpu: Gpu,
  { gallery, test }: Sides,
  options: WhitenOptions = {},
): Promise<WhitenedSides> {
  const whitening = fitWhitening(gallery.encoded.raw.whole, options);
  const whitener = new Whitener(gpu, whitening);
  try {
    const of = async ({ dataset, encoded }: Side): Promise<Side> => {
      return { dataset, encoded: await whitenPictures(whitener, encoded) };
    };
    return { sides: { gallery: await of(gallery), test: test && await of(test) }, whitening };
  } finally {
    whitener.destroy();
  }
}

/** Figures of whitened features. */
export interface MeasuredWhitened {
  /** Of what is found or told by neighbours: rank and spread are those that were fitted. */
  figures: Figure[];
  /** The features with what was fitted; undefined where they are no such that can be whitened. */
  whitened?: WhitenedSides;
}

/**
 * Whitens the features of one encoder and measures them. Where they can't be whitened that is a note.
 *
 * @param encoder Its name, without whitening.
 */
export async function measureWhitened(
  gpu: Gpu,
  sides: Sides,
  encoder: string,
  { whiten, ...options }: MeasureOptions & { whiten?: WhitenOptions },
): Promise<MeasuredWhitened> {
  const { onMeasure = () => {}, onNote = () => {} } = options;
  onMeasure("whitening");
  let whitened: WhitenedSides;
  try {
    whitened = await whitenSides(gpu, sides, whiten);
  } catch (error) {
    if (!(error instanceof HatchlingError) || error instanceof DeviceError) throw error;
    onNote(`${encoder}: not whitened: ${error.message}`);
    return { figures: [] };
  }
  const { figures } = await measureFeatures(gpu, whitened.sides, whitenedName(encoder), {
    ...options,
    neighborsOnly: true,
  });
  return { figures, whitened };
}
