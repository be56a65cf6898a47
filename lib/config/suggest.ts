/**
 * "Did you mean …?" for a key or a section that does not exist.
 *
 * @module
 */

import { type Key, sections } from "./describe.ts";

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
    const distance = editDistance(wanted, candidate);
    const allowed = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3));
    if (distance <= allowed && distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/**
 * The existing keys that an unknown `section.name` may mean, likeliest first: the name in another
 * section, the key known elsewhere by that name, a near name in its section, a near name anywhere.
 * `section` is undefined for a name that stands outside of any section.
 */
export function suggestKeys(section: string | undefined, name: string): Key[] {
  const all = sections();
  const keys = all.flatMap((one) => one.keys);
  const home = section === undefined ? undefined : all.find((one) => one.name === section) ??
    all.find((one) => one.name === nearest(section, all.map((other) => other.name)));
  const word = name.toLowerCase().replaceAll("-", "_");
  const inHome = (key: Key) => key.section === home?.name;
  for (const same of [(key: Key) => key.name === word, (key: Key) => key.aka?.includes(word)]) {
    const found = keys.filter((key) => same(key));
    if (found.some(inHome)) return found.filter(inHome);
    if (found.length) return found;
  }
  const near = nearest(name, home?.keys.map((key) => key.name) ?? []);
  if (near) return home!.keys.filter((key) => key.name === near);
  const far = nearest(name, keys.map((key) => key.name));
  return keys.filter((key) => key.name === far);
}

/** What may have been meant by an unknown name. */
export interface Hint {
  /** Stands behind "unknown key - ". */
  text: string;
  /** The `section.key`s it may stand for: nothing is certain about their values. */
  keys: string[];
}

/** The hint for an unknown key: those that may be meant, or all there are. */
export function hintForKey(section: string, name: string, prefix = ""): Hint {
  const found = suggestKeys(section, name);
  const home = sections().find((one) => one.name === section);
  if (!found.length && home) {
    const keys = home.keys.map((key) => key.name).join(", ");
    return { text: `the keys of ${section} are ${keys}`, keys: [] };
  }
  const names = found.map((key) =>
    prefix ? `"${prefix}${key.path}"` : key.section === section ? `"${key.name}"` : `"${key.path}"`
  );
  return didYouMean(names, found);
}

/** The hint for an unknown section, which may be a key that lacks its section. */
export function hintForSection(name: string): Hint {
  const dot = name.indexOf(".");
  const near = dot < 0 ? nearest(name, sectionNames()) : undefined;
  if (near) return didYouMean([`"${near}"`], []);
  const found = dot < 0
    ? suggestKeys(undefined, name)
    : suggestKeys(name.slice(0, dot), name.slice(dot + 1));
  return didYouMean(found.map((key) => `"${key.name}" under "${key.section}:"`), found);
}

function didYouMean(names: string[], keys: Key[]): Hint {
  const text = names.length
    ? `did you mean ${names.join(" or ")}?`
    : `the sections are ${sectionNames().join(", ")}`;
  return { text, keys: keys.map((key) => key.path) };
}

/** The names of all sections. */
export function sectionNames(): string[] {
  return sections().map((section) => section.name);
}
