/**
 * "Did you mean …?" for a key or a section that does not exist.
 *
 * @module
 */

import { allKeys, allSections, findSection, type Key, type Section, sections } from "./describe.ts";
import type { Hint } from "./problems.ts";

/**
 * Number of edits (insert, delete, replace, swap two neighbours) that turn one word into another:
 * Damerau–Levenshtein distance, restricted form.
 */
export function editDistance(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], before[j - 2] + 1);
      }
    }
    [before, last] = [last, row];
  }
  return last[b.length];
}

/** The nearest of some names, if it is near enough to be meant: a third of its letters may differ. */
export function nearest(name: string, among: readonly string[]): string | undefined {
  const wanted = name.toLowerCase().replaceAll("-", "_");
  let best: string | undefined;
  let least = Infinity;
  for (const candidate of among) {
    const allowed = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3));
    // Their lengths alone say so of a name that is far too long to be compared.
    if (Math.abs(wanted.length - candidate.length) > allowed) continue;
    const distance = editDistance(wanted, candidate);
    if (distance <= allowed && distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** A key or a table, as far as suggestions go. */
export type Named = Pick<Key, "name" | "path" | "section"> & Partial<Pick<Key, "aka">>;

/**
 * The existing keys and tables that an unknown `section.name` may mean, likeliest first: the name in
 * another section, the key known elsewhere by that name, a near name in its section or, as in `local_hue`, with the
 * name of one of its tables, a near name anywhere. Of keys that share a name, those of tables stand back. `section` is
 * undefined for a name that stands outside of any section.
 */
export function suggestKeys(section: string | undefined, name: string): Named[] {
  const home = section === undefined ? undefined : nearSection(section);
  const all: Named[] = [...allKeys(), ...allSections().filter((one) => one.section)];
  const own = all.filter((one) => one.section === home?.path);
  const word = name.toLowerCase().replaceAll("-", "_");
  for (const same of [(one: Named) => one.name === word, (one: Named) => one.aka?.includes(word)]) {
    const found = all.filter((one) => same(one));
    const inHome = found.filter((one) => own.includes(one));
    if (inHome.length) return inHome;
    if (found.length) return outermost(found);
  }
  const near = nearestOf(word, own, home?.tables ?? []);
  return near.length
    ? near
    : outermost(nearestOf(word, all, sections().flatMap(({ tables }) => tables)));
}

/** The nearest by name or, where that is nearer, by name beside that of a table: `local_hue`, `hue_local`. */
function nearestOf(word: string, among: readonly Named[], tables: readonly Section[]): Named[] {
  const own = closest(word, among.map((one) => [one.name, one]));
  const inTables = tables.flatMap(({ name, keys }) => {
    const named = keys.flatMap((key) => [key.name, ...key.aka].map((one) => [one, key] as const));
    return [...new Set([name, name.replace(/_\d$/, "")])].flatMap((part) => [
      ...word.startsWith(`${part}_`) ? [closest(word.slice(part.length + 1), named)] : [],
      ...word.endsWith(`_${part}`) ? [closest(word.slice(0, -part.length - 1), named)] : [],
    ]);
  });
  const least = Math.min(own.distance, ...inTables.map(({ distance }) => distance));
  const best = own.distance === least ? [own] : inTables.filter((one) => one.distance === least);
  return best.flatMap(({ found }) => found);
}

/** What bears the nearest name, if that is near enough. */
function closest(
  word: string,
  named: readonly (readonly [string, Named])[],
): { distance: number; found: Named[] } {
  const name = nearest(word, named.map(([one]) => one));
  if (name === undefined) return { distance: Infinity, found: [] };
  const found = named.filter(([one]) => one === name).map(([, one]) => one);
  return { distance: editDistance(word, name), found };
}

/** The section that a path names or, with letters wrong, means; as much of it as there is. */
function nearSection(path: string): Section | undefined {
  let home: Section | undefined;
  for (const part of path.split(".")) {
    const among = home ? home.tables : sections();
    const meant = nearest(part, among.map((one) => one.name));
    const next = among.find((one) => one.name === part) ?? among.find((one) => one.name === meant);
    if (!next) break;
    home = next;
  }
  return home;
}

function outermost(found: Named[]): Named[] {
  const depth = ({ section }: Named) => section.split(".").length;
  const least = Math.min(...found.map(depth));
  return found.filter((one) => depth(one) === least);
}

/** Keys that one message lists. */
const MOST_LISTED = 12;

/** The hint for an unknown key: those that may be meant, or all there are. */
export function hintForKey(section: string, name: string, prefix = ""): Hint {
  if (name === "<<") {
    const text =
      "merge keys are not read: write the keys out, or let the whole section be an alias";
    return { text, keys: [] };
  }
  const dot = name.lastIndexOf(".");
  const found = dot < 0
    ? suggestKeys(section, name)
    : suggestKeys(`${section}.${name.slice(0, dot)}`, name.slice(dot + 1));
  const home = findSection(section);
  if (!found.length && home) {
    const all = [...home.keys, ...home.tables].map((one) => one.name);
    const more = all.length - MOST_LISTED;
    const keys = all.slice(0, MOST_LISTED).join(", ") +
      (more > 0 ? ` and ${more} more, in docs/configuration.md` : "");
    return { text: `unknown key - the keys of ${section} are ${keys}`, keys: [] };
  }
  return didYouMean(
    "unknown key",
    found.map((one) => {
      if (prefix) return `"${prefix}${one.path}"`;
      if (dot >= 0) return underItsSection(one);
      return one.section === section ? `"${one.name}"` : `"${one.path}"`;
    }),
    found,
  );
}

/** The hint for an unknown section, which may be a key that lacks its section. */
export function hintForSection(name: string): Hint {
  if (name === "<<") return hintForKey("", name);
  const dot = name.lastIndexOf(".");
  const near = dot < 0 ? nearest(name, sectionNames()) : undefined;
  if (near) return didYouMean("unknown section", [`"${near}"`], []);
  const found = dot < 0
    ? suggestKeys(undefined, name)
    : suggestKeys(name.slice(0, dot), name.slice(dot + 1));
  return didYouMean("unknown section", found.map(underItsSection), found);
}

const underItsSection = ({ name, section }: Named) => `"${name}" under "${section}:"`;

function didYouMean(unknown: string, names: string[], found: Named[]): Hint {
  const text = names.length
    ? `did you mean ${names.join(" or ")}?`
    : `the sections are ${sectionNames().join(", ")}`;
  return { text: `${unknown} - ${text}`, keys: found.map((one) => one.path) };
}

/** The names of all sections. */
export function sectionNames(): string[] {
  return sections().map((section) => section.name);
}
