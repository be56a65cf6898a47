/**
 * What a check found, as text.
 *
 * @module
 */
import type { Check } from "./check.ts";
import type { Bin, Spread } from "./tally.ts";
import { bytes, count, many, percent, short } from "../../lib/words.ts";
import { shown } from "../../lib/text.ts";

/** Files that are listed one by one; `--json` lists all. */
const LISTED = 20;
/** Examples within a line. */
const EXAMPLES = 3;

/** The report, in lines. */
export function reportOf(found: Check, advice: readonly string[]): string {
  const { pictures, damaged } = found;
  const parts = [
    `${shown(found.folder)}: ${many(pictures, "picture")}, ${bytes(found.bytes)}`,
    ...(pictures ? table(found) : []),
    ...notes(found).map((note) => `note: ${note}`),
    ...listed("damaged", damaged.map(({ file, reason }) => `${shown(file)}: ${shown(reason)}`)),
    ...listed("same bytes", found.duplicates.map(group)),
    ...listed("same pixels", (found.samePixels ?? []).map(group)),
    ...advice.map((line) => `advice: ${line}`),
    pictures === 0
      ? "nothing usable: no picture was found"
      : damaged.length
      ? `${many(damaged.length, "damaged file")}: training leaves ${
        damaged.length === 1 ? "it" : "them"
      } out`
      : `sound: all ${count(pictures)} pictures can be decoded`,
  ];
  return parts.join("\n");
}

function table(found: Check): string[] {
  const { folders } = found;
  const rows: [string, string][] = [
    ["formats", list(found.formats, kind)],
    ["stored as", list(found.kinds, kind)],
    ["width", spreadOf(found.width, "px")],
    ["height", spreadOf(found.height, "px")],
    ["aspect", spreadOf(found.aspect, "(width / height)")],
    ["megapixels", spreadOf(found.megapixels, "")],
    ["shorter side", found.shorterSides.map((bin) => binOf(bin, found.pictures)).join(", ")],
  ];
  if (folders.length > 1 || folders[0].name !== ".") {
    rows.push([`${many(folders.length, "folder")}`, list(folders, folder)]);
  }
  rows.push(["decoded", `${bytes(found.decodedBytes)} in memory`]);
  return rows.map(([name, value]) => `${name.padEnd(14)} ${value}`.trimEnd());
}

function notes(found: Check): string[] {
  const { turned, animated, gray, flat, misnamed, others, linked, pictures } = found;
  const notes: string[] = [];
  if (turned) notes.push(`${many(turned, "picture is", "pictures are")} turned upright by EXIF`);
  if (animated) {
    notes.push(`${many(animated, "animation")}: only the first frame of each is read`);
  }
  if (gray && gray < pictures) {
    notes.push(`${many(gray, "picture has", "pictures have")} no colour`);
  }
  if (flat.length) {
    const these = examples(flat, (id) => shown(id));
    notes.push(`${many(flat.length, "picture is", "pictures are")} one single colour (${these})`);
  }
  if (misnamed.length) {
    const these = examples(misnamed, ({ file, format }) => `${shown(file)} is ${format}`);
    notes.push(
      `${
        many(misnamed.length, "file")
      } of another format than the name says (${these}); the contents ` +
        `count`,
    );
  }
  notes.push(...found.notes);
  if (linked) notes.push(`${many(linked, "link")} left out: what they lead to is here already`);
  if (others) notes.push(`${many(others, "file")} of other kinds`);
  return notes;
}

function listed(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const more = lines.length - LISTED;
  return [
    `${title}: ${count(lines.length)}`,
    ...lines.slice(0, LISTED).map((line) => `  ${line}`),
    ...(more > 0 ? [`  and ${count(more)} more: --json lists all`] : []),
  ];
}

type Counted = { name: string; count: number };
const kind = ({ name, count: n }: Counted) => `${count(n)} ${name}`;
const folder = ({ name, count: n }: Counted) => `${shown(name)} (${count(n)})`;

function list(names: readonly Counted[], show: (one: Counted) => string): string {
  const more = names.length - LISTED;
  return names.slice(0, LISTED).map(show).join(", ") +
    (more > 0 ? `, and ${count(more)} more` : "");
}

function examples<T>(all: readonly T[], show: (one: T) => string): string {
  const more = all.length - EXAMPLES;
  return all.slice(0, EXAMPLES).map(show).join(", ") +
    (more > 0 ? `, and ${count(more)} more` : "");
}

const group = (ids: string[]) => examples(ids, shown);

function spreadOf({ min, median, max }: Spread, unit: string): string {
  const number = (x: number) => x >= 1000 ? count(x) : short(x);
  if (min === max) return `${number(min)} ${unit}`;
  return `${number(min)} to ${number(max)} ${unit}, median ${number(median)}`.replace(" ,", ",");
}

function binOf({ from, to, count: n }: Bin, all: number): string {
  const range = from === 0
    ? `below ${count(to! + 1)}`
    : to === undefined
    ? `${count(from)} or more`
    : `${count(from)} to ${count(to)}`;
  return `${range} px: ${count(n)} (${percent(n / all)})`;
}
