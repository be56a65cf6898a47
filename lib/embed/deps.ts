/**
 * The package behind Parquet files, fully versioned: an importer by URL does not see `deno.json`.
 *
 * @module
 */

export { ByteWriter, ParquetWriter } from "npm:hyparquet-writer@0.17.0";
