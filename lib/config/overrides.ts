/**
 * Configuration keys on the command line: `--optimizer.lr 1e-3`.
 *
 * @module
 */

import { findKey, findSection, label, takesNull, wantsText } from "./describe.ts";
import type { Report } from "./problems.ts";
import type { Entries } from "./entries.ts";
import { missing, readMapping } from "./source.ts";
import { hintForKey } from "./suggest.ts";
import { isEmpty, plain, readYaml } from "./yaml.ts";

/** A value of the command line, as it was typed. */
export interface Override {
  /** `section.key`, or the `section.table` whose keys the value maps. */
  readonly key: string;
  /** Its text, read as YAML unless the key takes a text; undefined where none followed. */
  readonly value?: string;
}

/** What {@linkcode parseOverrides} makes of a command line. */
export interface ParsedOverrides {
  /** The arguments that set a key, in order. */
  overrides: Override[];
  /** All other arguments, in order, for the script's own options. */
  rest: string[];
}

/**
 * Takes the arguments `--section.key value` and `--section.key=value` out of a command line. What has
 * no dot in its name (`--out runs/a`), and everything behind a `--`, is left in `rest`. Nothing is
 * checked here: {@linkcode parseConfig} reports wrong overrides together with the file's errors.
 *
 * @param args Arguments as the shell split them.
 * @returns Overrides and what is left.
 * @category Training
 *
 * @example
 * ```ts
 * import { parseOverrides } from "@hatchling/hatchling/config";
 *
 * const { overrides, rest } = parseOverrides(["a.yaml", "--optimizer.lr", "1e-3", "--out", "runs/a"]);
 * console.assert(overrides[0].key === "optimizer.lr" && overrides[0].value === "1e-3");
 * console.assert(rest.join(" ") === "a.yaml --out runs/a");
 * ```
 */
export function parseOverrides(args: readonly string[]): ParsedOverrides {
  const overrides: Override[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--") {
      rest.push(...args.slice(i));
      break;
    }
    const match = /^--([^=\s.-][^=\s.]*\.[^=\s]*)(?:=([\s\S]*))?$/.exec(args[i]);
    if (!match) {
      rest.push(args[i]);
      continue;
    }
    // A negative number is a value, the next option is not.
    const next = i + 1 < args.length && !args[i + 1].startsWith("--");
    const value = match[2] ?? (next ? args[++i] : undefined);
    overrides.push(value === undefined ? { key: match[1] } : { key: match[1], value });
  }
  return { overrides, rest };
}

/** Reads the overrides into `entries`: of two for one key the later wins. */
export function readOverrides(
  overrides: readonly Override[],
  entries: Entries,
  report: Report,
): void {
  for (const { key, value: text } of overrides) {
    const where = `--${label(key)}`;
    const [known, table] = [findKey(key), findSection(key)];
    if (!known && !table) {
      const dot = key.lastIndexOf(".");
      report(where, key, () => hintForKey(key.slice(0, dot), key.slice(dot + 1), "--"));
    } else if (text === undefined) {
      const behind = table ? "'{KEY: VALUE}'" : "VALUE";
      report(where, key, `expected a value behind it: ${where} ${behind}`);
    } else if (!known) {
      const yaml = readYaml(text);
      if (yaml.errors.length) report(where, key, label(yaml.errors[0].message));
      else readMapping(table!, yaml.contents, { yaml, at: () => where, entries, report });
    } else if (wantsText(known.json)) {
      entries.set(key, { value: asText(text), where, items: [] });
    } else {
      const yaml = readYaml(text);
      const nothing = !yaml.errors.length && isEmpty(yaml.contents);
      if (nothing && takesNull(known.json)) report(where, key, missing(known));
      else entries.set(key, { value: asYaml(text), where, items: [] });
    }
  }
}

// A key that takes no null says so of this one as of any other.
const asText = (text: string) => text === "null" ? null : text;

/** What YAML makes of a value by itself; a text that is not YAML stays one. */
export function asYaml(text: string): unknown {
  const yaml = readYaml(text);
  return yaml.errors.length ? text : plain(yaml.contents, yaml) ?? null;
}
