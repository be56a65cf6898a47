/**
 * YAML within bounds: no text, whatever it is, takes long, much memory or the stack.
 *
 * @module
 */

import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "./deps.ts";

/** Most bytes of a configuration; one with every key has 8 KiB. */
export const MAX_CONFIG_BYTES: number = 128 * 1024;

/** Values open at once: a key takes 6. */
const DEEPEST = 32;

/** Items of a list that are looked at: no key takes so many. */
const LONGEST = 1025;

/** Items of a list inside a list, which no key takes at all. */
const INNER = 3;

/** What the YAML reader made of a text. */
export interface Yaml {
  contents: Node | null;
  lines: LineCounter;
  /** Syntax errors, with offsets. */
  errors: { offset: number; message: string }[];
  /** The node that an alias stands for; any other node itself; undefined where no anchor defines the alias. */
  resolve(node: unknown): unknown;
}

/** Parses strictly: a warning of the reader, such as an unknown tag, is an error too. */
export function readYaml(text: string): Yaml {
  const lines = new LineCounter();
  if (text.length > MAX_CONFIG_BYTES) {
    const message = `expected at most ${MAX_CONFIG_BYTES} characters but found ${text.length}: ` +
      "is it the right file?";
    lines.addNewLine(0);
    return { contents: null, lines, errors: [{ offset: 0, message }], resolve: (node) => node };
  }
  // Duplicate keys are found where their section is known.
  const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false };
  const { doc, tooDeep, second } = parseDocument(text, options, DEEPEST);
  let errors = [...doc.errors, ...doc.warnings].map(({ pos, message }) => ({
    offset: pos[0],
    message,
  }));
  if (tooDeep !== undefined) {
    // Cutting off makes errors there, which are none.
    errors = errors.filter(({ offset }) => offset < tooDeep);
    const message = "expected a section, its keys and their values but found more levels than that";
    errors.push({ offset: tooDeep, message });
  }
  if (second !== undefined) {
    const message = "expected one document but found another after '---'";
    errors.push({ offset: second, message });
  }
  const targets = errors.length ? new Map() : targetsOf(doc);
  const resolve = (node: unknown) => isAlias(node) ? targets.get(node) : node;
  return { contents: doc.contents, lines, errors, resolve };
}

/** What each alias stands for: the last node before it that has its anchor. One walk, however many there are. */
function targetsOf(doc: Document.Parsed): Map<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(doc, {
    Alias(_, node) {
      const target = anchors.get(node.source);
      if (target) targets.set(node, target);
    },
    Value(_, node) {
      if (node.anchor) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

/**
 * The plain value of a node; `undefined` stands for an alias that nothing defines. No key takes more
 * than a list: what lies deeper or is longer is cut off, so that no bomb of aliases goes off.
 */
export function plain(node: unknown, yaml: Yaml, depth = 2): unknown {
  const target = yaml.resolve(node);
  if (isAlias(node) && !target) return undefined;
  if (isScalar(target)) return target.value;
  if (isMap(target)) return {};
  if (!isSeq(target)) return null;
  const items = target.items.slice(0, depth === 2 ? LONGEST : depth === 1 ? INNER : 0);
  return items.map((item) => plain(item, yaml, depth - 1));
}

/** True for `key:` with nothing behind it, whose own place would be the next line's. */
export function isEmpty(node: unknown): boolean {
  return !node || (isScalar(node) && node.value === null && !node.source);
}
