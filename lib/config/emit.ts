/**
 * A configuration as YAML.
 *
 * @module
 */

import { type Section, sections, valueAt } from "./describe.ts";
import { asYaml } from "./overrides.ts";
import type { Config } from "./types.ts";

/**
 * Writes a configuration as YAML with every key, a comment above each section. Only what a table has
 * in common with the shared key that it would take anyway is left out, so that a change of the
 * shared key still reaches the table. Read again by `parseConfig()` it gives the same configuration.
 *
 * @param config A configuration.
 * @returns YAML that ends with a newline.
 *
 * @example
 * ```ts
 * import { configDefaults, parseConfig, stringifyConfig } from "@hatchling/hatchling/config";
 *
 * const text = stringifyConfig(configDefaults());
 * console.assert(parseConfig(text).optimizer.lr === 0.0005);
 * ```
 */
export function stringifyConfig(config: Config): string {
  return sections().map((section) => mapping(config, section, "")).join("\n");
}

function mapping(config: Config, { name, description, keys, tables }: Section, indent: string) {
  const written = keys.filter(({ path, inherits }) =>
    typeof inherits !== "string" || !Object.is(valueAt(config, path), valueAt(config, inherits))
  );
  const lines = written.map((key) =>
    `${indent}  ${key.name}: ${value(valueAt(config, key.path))}\n`
  );
  const inner = tables.map((table): string => mapping(config, table, `${indent}  `));
  const body = [...lines, ...inner].join("");
  return `${indent}# ${description}\n${indent}${name}:${body ? `\n${body}` : " {}\n"}`;
}

/** One value on one line, in YAML's flow style. */
export function value(of: unknown): string {
  if (Array.isArray(of)) return `[${of.map(value).join(", ")}]`;
  if (typeof of !== "string") return Object.is(of, -0) ? "-0" : String(of);
  // A JSON string is a YAML string; the quotes go where nothing needs them.
  return /^[\w./][\w./-]*$/.test(of) && asYaml(of) === of ? of : JSON.stringify(of);
}
