/**
 * `deno task look neighbours`: the pictures of a set that are most similar to some.
 *
 * @module
 */
import type { Dataset } from "../../lib/data/dataset.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { featureEncoder } from "../../lib/eval/feature_encoder.ts";
import { readoutOf } from "../../lib/from_config.ts";
import type { FeatureArray } from "../../lib/eval/features.ts";
import { nearest } from "../../lib/eval/nearest.ts";
import { spreadIndices } from "../../lib/from_config/pictures.ts";
import { qualityOf } from "../../lib/open_model/quality.ts";
import { shown } from "../../lib/text.ts";
import { MOST_ON_PAGE } from "../common/numbers.ts";
import { print } from "../common/terminal.ts";
import { many } from "../../lib/words.ts";
import { cardOf, neighborRow, SIDE, type Similar } from "../../lib/draw/neighbor_row.ts";
import { shownFeatures } from "./features.ts";
import type { Output } from "./output.ts";
import { pageOf } from "../../lib/draw/page.ts";
import { indicesOf, type Session, sortNames } from "../../lib/session.ts";
import { contactSheet, type Row } from "../../lib/draw/contact_sheet.ts";

/** Options of the command. */
export interface NeighborOptions {
  /** Where the results go. */
  out: Output;
  /** Neighbours of each picture. */
  k: number;
  /** How many queries at most. */
  images?: number;
  /** Take only so many pictures of the set. */
  maxImages?: number;
}

interface Query {
  dataset: Dataset;
  index: number;
  features: Float32Array;
  /** Its own row in the gallery, −1 if it has none. */
  own: number;
}

/** Rows of the sheet; the page has all. */
const MOST_ROWS = 24;

/** Refuses more pictures than a page can show, before any of them is made. */
export function checkFits(queries: number, k: number): void {
  if (queries * (k + 1) <= MOST_ON_PAGE) return;
  throw new HatchlingError(
    `Expected at most ${MOST_ON_PAGE} pictures on the page but found ${queries} queries of ` +
      `${k} neighbours: take fewer with --images or --k`,
  );
}

/** Writes a sheet and a page, and says where they are. */
export async function lookNeighbors(
  session: Session,
  asked: readonly string[],
  options: NeighborOptions,
): Promise<void> {
  const dataset = await session.dataset();
  const { paths, ids } = await sortNames(asked);
  const indices = indicesOf(dataset, ids);
  const { gpu, params } = await session.gpu();
  const { backbone } = session.loaded.model;
  const readout = readoutOf(session.config);
  const encoder = featureEncoder(gpu, session.loaded.name, backbone, params, readout);
  const plain = await session.encode(
    dataset,
    encoder,
    options.maxImages ?? session.config.evaluation.max_images,
  );
  using features = await shownFeatures(session, readout, plain);
  const { indices: kept, whole: gallery } = features.encoded;
  const rowOf = new Map(kept.map((index, row) => [index, row]));
  const [n, dim] = gallery.shape;
  const k = Math.min(options.k, n - 1);
  if (k < 1) {
    throw new HatchlingError(
      `Expected at least 2 sound pictures in ${
        shown(dataset.name)
      } but found ${n}: set data.path to a larger set`,
    );
  }
  const queries: Query[] = [];
  checkFits(indices.length || (paths.length ? 0 : Math.min(options.images ?? 8, n)), k);
  if (paths.length) {
    const files = await session.files(paths, session.config.data.max_pixels);
    checkFits(Math.min(files.length, options.images ?? Infinity), k);
    const encoded = await features.alike(await session.encode(files, encoder));
    if (encoded.indices.length < files.length && files.skipped.length) {
      const [{ file, reason }] = files.skipped;
      session.progress.say(`note: ${shown(file)}: ${shown(reason)}`);
    }
    const chosen = spreadIndices(encoded.indices.length, options.images ?? encoded.indices.length);
    for (const row of chosen) {
      const features = encoded.whole.data.subarray(row * dim, (row + 1) * dim);
      queries.push({ dataset: files, index: encoded.indices[row], features, own: -1 });
    }
  }
  const own = indices.length || paths.length
    ? indices
    : spreadIndices(n, options.images ?? 8).map((row) => kept[row]);
  const missing = own.filter((index) => !rowOf.has(index));
  if (missing.length) {
    throw new HatchlingError(
      `Expected ${
        shown(dataset.id(missing[0]))
      } among the ${n} pictures that were taken but it is not: it is ` +
        "damaged, or --max-images left it out",
    );
  }
  for (const index of own) {
    const row = rowOf.get(index)!;
    const features = gallery.data.subarray(row * dim, (row + 1) * dim);
    queries.push({ dataset, index, features, own: row });
  }

  const data = new Float32Array(queries.length * dim);
  queries.forEach(({ features }, i) => data.set(features, i * dim));
  const found = await nearest(
    gpu,
    { data, shape: [queries.length, dim] } satisfies FeatureArray,
    gallery,
    k,
    { exclude: queries.map(({ own }) => own) },
  );
  const rows: Row[] = [], sections: string[] = [];
  for (const [q, { dataset: from, index }] of queries.entries()) {
    const similar: Similar[] = [];
    for (let j = 0; j < k; j++) {
      const similarity = found.similarity[q * k + j];
      similar.push({ ...await cardOf(dataset, kept[found.indices[q * k + j]]), similarity });
    }
    const { row, section } = neighborRow(await cardOf(from, index), similar);
    rows.push(row);
    sections.push(section);
  }
  const { out: output } = options;
  const sheet = await output.png("sheet", contactSheet(rows.slice(0, MOST_ROWS), SIDE));
  const page = await output.text(
    "neighbours.html",
    pageOf({
      title: "Nearest neighbours",
      about:
        `${session.loaded.file}: the ${k} of ${
          many(n, "picture")
        } of ${dataset.name} whose features (${features.words}) ` +
        "have the largest cosine similarity to those of the framed picture.",
      note: await qualityOf(session.loaded, features.words),
      body: `<main>${sections.join("\n")}</main>`,
    }),
  );
  print(
    `${shown(page)}\n${shown(sheet)}: ${
      many(queries.length, "query", "queries")
    }, ${k} of ${n} each`,
  );
}
