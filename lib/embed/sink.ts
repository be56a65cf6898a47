/**
 * Where features go: a table of any size, written as its rows come.
 *
 * @module
 */
import { extname } from "node:path";
import { HatchlingError } from "../errors.ts";
import { npyHeader } from "../io/npy.ts";
import { shown } from "../text.ts";
import { csvLine } from "../io/csv.ts";
import type { AtomicFile } from "../io/atomic_file.ts";

/** A picture with its features. */
export interface Row {
  /** Its name: in a folder its path. */
  id: string;
  /** Its size in pixels, upright. */
  width: number;
  height: number;
  /** Its class of every kind of label, in the order of {@linkcode Table.labels}. */
  labels: readonly string[];
  /** Its features, [D]. */
  feature: Float32Array;
}

/** What is the same for all rows. */
export interface Table {
  /** Kinds of label. */
  labels: readonly string[];
  /** D. */
  dim: number;
  /** What the features are, in words: a column of it in text, which has no other place to say so. */
  readout: string;
  /** What made the features, for formats that have a place for it. */
  about: Readonly<Record<string, string>>;
}

/** A file under way. */
export interface Sink {
  write(rows: readonly Row[]): void;
  /** Ends the table. The files have their names only now. */
  finish(): void;
  /** Paths. */
  readonly files: readonly string[];
}

/** Formats by name, with the extensions that stand for them. */
export const FORMATS = {
  parquet: [".parquet", ".pq"],
  npy: [".npy"],
  csv: [".csv"],
  jsonl: [".jsonl", ".ndjson"],
} as const;

/** Name of a format. */
export type Format = keyof typeof FORMATS;

/**
 * The format of a file.
 *
 * @throws {HatchlingError} When its extension stands for none.
 */
export function formatOf(path: string): Format {
  const extension = extname(path).toLowerCase();
  for (const [format, extensions] of Object.entries(FORMATS)) {
    if (extensions.some((one) => one === extension)) return format as Format;
  }
  const known = Object.values(FORMATS).map(([first]) => first);
  throw new HatchlingError(
    `Expected --out to end with ${known.join(", ")} but found ${
      shown(path)
    }: rename it, or say what it is ` +
      `to be with --format ${Object.keys(FORMATS).join("|")}`,
  );
}

/** Columns before those of labels. */
export const FIRST_COLUMNS = ["id", "width", "height"] as const;

/** Column of text that says what the features are. */
const READOUT = "readout";

/** Names of the columns of labels: other ones where a kind has the name of another column. */
export function labelColumns({ labels }: Table): string[] {
  const taken = ["index", ...FIRST_COLUMNS, READOUT, "feature"];
  return labels.map((kind) => taken.includes(kind) ? `label ${kind}` : kind);
}

/** Rows of text. */
export class TextSink implements Sink {
  readonly files: readonly string[];
  readonly #file: AtomicFile;
  readonly #line: (row: Row) => string;

  /** @param head The first lines. */
  constructor(file: AtomicFile, head: string, line: (row: Row) => string) {
    this.files = [file.path];
    this.#file = file;
    this.#line = line;
    if (head) this.#text(head);
  }

  write(rows: readonly Row[]): void {
    this.#text(rows.map(this.#line).join(""));
  }

  finish(): void {
    this.#file.finish();
  }

  #text(text: string): void {
    this.#file.write(new TextEncoder().encode(text));
  }
}

/** A column for every dimension; without features, the names that belong to the rows of a .npy. */
export function csvSink(file: AtomicFile, table: Table, features: boolean): Sink {
  const head = [...FIRST_COLUMNS, ...labelColumns(table), READOUT];
  if (features) head.push(...Array.from({ length: table.dim }, (_, i) => `feature_${i}`));
  return new TextSink(file, csvLine(head), ({ id, width, height, labels, feature }) => {
    const numbers = features ? Array.from(feature, digits) : [];
    return csvLine([id, String(width), String(height), ...labels, table.readout, ...numbers]);
  });
}

/** One object a line. */
export function jsonlSink(file: AtomicFile, table: Table): Sink {
  const kinds = labelColumns(table);
  return new TextSink(file, "", ({ id, width, height, labels, feature }) => {
    const named = Object.fromEntries(kinds.map((kind, i) => [kind, labels[i]]));
    const row = JSON.stringify({ id, width, height, ...named, [READOUT]: table.readout });
    return `${row.slice(0, -1)},"feature":[${Array.from(feature, digits)}]}\n`;
  });
}

/** float32 [n, D] in NumPy's format, with a .csv of names beside it. */
export class NpySink implements Sink {
  readonly files: readonly string[];
  readonly #file: AtomicFile;
  readonly #names: Sink;
  readonly #dim: number;
  #rows = 0;

  constructor(file: AtomicFile, names: AtomicFile, table: Table) {
    this.files = [file.path, names.path];
    this.#file = file;
    this.#names = csvSink(names, table, false);
    this.#dim = table.dim;
    file.write(npyHeader([0, table.dim]));
  }

  write(rows: readonly Row[]): void {
    const data = new DataView(new ArrayBuffer(4 * rows.length * this.#dim));
    rows.forEach(({ feature }, r) => {
      const start = r * this.#dim;
      feature.forEach((value, i) => data.setFloat32(4 * (start + i), value, true));
    });
    this.#file.write(new Uint8Array(data.buffer));
    this.#names.write(rows);
    this.#rows += rows.length;
  }

  finish(): void {
    this.#file.replaceHead(npyHeader([this.#rows, this.#dim])); // as long whatever the number
    this.#names.finish();
    this.#file.finish();
  }
}

/** Nine digits give the same float32 again. */
function digits(x: number): string {
  return String(Number(x.toPrecision(9)));
}
