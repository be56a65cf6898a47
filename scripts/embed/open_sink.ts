/**
 * From the name of a file to what writes it.
 *
 * @module
 */
import type { OutputFile } from "../common/outputs.ts";
import { isOwnCsv, isOwnJsonLines, isOwnPair, isOwnParquet } from "../common/own_tables.ts";
import { AtomicFile } from "../../lib/io/atomic_file.ts";
import { FEATURES_KEY, ParquetSink } from "../../lib/embed/parquet.ts";
import { csvSink, FIRST_COLUMNS, type Format, jsonlSink, NpySink } from "../../lib/embed/sink.ts";
import type { Sink, Table } from "../../lib/embed/sink.ts";

/** The files of a table: the one that was named, of .npy also the .csv beside it. */
export function outputsOf(path: string, format: Format): OutputFile[] {
  const columns = FIRST_COLUMNS.join();
  if (format === "npy") {
    const csv = `${path.replace(/\.npy$/i, "")}.csv`;
    const own = () => isOwnPair({ npy: path, csv, columns });
    return [{ path, own }, { path: csv, own }];
  }
  const own = {
    parquet: isOwnParquet(FEATURES_KEY),
    csv: isOwnCsv(columns),
    jsonl: isOwnJsonLines,
  };
  return [{ path, own: own[format] }];
}

/**
 * Makes the temporary files of a table.
 *
 * @throws {HatchlingError} When they cannot be written there.
 */
export function reserve(outputs: readonly OutputFile[]): AtomicFile[] {
  const files: AtomicFile[] = [];
  try {
    for (const { path } of outputs) files.push(AtomicFile.open(path));
    return files;
  } catch (error) {
    for (const file of files) file.discard();
    throw error;
  }
}

/** What writes a table to the files of {@linkcode reserve}. */
export function sinkOf([file, names]: AtomicFile[], format: Format, table: Table): Sink {
  if (format === "parquet") return new ParquetSink(file, table);
  if (format === "npy") return new NpySink(file, names, table);
  return format === "csv" ? csvSink(file, table, true) : jsonlSink(file, table);
}
