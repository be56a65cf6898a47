/**
 * `deno task search DIR QUERY…`: table, JSON and page.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { within } from "../../lib/data/walk.ts";
import type { SkippedFile } from "../../lib/data/dataset.ts";
import type { Listing } from "../../lib/data/files.ts";
import { shown } from "../../lib/text.ts";
import { many } from "../../lib/words.ts";
import { choiceName } from "../../lib/embed/encode.ts";
import type { Readout } from "../../lib/eval/readout.ts";
import { cardOf, neighborRow, type Similar } from "../../lib/draw/neighbor_row.ts";
import { pageOf } from "../../lib/draw/page.ts";
import type { Session } from "../../lib/session.ts";
import { datasetOf, featuresOf } from "../../lib/search/features.ts";
import { qualityOf } from "../../lib/open_model/quality.ts";
import { nearestIn, queriesOf } from "../../lib/search/similar.ts";
import { folderWhitening } from "../../lib/search/whitening.ts";

/** What a search gives. */
export interface Answer {
  /** For --json. */
  json: Record<string, unknown>;
  /** For a terminal. */
  table: string;
  /** What was left out. */
  skipped: readonly SkippedFile[];
  /** What else the user should know. */
  remarks: string[];
  /** HTML, made when it is asked for. */
  page: () => Promise<string>;
}

/** Searches a folder for what is similar to pictures. */
export async function searchSimilar(
  folder: string,
  listing: Listing,
  paths: readonly string[],
  session: Session,
  { k, readout }: { k: number; readout: Readout },
): Promise<Answer> {
  const chosen = await folderWhitening(folder, listing, session, readout);
  const choice = { readout, whitening: chosen?.whitening }, features = choiceName(choice);
  const { store, encoded } = await featuresOf(folder, listing, session, choice);
  const queries = await queriesOf(paths, folder, store, session, choice);
  const found = await nearestIn(store, queries, k);
  if (!found[0].length) {
    throw new HatchlingError(
      `Expected at least one sound picture in ${shown(folder)} beside the query but found none`,
    );
  }
  const damaged = listing.files.flatMap(({ id, path }) => {
    const reason = store.reason(id);
    return reason === undefined ? [] : [{ file: path, reason: reason.replace(`${path}: `, "") }];
  });
  const skipped = [...listing.skipped, ...damaged];
  const pictures = listing.files.length - damaged.length;
  const results = queries.map(({ path }, q) => ({
    query: path,
    found: found[q].map(({ id, similarity }) => ({ similarity, path: within(folder, id) })),
  }));
  const table = results.map(({ query, found }) => {
    const lines = found.map(({ similarity, path }) =>
      `${similarity.toFixed(3).padStart(7)}  ${shown(path)}`
    );
    return [shown(query), ...lines].join("\n");
  }).join("\n\n");
  const quality = await qualityOf(session.loaded, features);
  const page = async () => {
    const places = new Map(listing.files.map(({ id }, i) => [id, i]));
    const dataset = datasetOf(folder, listing.files, listing, session);
    const sections: string[] = [];
    for (const [q, { path, id, dataset: own, index }] of queries.entries()) {
      const similar: Similar[] = [];
      for (const { id, similarity } of found[q]) {
        similar.push({ ...await cardOf(dataset, places.get(id)!), similarity });
      }
      const query = own ? await cardOf(own, index) : await cardOf(dataset, places.get(id!)!);
      sections.push(neighborRow({ ...query, id: path }, similar).section);
    }
    dataset.close();
    return pageOf({
      title: "Similar pictures",
      about: `${session.loaded.file}: of ${many(pictures, "picture")} in ${folder}, those whose ` +
        `features (${features}) have the largest cosine similarity to those of the framed picture.`,
      note: quality,
      body: `<main>${sections.join("\n")}</main>`,
    });
  };
  return {
    json: {
      folder,
      weights: session.loaded.file,
      features,
      quality,
      pictures,
      encoded,
      results,
      skipped,
    },
    table: `${table}\n\n${many(pictures, "picture")}, ${encoded} of them encoded now`,
    skipped,
    remarks: [...chosen ? [chosen.note] : [], ...store.remarks],
    page,
  };
}
