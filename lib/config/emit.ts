/**
 * A configuration as YAML.
 *
 * @module
 */

import { sections } from "./describe.ts";
import { asYaml } from "./overrides.ts";
import type { Config } from "./types.ts";

/**
 * Writes a configuration as YAML with every key, a comment above each section. Read again by
 * `parseConfig()` it gives the same configuration.
 *
 * @param config A configuration.
 * @returns YAML that ends with a newline.
 *
 * @example
 * ```ts
 * import { configDefaults, parseConfig, stringifyConfig } from "../config.ts";
 *
 * const text = stringifyConfig(configDefaults());
 * console.assert(parseConfig(text).optimizer.lr === 0.0005);
 * ```
 */
export function stringifyConfig(config: Config): string {
  const values = config as unknown as Record<string, Record<string, unknown>>;
  return sections().map(({ name, description, keys }) => {
    const lines = keys.map((key) => `  ${key.name}: ${value(values[name][key.name])}\n`);
    return `# ${description}\n${name}:\n${lines.join("")}`;
  }).join("\n");
}

/** One value on one line, in YAML's flow style. */
export function value(of: unknown): string {
  if (Array.isArray(of)) return `[${of.map(value).join(", ")}]`;
  if (typeof of !== "string") return Object.is(of, -0) ? "-0" : String(of);
  // A JSON string is a YAML string; the quotes go where nothing needs them.
  return /^[\w./][\w./-]*$/.test(of) && asYaml(of) === of ? of : JSON.stringify(of);
}
