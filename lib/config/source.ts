/**
 * From YAML to a flat table of values that still know where they stand.
 *
 * @module
 */

import { shown } from "../text.ts";
import { isAlias, isMap, isScalar, isSeq, type Node } from "./deps.ts";
import { accepts, type Key, label, type Section, sections, show, takesNull } from "./describe.ts";
import type { Entries } from "./entries.ts";
import type { Report } from "./problems.ts";
import { hintForKey, hintForSection, nearest, sectionNames } from "./suggest.ts";
import { isEmpty, plain, readYaml, type Yaml } from "./yaml.ts";

/** Reads a configuration's text: fills `entries` with the known keys, reports all else. */
export function readSource(text: string, file: string, entries: Entries, report: Report): void {
  const yaml = readYaml(text);
  const name = shown(file);
  const place = (offset: number) => {
    const { line, col } = yaml.lines.linePos(offset);
    return `${name}:${line || 1}:${col || 1}`;
  };
  const at = (node: unknown, instead?: unknown): string => {
    const range = (node as Node | null)?.range ?? (instead as Node | null)?.range;
    return place(range?.[0] ?? 0);
  };
  if (yaml.errors.length) {
    for (const error of yaml.errors) report(place(error.offset), "", error.message);
    return; // what was recovered from broken YAML would only raise errors that are none
  }
  const root = yaml.contents;
  if (!isMap(root)) {
    const expected = `expected a mapping of sections (${sectionNames().join(", ")})`;
    const found = isEmpty(root) ? "nothing: the file is empty" : describe(plain(root, yaml));
    report(at(root), "", `${expected} but found ${found}`);
    return;
  }
  const reading: Reading = { yaml, at, entries, report };
  eachPair(root, "", reading, (name, key, value) => {
    if (name === "preset") { // stands above all sections as well as in its own
      const where = at(isEmpty(value) ? key : value);
      entries.set("training.preset", { value: plain(value, yaml), where, items: [] });
      return;
    }
    const section = sections().find((one) => one.name === name);
    if (section) return readMapping(section, value, reading, key);
    report(at(key), name, () => hintForSection(name));
    readAsMeant(root, name, sections(), value, reading);
  });
}

/** What reading a mapping needs to know. */
export interface Reading {
  yaml: Yaml;
  /** Where a node is; of one without a place, where the other is. */
  at(node: unknown, instead?: unknown): string;
  entries: Entries;
  report: Report;
}

/**
 * Reads the keys and tables of a section from a node: fills the entries with the known keys, reports
 * all else. `name` is the node of its name, where an empty value is reported.
 */
export function readMapping(
  section: Section,
  node: unknown,
  reading: Reading,
  name?: unknown,
): void {
  const { yaml, at, entries, report } = reading;
  const map = yaml.resolve(node);
  if (!isMap(map)) {
    const found = describe(plain(node, yaml));
    const where = at(isEmpty(node) ? name : node);
    report(where, section.path, `expected a mapping of keys but found ${found}`);
    return;
  }
  eachPair(map, `${section.path}.`, reading, (inner, key, value) => {
    const table = section.tables.find((one) => one.name === inner);
    if (table) return readMapping(table, value, reading, key);
    const path = `${section.path}.${inner}`;
    const known = section.keys.find((one) => one.name === inner);
    if (!known) {
      report(at(key), path, () => hintForKey(section.path, inner));
      readAsMeant(map, inner, section.tables, value, reading);
      return;
    }
    const found = plain(value, yaml);
    const where = at(isEmpty(value) ? key : value);
    if (found === undefined) {
      const alias = isAlias(value) ? label(value.source) : "";
      report(where, path, `expected an anchor &${alias} before its alias *${alias}`);
      return;
    }
    if (isEmpty(yaml.resolve(value)) && takesNull(known.json)) {
      report(where, path, missing(known));
      return;
    }
    const items = isSeq(value) ? value.items.map((item) => at(item)) : [];
    entries.set(path, { value: found, where, items });
  });
}

/**
 * What is said of a key that takes null and has nothing behind it. Null often stands for something quite different
 * from the default, and for something else than who left the value for later had in mind.
 */
export function missing({ json }: Pick<Key, "json">): string {
  return `expected ${
    accepts(json)
  } but found nothing - write null if that is meant, or leave the key out`;
}

/** Reads a misspelt section as the one that must be meant, so that all of its errors show. */
function readAsMeant(
  parent: { has(key: unknown): boolean },
  name: string,
  among: readonly Section[],
  value: unknown,
  reading: Reading,
): void {
  if (!isMap(value)) return;
  const meant = nearest(name, among.map((one) => one.name));
  if (!meant || parent.has(meant)) return;
  readMapping(among.find((one) => one.name === meant)!, value, reading);
}

function eachPair(
  map: { items: { key: unknown; value: unknown }[] },
  prefix: string,
  { at, report }: Reading,
  visit: (name: string, key: unknown, value: unknown) => void,
): void {
  const first = new Map<string, string>();
  for (const { key, value } of map.items) {
    if (!isScalar(key)) {
      const what = "expected the name of a key but found a list, mapping or alias";
      report(at(key, map), prefix.slice(0, -1), what);
      continue;
    }
    const name = nameOf(key.value);
    const earlier = first.get(name);
    if (earlier !== undefined) {
      const place = /\d+:\d+$/.exec(earlier);
      const where = place ? `, first at ${place[0]}` : "";
      report(at(key), `${prefix}${name}`, `given twice${where}: keep one`);
      continue;
    }
    first.set(name, at(key));
    visit(name, key, value);
  }
}

/** A key as a text; the merge key of YAML 1.1 is a symbol. */
const nameOf = (value: unknown) => typeof value === "symbol" ? "<<" : String(value);

const describe = (value: unknown): string => Array.isArray(value) ? "a list" : show(value);
