/**
 * The whitening of a folder's features where none is stored with the model: fitted once, and kept in the cache folder.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import type { Listing } from "../data/files.ts";
import { cacheRoots, isOurs } from "../data/unpack.ts";
import { sampleFeatures } from "../embed/encode.ts";
import { HatchlingError } from "../errors.ts";
import { type Readout, readoutName } from "../eval/readout.ts";
import { fitWhitening, type Whitening } from "../eval/whiten.ts";
import { decodeWhitening, encodeWhitening, type WhiteningOf } from "../eval/whitening_file.ts";
import { writeFileAtomic } from "../io/atomic.ts";
import { readFile } from "../io/files.ts";
import { modelHash } from "../open_model/model_hash.ts";
import { type ChosenWhitening, whiteningFor } from "../open_model/whitening.ts";
import type { Session } from "../session.ts";
import { datasetOf } from "./features.ts";

/**
 * The whitening of a folder's features: the one stored with the weights, else one fitted to the folder's pictures.
 * That one is kept, so that features which were whitened by it can be: it is fitted anew when the folder has twice as
 * many pictures.
 *
 * @returns Undefined where the configuration asks for none.
 * @throws {HatchlingError} When the stored one is of other weights, or the pictures are too few or all alike.
 */
export async function folderWhitening(
  folder: string,
  listing: Listing,
  session: Session,
  readout: Readout,
): Promise<ChosenWhitening | undefined> {
  const { loaded, config } = session;
  if (!config.evaluation.whiten) return;
  return await whiteningFor(loaded, readout, async () => {
    const model = modelHash(loaded.weights, config, readout);
    const size = Math.floor(Math.log2(listing.files.length));
    const key = `whitening for ${model} of 2^${size} pictures of ${await Deno.realPath(folder)}`;
    const of: WhiteningOf = { feature: readoutName(readout), model };
    return await kept(key, of, async () => {
      const dataset = datasetOf(folder, listing.files, listing, session);
      try {
        return fitWhitening(await sampleFeatures(session, dataset, readout));
      } finally {
        dataset.close();
      }
    });
  });
}

/** What is kept under a key; where nothing sound is, it is made, and kept where that is possible. */
async function kept(
  key: string,
  of: WhiteningOf,
  fit: () => Promise<Whitening>,
): Promise<Whitening> {
  const name = `whitening-${
    createHash("sha256").update(key).digest("hex").slice(0, 32)
  }.safetensors`;
  const paths = cacheRoots().map((root) => join(root, "search", name));
  for (const path of paths) {
    try {
      const { whitening, of: found } = decodeWhitening(await readFile(path), path);
      if (found.model === of.model && found.feature === of.feature) return whitening;
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error; // it isn't there, or it is damaged
    }
  }
  const whitening = await fit();
  for (const path of paths) {
    try {
      const folder = dirname(path), root = dirname(folder);
      await Deno.mkdir(root, { recursive: true, mode: 0o700 });
      if (!await isOurs(root)) continue;
      await Deno.mkdir(folder, { recursive: true });
      await writeFileAtomic(path, encodeWhitening(whitening, of));
      break;
    } catch {
      // the next one; where none can be written, it is fitted again next time
    }
  }
  return whitening;
}
