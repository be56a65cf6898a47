/**
 * The package behind PNG files, fully versioned: an importer by URL does not see `deno.json`.
 *
 * @module
 */

export { PNG } from "npm:pngjs@7.0.0";
