/**
 * What could not be read, in few words however much it is.
 *
 * @module
 */
import { count } from "../words.ts";

/** Most notes, most lines and characters of one, and most lines of a file that are named. */
const NOTES = 20, LINES = 6, LONG = 600, NAMED = 10;

/** Notes about the files of a run. */
export class Faults {
  readonly #notes: string[] = [];
  #more = 0;

  /** Adds one; what is said already is left out. */
  add(note: string): void {
    const text = clipped(note);
    if (this.#notes.includes(text)) return;
    if (this.#notes.length < NOTES) this.#notes.push(text);
    else this.#more++;
  }

  /** Adds the lines of a file that are damaged: some by number, and how many more there are. */
  addLines(name: string, lines: readonly number[], more = 0): void {
    if (!lines.length) return;
    const rest = lines.length + more - NAMED;
    const names = lines.slice(0, NAMED).map(String);
    if (rest > 0) names.push(`${count(rest)} more`);
    const one = names.length === 1;
    const words = one ? names[0] : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
    this.add(
      `line${one ? "" : "s"} ${words} of ${name} ${one ? "is" : "are"} damaged and left out`,
    );
  }

  /** The notes, in the order in which they were made. */
  get notes(): string[] {
    return this.#more
      ? [...this.#notes, `and ${count(this.#more)} more files that could not be read`]
      : [...this.#notes];
  }
}

/** The beginning of a text, with what was cut off counted. */
function clipped(text: string): string {
  const lines = text.split("\n"), kept = lines.slice(0, LINES);
  if (lines.length > LINES) kept.push(`and ${count(lines.length - LINES)} more lines`);
  const all = kept.join("\n");
  return all.length > LONG ? `${all.slice(0, LONG)} …` : all;
}
