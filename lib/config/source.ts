/**
 * From YAML to a flat table of values that still know where they stand.
 *
 * @module
 */

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from "./deps.ts";
import { type Section, sections, show } from "./describe.ts";
import { hintForKey, hintForSection, nearest, sectionNames } from "./suggest.ts";

/** A value with its place, as `file:line:column` or `--section.key`. */
export interface Entry {
  value: unknown;
  where: string;
  /** The places of a list's items. */
  items: string[];
}

/** Values by `section.key`. */
export type Entries = Map<string, Entry>;

/**
 * Takes one thing that is wrong: its place, the key (or section, or "") and what it is. Rules leave
 * the key alone from then on, and the keys in `uncertain` too.
 */
export type Report = (where: string, key: string, what: string, uncertain?: string[]) => void;

/** What the YAML reader made of a text. */
export interface Yaml {
  doc: Document.Parsed;
  lines: LineCounter;
  /** Syntax errors, with offsets. */
  errors: { offset: number; message: string }[];
}

/** Parses strictly: a warning of the reader, such as an unknown tag, is an error too. */
export function readYaml(text: string): Yaml {
  const lines = new LineCounter();
  // Duplicate keys are found below, where their section is known.
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const errors = [...doc.errors, ...doc.warnings].map((error) => ({
    offset: error.pos[0],
    message: error.code === "MULTIPLE_DOCS"
      ? "expected one document but found another after '---'"
      : error.message,
  }));
  return { doc, lines, errors };
}

/**
 * The plain value of a node; `undefined` stands for an alias that nothing defines. No key takes more
 * than a list: what lies deeper is cut off, so that no bomb of aliases goes off.
 */
export function plain(node: Node | null | undefined, doc: Document, depth = 2): unknown {
  const target = isAlias(node) ? node.resolve(doc) : node;
  if (isAlias(node) && !target) return undefined;
  if (isScalar(target)) return target.value;
  if (isMap(target)) return {};
  if (!isSeq(target)) return null;
  return depth === 0 ? [] : target.items.map((item) => plain(item as Node, doc, depth - 1));
}

/** Reads a configuration's text: fills `entries` with the known keys, reports all else. */
export function readSource(text: string, file: string, entries: Entries, report: Report): void {
  const { doc, lines, errors } = readYaml(text);
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line || 1}:${col || 1}`;
  };
  const at = (node: unknown, instead?: unknown): string => {
    const range = (node as Node | null)?.range ?? (instead as Node | null)?.range;
    return place(range?.[0] ?? 0);
  };
  if (errors.length) {
    for (const error of errors) report(place(error.offset), "", error.message);
    return; // what was recovered from broken YAML would only raise errors that are none
  }
  const root = doc.contents;
  if (!isMap(root)) {
    const expected = `expected a mapping of sections (${sectionNames().join(", ")})`;
    const found = root === null ? "nothing: the file is empty" : describe(plain(root, doc));
    report(at(root), "", `${expected} but found ${found}`);
    return;
  }
  const reading: Reading = { doc, at, entries, report };
  eachPair(root, "", reading, (name, key, value) => {
    if (name === "preset") { // stands above all sections as well as in its own
      entries.set("training.preset", {
        value: plain(value as Node, doc),
        where: at(value),
        items: [],
      });
      return;
    }
    const section = sections().find((one) => one.name === name);
    if (section) return readMapping(section, value, reading, key);
    const hint = hintForSection(name);
    report(at(key), name, `unknown section - ${hint.text}`, hint.keys);
    readAsMeant(root, name, sections(), value, reading);
  });
}

/** What reading a mapping needs to know. */
export interface Reading {
  doc: Document.Parsed;
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
  const { doc, at, entries, report } = reading;
  const map = isAlias(node) ? node.resolve(doc) : node;
  if (!isMap(map)) {
    const found = describe(plain(node as Node, doc));
    const where = at(empty(node) ? name : node);
    report(where, section.path, `expected a mapping of keys but found ${found}`);
    return;
  }
  eachPair(map, `${section.path}.`, reading, (inner, key, value) => {
    const table = section.tables.find((one) => one.name === inner);
    if (table) return readMapping(table, value, reading, key);
    const path = `${section.path}.${inner}`;
    if (!section.keys.some((one) => one.name === inner)) {
      const hint = hintForKey(section.path, inner);
      report(at(key), path, `unknown key - ${hint.text}`, hint.keys);
      readAsMeant(map, inner, section.tables, value, reading);
      return;
    }
    const found = plain(value as Node, doc);
    const where = at(empty(value) ? key : value);
    if (found === undefined) {
      const alias = isAlias(value) ? value.source : "";
      report(where, path, `expected an anchor &${alias} before its alias *${alias}`);
      return;
    }
    const items = isSeq(value) ? value.items.map((item) => at(item)) : [];
    entries.set(path, { value: found, where, items });
  });
}

/** Reads a misspelt section as the one that must be meant, so that all of its errors show. */
function readAsMeant(
  parent: { has(key: unknown): boolean },
  name: string,
  among: Section[],
  value: unknown,
  reading: Reading,
): void {
  const meant = nearest(name, among.map((one) => one.name));
  if (!meant || parent.has(meant) || !isMap(value)) return;
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
    const name = String(key.value);
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

/** True for `key:` with nothing behind it, whose own place would be the next line's. */
function empty(node: unknown): boolean {
  return !node || (isScalar(node) && node.value === null && !node.source);
}

const describe = (value: unknown): string => Array.isArray(value) ? "a list" : show(value);
