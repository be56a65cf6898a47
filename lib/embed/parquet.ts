/**
 * Features as Apache Parquet, row group by row group.
 *
 * @module
 */
import { ByteWriter, ParquetWriter } from "./deps.ts";
import type { AtomicFile } from "../io/atomic_file.ts";
import { labelColumns, type Row, type Sink, type Table } from "./sink.ts";

/** Numbers in a row group: what is in memory while one is encoded. */
const GROUP_NUMBERS = 2 ** 20;

/** What is said of the table under this key: which features they are. */
export const FEATURES_KEY = "hatchling.features";

/** Columns id, width, height, one per kind of label, and feature, a list of float32. */
export class ParquetSink implements Sink {
  readonly files: readonly string[];
  readonly #file: AtomicFile;
  readonly #writer: ParquetWriter;
  readonly #labels: string[];
  readonly #groupRows: number;
  #rows: Row[] = [];

  constructor(file: AtomicFile, table: Table) {
    this.files = [file.path];
    this.#file = file;
    this.#labels = labelColumns(table);
    this.#groupRows = Math.max(1, Math.floor(GROUP_NUMBERS / table.dim));
    const text = (name: string) =>
      ({ name, type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" }) as const;
    const whole = (name: string) => ({ name, type: "INT32", repetition_type: "REQUIRED" }) as const;
    this.#writer = new ParquetWriter({
      writer: new FileBytes(file),
      schema: [
        { name: "root", num_children: 4 + this.#labels.length },
        text("id"),
        whole("width"),
        whole("height"),
        ...this.#labels.map(text),
        { name: "feature", num_children: 1, converted_type: "LIST", repetition_type: "REQUIRED" },
        { name: "list", num_children: 1, repetition_type: "REPEATED" },
        { name: "element", type: "FLOAT", repetition_type: "REQUIRED" },
      ],
      kvMetadata: Object.entries(table.about).map(([key, value]) => ({ key, value })),
      createdBy: "hatchling",
    });
  }

  write(rows: readonly Row[]): void {
    this.#rows.push(...rows);
    while (this.#rows.length >= this.#groupRows) this.#group(this.#rows.splice(0, this.#groupRows));
  }

  finish(): void {
    if (this.#rows.length) this.#group(this.#rows.splice(0));
    this.#writer.finish();
    this.#file.finish();
  }

  #group(rows: readonly Row[]): void {
    const column = (name: string, of: (row: Row) => string | number) => ({
      name,
      data: rows.map(of),
    });
    this.#writer.write({
      rowGroupSize: rows.length,
      columnData: [
        column("id", ({ id }) => id),
        column("width", ({ width }) => width),
        column("height", ({ height }) => height),
        ...this.#labels.map((name, i) => column(name, ({ labels }) => labels[i])),
        {
          name: "feature",
          data: rows.map(({ feature }) => Array.from(feature)), // the encoder takes arrays alone
          encoding: "PLAIN", // no dictionary, no compression: of such numbers neither is worth it
          codec: "UNCOMPRESSED",
          statistics: false,
        },
      ],
    });
  }
}

/** The encoder's bytes, which go to the file whenever a row group is complete. */
class FileBytes extends ByteWriter {
  readonly #file: AtomicFile;

  constructor(file: AtomicFile) {
    super();
    this.#file = file;
  }

  flush(): void {
    this.#file.write(this.getBytes());
    this.index = 0;
  }

  override finish(): void {
    this.flush();
  }
}
