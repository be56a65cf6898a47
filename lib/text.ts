/**
 * Text from files, names and terminals, made safe to show.
 *
 * @module
 */

/** C0 and C1 controls, line separators, and what turns the direction of text or is not seen. */
// deno-lint-ignore no-control-regex
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

function escaped(c: string): string {
  const code = c.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
}

/**
 * A name from outside (file, class, column, key) within a message: control characters are made visible, line
 * breaks and those that turn the direction of text among them, so that it can neither end the line nor command
 * the terminal.
 *
 * @example
 * ```ts
 * import { shown } from "./text.ts";
 *
 * console.assert(shown("a\n\u202eb") === "a\\x0a\\u202eb");
 * ```
 */
export function shown(name: string): string {
  return name.replace(UNSEEN, escaped);
}

/**
 * A whole message: as `shown`, but line breaks and tabs stay.
 *
 * @example
 * ```ts
 * import { shownLines } from "./text.ts";
 *
 * console.assert(shownLines("one\n\x1b[2Jtwo") === "one\n\\x1b[2Jtwo");
 * ```
 */
export function shownLines(text: string): string {
  return text.replace(UNSEEN, (c) => c === "\n" || c === "\t" ? c : escaped(c));
}

/**
 * Bytes as hexadecimal digits.
 *
 * @example
 * ```ts
 * import { hex } from "./text.ts";
 *
 * console.assert(hex(Uint8Array.of(255, 1)) === "ff01");
 * ```
 */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
