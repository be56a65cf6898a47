/**
 * `deno task search DIR --duplicates`: table, JSON and page.
 *
 * @module
 */
import { decoderOf, FileDataset } from "../../lib/data/file_dataset.ts";
import type { Listing } from "../../lib/data/files.ts";
import { resizeBicubic } from "../../lib/data/resample.ts";
import { within } from "../../lib/data/walk.ts";
import { shown } from "../../lib/text.ts";
import { bytes, count, many } from "../../lib/words.ts";
import { SIDE } from "../../lib/draw/neighbor_row.ts";
import { card, pageOf } from "../../lib/draw/page.ts";
import type { Session } from "../../lib/session.ts";
import type { ProgressLine } from "../../lib/progress.ts";
import { findGroups, type Member } from "../../lib/search/duplicates.ts";
import { COMPARED, modelPairs } from "../../lib/search/model_pairs.ts";
import { qualityOf } from "../../lib/open_model/quality.ts";
import { readoutName } from "../../lib/eval/readout.ts";
import type { Answer } from "./run_similar.ts";
import { signFolder } from "../../lib/search/sign.ts";

/** Groups on a page: a browser has to show them all. */
const MOST_GROUPS = 200;

/** Pictures of a group on a page. */
const MOST_MEMBERS = 24;

/** What the search takes. */
export interface DuplicateOptions {
  threshold: number;
  mirrored: boolean;
}

/** Searches a folder for copies. With a model, pictures that it finds similar are compared too. */
export async function searchDuplicates(
  folder: string,
  listing: Listing,
  options: DuplicateOptions,
  progress: ProgressLine,
  session?: Session,
): Promise<Answer> {
  const { pictures, decoded, damaged, remarks } = await signFolder(folder, listing, progress);
  const found = session && await modelPairs(folder, listing, session, pictures);
  const { pairs = [], encoded } = found ?? {};
  const groups = await findGroups(pictures, {
    ...options,
    pairs,
    onProgress: (done, total) =>
      progress.show(`comparing: ${count(done)} of ${many(total, "picture")}`),
  });
  progress.end();
  const skipped = [...listing.skipped, ...damaged];
  const quality = session && await qualityOf(session.loaded, readoutName(COMPARED));
  const gain = groups.reduce((sum, group) => sum + gainOf(group), 0);
  const copies = groups.reduce((sum, group) => sum + group.length - 1, 0);
  const summary = groups.length
    ? `${many(groups.length, "group")} with ${many(copies, "copy", "copies")} of ${bytes(gain)} ` +
      `among ${many(pictures.length, "picture")}`
    : `no copies among ${many(pictures.length, "picture")}`;
  return {
    json: {
      folder,
      weights: session?.loaded.file,
      quality,
      pictures: pictures.length,
      decoded,
      encoded,
      ...options,
      bytes: gain,
      groups: groups.map((group) =>
        group.map(({ picture: { id, signature: _, ...picture }, similarity, how }) => {
          return { path: within(folder, id), ...picture, similarity, how };
        })
      ),
      skipped,
    },
    table: [...groups.map((group) => tableOf(folder, group)), summary].join("\n\n"),
    skipped,
    remarks: [...remarks, ...found?.remarks ?? []],
    page: () => pageFor(folder, listing, groups, summary, quality),
  };
}

function gainOf(group: readonly Member[]): number {
  return group.slice(1).reduce((sum, { picture }) => sum + picture.bytes, 0);
}

function wordOf({ how, similarity }: Member): string {
  if (how === "kept") return "largest";
  if (how === "same file") return how;
  return `${how} ${similarity.toFixed(3)}`;
}

function tableOf(folder: string, group: readonly Member[]): string {
  const rows = group.map((member) => {
    const { id, width, height, bytes: size } = member.picture;
    return [wordOf(member), `${width} × ${height}`, bytes(size), shown(within(folder, id))];
  });
  const widths = [0, 1, 2].map((c) => Math.max(...rows.map((row) => row[c].length)));
  return rows.map(([what, size, of, path]) => {
    return `${what.padEnd(widths[0])}  ${size.padStart(widths[1])}  ${
      of.padStart(widths[2])
    }  ${path}`;
  }).join("\n");
}

async function pageFor(
  folder: string,
  listing: Listing,
  groups: readonly Member[][],
  summary: string,
  quality?: string,
): Promise<string> {
  const places = new Map(listing.files.map(({ id }, i) => [id, i]));
  const options = {
    maxPixels: 512 * 512,
    cacheBytes: 0,
    numWorkers: navigator.hardwareConcurrency,
  };
  const dataset = new FileDataset(
    folder,
    listing.files,
    listing.index,
    decoderOf(options),
    options,
  );
  const sections: string[] = [];
  for (const group of groups.slice(0, MOST_GROUPS)) {
    const cards = await Promise.all(
      group.slice(0, MOST_MEMBERS).map(async (member) => {
        const { id, width, height, bytes: size } = member.picture;
        const picture = await dataset.picture(places.get(id)!);
        const scale = Math.min(1, 2 * SIDE / Math.max(picture.width, picture.height));
        const [w, h] = [picture.width, picture.height].map((n) =>
          Math.max(1, Math.round(n * scale))
        );
        return card({
          picture: resizeBicubic(picture, w, h),
          id,
          facts: [wordOf(member), `${width} × ${height}`, bytes(size)],
          query: member.how === "kept",
        });
      }),
    );
    const more = group.length - cards.length;
    const rest = more > 0 ? `<p>and ${more} more: --json lists all</p>` : "";
    const title = `${many(group.length, "picture")}, ${bytes(gainOf(group))} of copies`;
    sections.push(
      `<section><h2>${title}</h2><div class="row">${cards.join("\n")}</div>${rest}</section>`,
    );
  }
  dataset.close();
  const left = groups.length - sections.length;
  return pageOf({
    title: "Duplicates",
    about:
      `${folder}: ${summary}. The framed picture of each group has the most pixels; the others are ` +
      `compared with it, and the number says how alike they are.` +
      (left > 0 ? ` ${many(left, "group")} more are in --json.` : ""),
    note: quality,
    body: `<main>${sections.join("\n")}</main>`,
  });
}
