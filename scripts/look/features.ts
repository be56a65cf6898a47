/**
 * Features to look at: as the model gives them, or whitened where the configuration asks for it.
 *
 * @module
 */
import { choiceName } from "../../lib/embed/encode.ts";
import type { EncodedPictures } from "../../lib/eval/encode.ts";
import type { Readout } from "../../lib/eval/readout.ts";
import { fitWhitening, Whitener } from "../../lib/eval/whiten.ts";
import { whitenPictures } from "../../lib/eval/whiten_pictures.ts";
import { whiteningFor } from "../../lib/open_model/whitening.ts";
import type { Session } from "../../lib/session.ts";

/** Features of a set, with what makes others comparable with them. */
export interface ShownFeatures extends Disposable {
  /** Those of the set. */
  encoded: EncodedPictures;
  /** What they are: "grid, whitened". */
  words: string;
  /** The same done to features of other pictures. */
  alike(others: EncodedPictures): Promise<EncodedPictures>;
}

/** Whitens features where that is asked for, and says by what. */
export async function shownFeatures(
  session: Session,
  readout: Readout,
  encoded: EncodedPictures,
): Promise<ShownFeatures> {
  const { config, loaded, progress } = session;
  if (!config.evaluation.whiten) {
    const alike = (others: EncodedPictures) => Promise.resolve(others);
    return { encoded, words: choiceName({ readout }), alike, [Symbol.dispose]() {} };
  }
  const fit = () => fitWhitening(encoded.raw.whole);
  const { whitening, note } = await whiteningFor(loaded, readout, fit);
  progress.say(`note: ${note}`);
  const { gpu } = await session.gpu();
  const whitener = new Whitener(gpu, whitening);
  const alike = (others: EncodedPictures) => whitenPictures(whitener, others);
  return {
    encoded: await alike(encoded),
    words: choiceName({ readout, whitening }),
    alike,
    [Symbol.dispose]: () => whitener.destroy(),
  };
}
