/**
 * From the name of a file to what writes it.
 *
 * @module
 */
import { AtomicFile } from "./atomic_file.ts";
import { ParquetSink } from "./parquet.ts";
import { csvSink, type Format, jsonlSink, NpySink, type Sink, type Table } from "./sink.ts";

/**
 * Makes the temporary files of a table.
 *
 * @throws {HatchlingError} When they cannot be written there.
 */
export function reserve(path: string, format: Format): AtomicFile[] {
  const file = AtomicFile.open(path);
  if (format !== "npy") return [file];
  try {
    return [file, AtomicFile.open(`${path.replace(/\.npy$/i, "")}.csv`)];
  } catch (error) {
    file.discard();
    throw error;
  }
}

/** What writes a table to the files of {@linkcode reserve}. */
export function sinkOf([file, names]: AtomicFile[], format: Format, table: Table): Sink {
  if (format === "parquet") return new ParquetSink(file, table);
  if (format === "npy") return new NpySink(file, names, table);
  return format === "csv" ? csvSink(file, table, true) : jsonlSink(file, table);
}
