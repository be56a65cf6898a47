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
import { findKey, show } from "./describe.ts";
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
  eachPair(root, "", (given, key, value) => {
    let name = given;
    if (!sectionNames().includes(name)) {
      const hint = hintForSection(name);
      report(at(key), name, `unknown section - ${hint.text}`, hint.keys);
      // Its keys are read as if it were the section that must be meant, so that all errors show.
      const meant = nearest(name, sectionNames());
      if (!meant || root.has(meant) || !isMap(value)) return;
      name = meant;
    }
    const section = isAlias(value) ? value.resolve(doc) : value;
    if (!isMap(section)) {
      const found = describe(plain(value as Node, doc));
      report(at(empty(value) ? key : value), name, `expected a mapping of keys but found ${found}`);
      return;
    }
    eachPair(section, `${name}.`, (inner, innerKey, innerValue) => {
      const path = `${name}.${inner}`;
      if (!findKey(path)) {
        const hint = hintForKey(name, inner);
        report(at(innerKey), path, `unknown key - ${hint.text}`, hint.keys);
        return;
      }
      const found = plain(innerValue as Node, doc);
      const where = at(empty(innerValue) ? innerKey : innerValue);
      if (found === undefined) {
        const alias = isAlias(innerValue) ? innerValue.source : "";
        report(where, path, `expected an anchor &${alias} before its alias *${alias}`);
        return;
      }
      const items = isSeq(innerValue) ? innerValue.items.map((item) => at(item)) : [];
      entries.set(path, { value: found, where, items });
    });
  });

  function eachPair(
    map: { items: { key: unknown; value: unknown }[] },
    prefix: string,
    visit: (name: string, key: unknown, value: unknown) => void,
  ): void {
    const first = new Map<string, string>();
    for (const { key, value } of map.items) {
      if (!isScalar(key)) {
        report(
          at(key, map),
          prefix.slice(0, -1),
          "expected the name of a key but found a list, mapping or alias",
        );
        continue;
      }
      const name = String(key.value);
      const earlier = first.get(name);
      if (earlier !== undefined) {
        report(at(key), `${prefix}${name}`, `given twice, first at ${earlier}: keep one`);
        continue;
      }
      first.set(name, at(key).slice(file.length + 1));
      visit(name, key, value);
    }
  }
}

/** True for `key:` with nothing behind it, whose own place would be the next line's. */
function empty(node: unknown): boolean {
  return !node || (isScalar(node) && node.value === null && !node.source);
}

const describe = (value: unknown): string => Array.isArray(value) ? "a list" : show(value);
