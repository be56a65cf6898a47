/**
 * What was left out of a data set, for people.
 *
 * @module
 */

import { extname } from "node:path";
import { shown } from "../text.ts";
import type { SkippedFile } from "./dataset.ts";
import { conversionOf, formatOf } from "./formats/foreign.ts";
import { neverDataOf } from "./never_data.ts";

/** Paths that are named in a line. */
const EXAMPLES = 3;

/** What {@linkcode sortLeftOut} gives. */
export interface LeftOut {
  /** What is damaged or cannot be read: to be named one by one. */
  damaged: SkippedFile[];
  /** Pictures of other formats. */
  foreign: SkippedFile[];
  /** Folders and files that are never data. */
  never: SkippedFile[];
  /** One line for each of the last two kinds, with what to do. */
  notes: string[];
}

/**
 * Sorts what was left out: other formats and what is never data are sound, and can be told in a line each however
 * many there are.
 *
 * @param skipped Files and folders, with reasons of `lib/data`.
 *
 * @example
 * ```ts
 * import { sortLeftOut } from "./left_out.ts";
 *
 * const { damaged, notes } = sortLeftOut([{ file: "a.png", reason: "the file is empty (0 bytes)" }]);
 * console.assert(damaged.length === 1 && notes.length === 0);
 * ```
 */
export function sortLeftOut(skipped: readonly SkippedFile[]): LeftOut {
  const foreign = skipped.filter(({ reason }) => formatOf(reason) !== undefined);
  const never = skipped.filter(({ reason }) => neverDataOf(reason) !== undefined);
  const sorted = new Set([...foreign, ...never]);
  const notes: string[] = [];
  if (foreign.length) {
    const kinds = grouped(foreign, formatOf);
    const counts = kinds.map(([format, files]) => `${files.length} ${format}`).join(", ");
    const ways = kinds.map(([format, files]) => conversionOf(format, extensionOf(files, format)));
    notes.push(
      `left out: ${
        many(foreign.length, "picture")
      } in formats that are not read (${counts}): convert ` +
        `${foreign.length === 1 ? "it" : "them"}, ${[...new Set(ways)].join(", ")}`,
    );
  }
  if (never.length) {
    const kinds = grouped(never, neverDataOf).map(([what, files]) => {
      const more = files.length - EXAMPLES;
      const names = files.slice(0, EXAMPLES).map(({ file }) => shown(file)).join(", ");
      const times = files.length > 1 ? `${files.length} × ` : "";
      return `${times}${what} (${names}${more > 0 ? ` and ${more} more` : ""})`;
    });
    notes.push(`left out as never data: ${kinds.join("; ")}`);
  }
  return { damaged: skipped.filter((one) => !sorted.has(one)), foreign, never, notes };
}

/**
 * What was left out, in lines: damaged files one by one, the rest in a line for each kind.
 *
 * @param most Damaged files to name.
 */
export function leftOutLines(skipped: readonly SkippedFile[], most = Infinity): string[] {
  const { damaged, notes } = sortLeftOut(skipped), more = damaged.length - most;
  return [
    ...(damaged.length ? [`${many(damaged.length, "file")} left out:`] : []),
    ...damaged.slice(0, most).map(({ file, reason }) => `  ${shown(file)}: ${shown(reason)}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...notes.map((note) => `note: ${note}`),
  ];
}

/** Files by what their reasons say, in the order of the first. */
function grouped(
  files: readonly SkippedFile[],
  of: (reason: string) => string | undefined,
): [string, SkippedFile[]][] {
  return [...Map.groupBy(files, ({ reason }) => of(reason)!)];
}

/** The extension of the files, in the case that most of them have. */
function extensionOf(files: readonly SkippedFile[], format: string): string {
  const all = Map.groupBy(files, ({ file }) => extname(file).slice(1));
  const [[extension]] = [...all].sort(([, a], [, b]) => b.length - a.length);
  return extension || format.toLowerCase();
}

function many(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
