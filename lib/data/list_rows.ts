/**
 * Rows of a list of pictures: path and labels.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { decodeText } from "../io/text_file.ts";
import { shown } from "../text.ts";

/** One row that names a picture. */
export interface ListRow {
  /** Line where it ends, from 1. */
  line: number;
  /** As written. */
  path: string;
  /** As written, in the order of the kinds. */
  labels: string[];
}

/** What a list says. */
export interface ListRows {
  /** Rows in their order. */
  rows: ListRow[];
  /** Kinds of labels. */
  kinds: string[];
}

/** What names the column of paths in a header row, in any case. */
const PATH_NAMES = /^(path|file|image|img|picture|file[ _]?name|(file|image|img)[ _]?path)$/i;

const EXTENSION = String.raw`\.(?:png|jpe?g|jpe|jfif|gif|webp)`;
/** A path that ends with the extension of a picture, and what follows it: no further path. */
const PATH_THEN_LABEL = new RegExp(`^(.*${EXTENSION})[\\s,]+(?!.*${EXTENSION}$)(\\S.*)$`, "i");

/**
 * Reads the rows of a list. Blank lines mean nothing, nor do lines of a ".txt" that start with "#".
 *
 * A first row with a column named "path" (or file, filename, file_name, filepath, image, image_path, img, …) is
 * a header: its other columns are kinds of labels. Without one, rows are a path and at most one `label`.
 *
 * Columns are separated by commas (".csv"; semicolons where the first line has no comma) or tabs (".tsv").
 * Of a ".txt" they are separated by tabs or commas where its first row is such a header, by tabs where that
 * row has one; else a line is a path, which may hold blanks, and the label after its extension, if any.
 *
 * @param path Path of the list: its extension decides, messages name it.
 * @param bytes Its contents: text as `decodeText` takes it.
 * @throws {HatchlingError} naming file and line.
 */
export async function readRows(path: string, bytes: Uint8Array): Promise<ListRows> {
  const text = decodeText(bytes, path), name = shown(path);
  const isTxt = /\.txt$/i.test(name);
  const first = text.split(/\r\n?|\n/).find((line) => line.trim() && !(isTxt && line[0] === "#"));
  if (first === undefined) {
    throw new HatchlingError(
      `Expected a path per line in ${name} but it is empty: list a picture per line`,
    );
  }
  const delimiter = delimiterOf(name, first);
  const records = delimiter ? await parseRecords(name, text, delimiter, isTxt) : plainRecords(text);
  const header = records[0].cells.findIndex((cell) => PATH_NAMES.test(cell.trim()));
  return header < 0 ? withoutHeader(name, records) : withHeader(name, records, header);
}

interface Record {
  line: number;
  cells: string[];
}

/** What separates columns; undefined when every line is a path and perhaps its label. */
function delimiterOf(name: string, first: string): string | undefined {
  if (/\.csv$/i.test(name)) return first.includes(";") && !first.includes(",") ? ";" : ",";
  if (/\.tsv$/i.test(name) || first.includes("\t")) return "\t";
  const cells = first.split(",").map((cell) => cell.replaceAll('"', "").trim());
  return cells.some((cell) => PATH_NAMES.test(cell)) ? "," : undefined;
}

async function parseRecords(
  name: string,
  text: string,
  delimiter: string,
  isTxt: boolean,
): Promise<Record[]> {
  const { CsvError, parse } = await loadParser();
  try {
    const parsed = parse(text, {
      delimiter,
      info: true,
      record_delimiter: ["\r\n", "\n", "\r"],
      skip_empty_lines: true,
      comment: isTxt ? "#" : null,
      comment_no_infix: true, // "#" may stand in a path
    });
    // The package's types do not know of `info` without column names.
    const typed = parsed as unknown as { record: string[]; info: { lines: number } }[];
    return typed.map(({ record, info }) => ({ line: info.lines, cells: record }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const { lines } = error as { lines?: number };
    throw new HatchlingError(
      `Expected every row of ${name} to have as many columns as the first, quoted where they hold ` +
        `quotes or line breaks, but ${name}:${lines}: ${shown(error.message)}`,
    );
  }
}

/** Only who opens such a list downloads it. */
async function loadParser() {
  try {
    return await import("npm:csv-parse@7.0.3/sync");
  } catch (cause) {
    const [reason] = String((cause as Error).message).split("\n");
    throw new HatchlingError(
      `The parser npm:csv-parse@7.0.3 cannot be loaded: it needs the network on first use (${reason})`,
      { cause },
    );
  }
}

/** Lines of a path and perhaps a label. */
function plainRecords(text: string): Record[] {
  return text.split(/\r\n?|\n/).flatMap((raw, i) => {
    const line = raw.trim();
    if (!line || line.startsWith("#")) return [];
    const [, path, label] = line.match(PATH_THEN_LABEL) ?? [];
    return [{ line: i + 1, cells: path ? [path, label] : [line] }];
  });
}

function withHeader(name: string, records: Record[], column: number): ListRows {
  const [header, ...rows] = records;
  const kinds = header.cells.map((cell) => cell.trim());
  const wrong = kinds.findIndex((kind, i) => !kind || kinds.indexOf(kind) < i);
  if (wrong >= 0) {
    throw new HatchlingError(
      `Expected a name of its own for each column in ${name}:${header.line} but column ${
        wrong + 1
      } is ` +
        `${JSON.stringify(kinds[wrong])}: name it, or remove it`,
    );
  }
  if (rows.length === 0) {
    throw new HatchlingError(
      `Expected pictures in ${name} but found only the header: list a picture per line`,
    );
  }
  const others = [...kinds.keys()].filter((i) => i !== column);
  return {
    kinds: others.map((i) => kinds[i]),
    rows: rows.map(({ line, cells }) => ({
      line,
      path: required(name, line, cells[column]),
      labels: others.map((i) => cells[i].trim()),
    })),
  };
}

function withoutHeader(name: string, records: Record[]): ListRows {
  const labelled = records[0].cells.length > 1;
  return {
    kinds: labelled ? ["label"] : [],
    rows: records.map(({ line, cells }) => {
      if (cells.length > 2) {
        throw new HatchlingError(
          `Expected a path and at most one label in ${name}:${line} but found ${cells.length} columns: add ` +
            `a first row that names them, "path" and one kind of label each`,
        );
      }
      if (cells.length > 1 !== labelled) {
        throw new HatchlingError(
          `Expected ${
            labelled ? "a label" : "no label"
          } in ${name}:${line}, as in its first row, but found ` +
            `${JSON.stringify(cells.join(" "))}: label every picture, or none`,
        );
      }
      return {
        line,
        path: required(name, line, cells[0]),
        labels: cells.slice(1).map((l) => l.trim()),
      };
    }),
  };
}

function required(name: string, line: number, path: string): string {
  if (path.trim()) return path.trim();
  throw new HatchlingError(
    `Expected a path in ${name}:${line} but found none: add it, or remove the row`,
  );
}
