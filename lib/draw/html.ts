/**
 * What pages of one file, which load nothing, have in common.
 *
 * @module
 */
import { shown } from "../text.ts";

/** Content security policy of such a page: nothing from outside, whatever a name may try. */
export const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/** Text for HTML, attributes included. */
export function escape(text: string): string {
  return shown(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** What the pages of a command have in their head. */
export function pageMark(maker: string): string {
  return `<meta name="generator" content="hatchling ${maker}">`;
}
