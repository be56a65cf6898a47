/**
 * Values as a text or a command line sets them.
 *
 * @module
 */

/** A value with its place, as `file:line:column` or `--section.key`. */
export interface Entry {
  value: unknown;
  where: string;
  /** The places of a list's items. */
  items: string[];
}

/** Values by `section.key`. */
export type Entries = Map<string, Entry>;
