/**
 * Features of the pictures of a folder, made once for each model.
 *
 * @module
 */
import { decoderOf, FileDataset } from "../data/file_dataset.ts";
import type { DecodeChannels } from "../data/decode.ts";
import type { Listing, PictureFile } from "../data/files.ts";
import { count, many } from "../words.ts";
import { createHash } from "node:crypto";
import { choiceDim, encodeStream, type FeatureChoice } from "../embed/encode.ts";
import { encodeWhitening } from "../eval/whitening_file.ts";
import { modelHash } from "../open_model/model_hash.ts";
import type { Session } from "../session.ts";
import { RowStore } from "./store.ts";

/** What {@linkcode featuresOf} gives. */
export interface FolderFeatures {
  /** Rows of D float32 of length 1, by the files' ids. */
  store: RowStore;
  /** Pictures that were encoded now. */
  encoded: number;
}

/** Files of a listing as a data set, of which nothing is kept in memory. */
export function datasetOf(
  folder: string,
  files: readonly PictureFile[],
  { index }: Listing,
  session: Session,
): FileDataset {
  const { data, model } = session.config;
  const options = {
    channels: model.in_chans as DecodeChannels,
    maxPixels: data.max_pixels,
    numWorkers: Math.min(data.num_workers, navigator.hardwareConcurrency),
    cacheBytes: 0,
  };
  return new FileDataset(folder, files, index, decoderOf(options), options);
}

/**
 * Features of all sound pictures of a folder; only new and changed files are encoded. Without any, the model
 * never gets to a GPU.
 */
export async function featuresOf(
  folder: string,
  listing: Listing,
  session: Session,
  choice: FeatureChoice,
): Promise<FolderFeatures> {
  const { loaded, config, progress } = session;
  const model = modelHash(loaded.weights, config, choice.readout);
  const of = `features by ${model}${hashOf(choice)} of ${await Deno.realPath(folder)}`;
  const store = await RowStore.open(of, 4 * choiceDim(choice, config.model.dim));
  const unknown = listing.files.filter(({ id, state }) => !store.get(id, state));
  let encoded = 0;
  if (unknown.length) {
    const all = Uint32Array.from(unknown.keys());
    const dataset = datasetOf(folder, unknown, listing, session);
    const stampOf = ({ state: { size, mtime, ctime } }: PictureFile) => ({ size, mtime, ctime });
    try {
      for await (
        const { sound, rows, done } of encodeStream(session, dataset, all, choice, true)
      ) {
        for (const [row, { index }] of sound.entries()) {
          const { buffer, byteOffset, byteLength } = rows[row];
          const file = unknown[index];
          const bytes = new Uint8Array(buffer, byteOffset, byteLength);
          await store.add(file.id, stampOf(file), { row: bytes });
        }
        encoded += sound.length;
        progress.show(`encoding: ${count(done)} of ${many(unknown.length, "new picture")}`);
      }
      const byPath = new Map(unknown.map((file) => [file.path, file]));
      for (const { file: path, reason } of dataset.skipped) {
        const file = byPath.get(path);
        if (file) await store.add(file.id, stampOf(file), { reason });
      }
    } finally {
      progress.end();
      dataset.close();
      await store.flush(); // what is done is done, even when the rest fails
    }
  }
  await store.keep(new Set(listing.files.map(({ id }) => id)));
  return { store, encoded };
}

function hashOf({ whitening }: FeatureChoice): string {
  if (!whitening) return "";
  const bytes = encodeWhitening(whitening, { feature: "", model: "" });
  return `, whitened by ${createHash("sha256").update(bytes).digest("hex")},`;
}
