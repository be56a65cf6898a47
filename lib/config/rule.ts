/**
 * What a rule between keys is.
 *
 * @module
 */

import type { ParsedConfig } from "./types.ts";

/** One rule between keys. */
export interface Rule {
  /** The keys it looks at; the first is the one that is said to be wrong. */
  keys: readonly string[];
  /** For the documentation. */
  text: string;
  /** Keys that `preset: auto` chooses to agree with the others where they are not set. */
  chosen?: readonly string[];
  /**
   * What is wrong, with the key of the rule that is wrong where it is not the first; or undefined.
   * Holds only the rule's own keys for certain.
   */
  check(config: ParsedConfig): string | { key: string; what: string } | undefined;
}

/** "expected at most …". */
export const atMost = (other: string, limit: number, found: number): string =>
  `expected at most ${other} (${limit}) but found ${found}`;
