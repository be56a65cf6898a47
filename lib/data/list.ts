/**
 * A list of picture files as a data set.
 *
 * @module
 */

import { dirname, isAbsolute, join } from "node:path";
import { HatchlingError } from "../errors.ts";
import { readFile } from "../io/files.ts";
import { shown } from "../text.ts";
import { type Dataset, labelsOf } from "./dataset.ts";
import { type FilesOptions, openFiles } from "./file_dataset.ts";
import { type ListRow, readRows } from "./list_rows.ts";

/** Largest list, 256 MiB: millions of rows. */
const MAX_LIST_BYTES = 2 ** 28;

/** Options of {@linkcode openList}. */
export type ListOptions = Omit<FilesOptions, "labels" | "skipped" | "index">;

/**
 * Opens the pictures that a ".csv", ".tsv" or ".txt" file lists, one per row, in the order of the rows: a
 * picture that is listed twice is there twice. Paths are absolute, or relative to the list's folder.
 *
 * ```text
 * path,species,place          the header names the kinds of labels; without one, rows are
 * a/1.jpg,"wolf, grey",fen    a path and at most one `label`
 * a/2.jpg,fox,fen
 * ```
 *
 * What the formats allow is told at `readRows`. Ids are paths as written, of a repeated one with its line.
 * Files that are missing or no picture are left out, and named in `skipped` with the list's line.
 *
 * @param path Path of the list.
 * @throws {HatchlingError} naming file and line when a row is malformed or lacks a label; when the list is
 * empty, or none of its files can be used.
 *
 * @example
 * ```ts ignore
 * import { openList } from "./list.ts";
 *
 * const pictures = await openList("data/train.csv", { maxPixels: 256 * 256 });
 * console.log(pictures.length, Object.keys(pictures.labels ?? {}), pictures.skipped);
 * pictures.close?.();
 * ```
 */
export async function openList(path: string, options: ListOptions = {}): Promise<Dataset> {
  const { rows, kinds } = await readRows(path, await readFile(path, { maxBytes: MAX_LIST_BYTES }));
  const lines = new Map<string, number[]>(), ids = new Set<string>();
  const entries = rows.map(({ path: written, line }) => {
    const file = isAbsolute(written) ? written : join(dirname(path), written);
    const listed = lines.get(file);
    if (listed) listed.push(line);
    else lines.set(file, [line]);
    const id = ids.has(written) ? `${written} (line ${line})` : written;
    ids.add(id);
    return { id, path: file };
  });
  const labels = kinds.flatMap((kind, k) => {
    const names = rows.map((row) => row.labels[k]);
    if (names.every((name) => name === "")) return [];
    requireNames(path, kind, rows, names);
    return [[kind, labelsOf(names)] as const];
  });
  const dataset = await openFiles(path, entries, {
    ...options,
    index: path,
    ...(labels.length && { labels: Object.fromEntries(labels) }),
  });
  for (const skipped of dataset.skipped) { // in the order of the rows
    skipped.reason += ` (${shown(path)}:${lines.get(skipped.file)!.shift()})`;
  }
  return dataset;
}

/** A class without a name would be one more class. */
function requireNames(
  path: string,
  kind: string,
  rows: readonly ListRow[],
  names: readonly string[],
): void {
  const empty = names.indexOf("");
  if (empty < 0) return;
  throw new HatchlingError(
    `Expected a label "${shown(kind)}" in ${shown(path)}:${
      rows[empty].line
    }, as in other rows, but found none: label ` +
      `every picture, or remove the column; training needs no labels`,
  );
}
