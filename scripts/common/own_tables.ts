/**
 * Whether a table of features is one that Hatchling wrote before, by what is in it.
 *
 * @module
 */
import { npyHeader } from "../../lib/io/npy.ts";
import { headOf, tailOf } from "./outputs.ts";

/** Where the description of a table lies in its file. */
const HEAD = 65536;

/** A Parquet file with this key among what is said of it. */
export function isOwnParquet(key: string): (path: string) => boolean {
  return (path) => headOf(path, 4) === "PAR1" && tailOf(path, HEAD).includes(key);
}

/** Lines of objects that begin with an id and hold features. */
export function isOwnJsonLines(path: string): boolean {
  return /^\{"id":".*?","width":\d+,"height":\d+.*?,"feature":\[/s.test(headOf(path, HEAD));
}

/** A CSV with these columns first, and one for every feature last. */
export function isOwnCsv(columns: string): (path: string) => boolean {
  return (path) => {
    const head = headOf(path, HEAD);
    return head.startsWith(`${columns},`) && /,feature_0(,feature_1,|,feature_1\n|\n)/.test(head);
  };
}

/** Numbers with the CSV that names their rows. */
export interface Pair {
  npy: string;
  csv: string;
  /** What the CSV begins with. */
  columns: string;
}

/**
 * Whether both files are of one pair: as many lines as rows, and the CSV not changed since. Neither alone could be
 * told from what others write.
 */
export function isOwnPair({ npy, csv, columns }: Pair): boolean {
  const rows = npyRows(npy);
  if (rows === undefined || !headOf(csv, HEAD).startsWith(columns)) return false;
  const [numbers, names] = [npy, csv].map((path) => Deno.statSync(path).mtime?.getTime() ?? 0);
  return names <= numbers && linesOf(csv) === rows + 1;
}

/** Rows of a .npy with the header that this project writes; undefined of any other file. */
export function npyRows(path: string): number | undefined {
  const head = headOf(path, 256);
  const [, rows, dim] = head.match(/'shape': \((\d+), (\d+)\)/) ?? [];
  if (dim === undefined) return;
  const own = npyHeader([Number(rows), Number(dim)]);
  return own.every((byte, i) => head.charCodeAt(i) === byte) ? Number(rows) : undefined;
}

/** Lines of a CSV; those within quotes are none. */
function linesOf(path: string): number {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(1 << 20);
  let lines = 0, quoted = false;
  for (let n; (n = file.readSync(bytes));) {
    for (const byte of bytes.subarray(0, n)) {
      if (byte === 34) quoted = !quoted;
      else if (byte === 10 && !quoted) lines++;
    }
  }
  return lines;
}
