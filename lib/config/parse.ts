/**
 * Text in, configuration out, or one error that lists everything that is wrong.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { accepts, itemOf, type Key, sections, show } from "./describe.ts";
import { type Override, readOverrides } from "./overrides.ts";
import { backboneShape, RULES } from "./rules.ts";
import { configSchema, type ParsedConfig } from "./schema.ts";
import { type Entries, type Entry, readSource, type Report } from "./source.ts";
import type { Config } from "./types.ts";

/** What {@linkcode parseConfig} may be told besides the text. */
export interface ParseConfigOptions {
  /** Name of the file in errors; "config" when left out. */
  file?: string;
  /** Values of the command line, which win over the text's. */
  overrides?: readonly Override[];
}

/**
 * Reads a configuration from YAML. Keys that it leaves out take facebookresearch/dino's defaults.
 *
 * @param text YAML: a mapping of sections, each a mapping of keys.
 * @param options Name of the file and overrides.
 * @returns The configuration with every key present.
 * @throws {HatchlingError} Listing all that is wrong, a line each: `file:line:column: section.key:
 * expected … but found …`, for overrides `--section.key: …`.
 *
 * @example
 * ```ts
 * import { parseConfig } from "../config.ts";
 *
 * const config = parseConfig("loss: {teacher_temp: 0.03}", { file: "a.yaml" });
 * console.assert(config.loss.teacher_temp === 0.03 && config.loss.student_temp === 0.1);
 * ```
 */
export function parseConfig(text: string, options: ParseConfigOptions = {}): Config {
  const problems: { where: string; line: string }[] = [];
  const wrong = new Set<string>();
  const report: Report = (where, key, what, uncertain = []) => {
    const name = key === "" || where === `--${key}` ? "" : `${key}: `;
    problems.push({ where, line: `${where}: ${name}${what}` });
    for (const one of [key, ...uncertain]) wrong.add(one);
  };
  const [file, line]: Entries[] = [new Map(), new Map()];
  readSource(text, options.file ?? "config", file, report);
  readOverrides(options.overrides ?? [], line, report);

  const parsed: Record<string, Record<string, unknown>> = {};
  for (const section of sections()) {
    parsed[section.name] = {};
    for (const key of section.keys) {
      // The file's value must be right even where the command line's takes its place.
      parsed[section.name][key.name] = key.schema.parse(undefined);
      for (const entry of [file, line].flatMap((entries) => entries.get(key.path) ?? [])) {
        const result = key.schema.safeParse(entry.value);
        if (result.success) parsed[section.name][key.name] = result.data;
        else reportValue(key, entry, result.error.issues.map((issue) => issue.path));
      }
    }
  }
  const config = parsed as unknown as ParsedConfig;
  for (const { keys, check } of RULES) {
    if (wrong.has("")) break; // nothing is known of the file
    if (keys.some((key) => wrong.has(key) || wrong.has(key.split(".")[0]))) continue;
    const what = check(config);
    if (what) report(culprit(keys), keys[0], what);
  }

  if (problems.length) {
    throw new HatchlingError(problems.sort(byPlace).map((problem) => problem.line).join("\n"));
  }
  return resolve(configSchema.parse(parsed));

  function reportValue(key: Key, entry: Entry, paths: PropertyKey[][]): void {
    // A list that is wrong as a whole says it all: its items need no lines of their own.
    const whole = paths.some((path) => path.length === 0);
    for (const path of whole ? [[] as PropertyKey[]] : paths) {
      const index = path[0] as number | undefined;
      const list = entry.value as unknown[];
      const [json, found] = index === undefined
        ? [key.json, entry.value]
        : [itemOf(key.json, index), list[index]];
      const name = index === undefined ? key.path : `${key.path}[${index}]`;
      const where = index === undefined ? entry.where : entry.items[index] ?? entry.where;
      wrong.add(key.path);
      report(where, name, `expected ${accepts(json)} but found ${show(found)}`);
    }
  }

  /** Where a broken rule is shown: at a key of the command line if it has one, else of the file. */
  function culprit(keys: readonly string[]): string {
    return [line, file].flatMap((entries) => keys.flatMap((key) => entries.get(key) ?? []))[0]
      .where;
  }
}

/** File order, then the command line's. The sort is stable, so equal places keep theirs. */
function byPlace(a: { where: string }, b: { where: string }): number {
  const [x, y] = [a, b].map(({ where }) => {
    const match = where.startsWith("--") ? null : /:(\d+):(\d+)$/.exec(where);
    return match ? [Number(match[1]), Number(match[2])] : [Infinity, 0];
  });
  return x[0] === y[0] ? x[1] - y[1] : x[0] - y[0];
}

/** Works out what null stands for. */
function resolve(parsed: ParsedConfig): Config {
  const { data, model, evaluation } = parsed;
  const config: Expected = {
    ...parsed,
    data: { ...data, dataset: data.dataset ?? (data.path === null ? "emoji" : "folder") },
    model: { ...model, ...backboneShape(model) },
    evaluation: { ...evaluation, knn_k: [evaluation.knn_k].flat() as number[] },
  };
  return config;
}

interface Resolved {
  data: { dataset: "folder" | "emoji" };
  model: { dim: number; depth: number; heads: number };
  evaluation: { knn_k: readonly number[] };
}
type Expected = {
  [S in keyof ParsedConfig]: S extends keyof Resolved
    ? Omit<ParsedConfig[S], keyof Resolved[S]> & Resolved[S]
    : ParsedConfig[S];
};
// Fails to compile when the documented interfaces and the schema drift apart.
type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : false : false;
const _interfacesMatchSchema: Same<Expected, Config> = true;

/**
 * The configuration of an empty file: facebookresearch/dino's defaults, on the built-in emoji set.
 *
 * @returns A new object on each call.
 */
export function configDefaults(): Config {
  return parseConfig("{}");
}
