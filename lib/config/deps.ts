/**
 * The packages behind the configuration, fully versioned: an importer by URL does not see `deno.json`.
 *
 * @module
 */

import type { Document, DocumentOptions, ParseOptions } from "npm:yaml@2.9.1";
import { parseDocument as parse } from "npm:yaml@2.9.1";

export { z } from "npm:zod@4.6.7";
export {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
} from "npm:yaml@2.9.1";

/**
 * `parseDocument()` of npm yaml, without the permission for the environment: its parser looks there
 * for `LOG_TOKENS` and `LOG_STREAM`, where a plain `deno run` would have to ask. It gets an empty one
 * for the length of this synchronous call.
 */
export function parseDocument(
  text: string,
  options: ParseOptions & DocumentOptions,
): Document.Parsed {
  const process = (globalThis as { process?: { env: unknown } }).process;
  if (!process) return parse(text, options); // a browser
  const { env } = process;
  process.env = {};
  try {
    return parse(text, options);
  } finally {
    process.env = env;
  }
}
