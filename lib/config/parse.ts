/**
 * Text in, configuration out, or one error that lists everything that is wrong.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { accepts, itemOf, type Key, type Section, sections, show, valueAt } from "./describe.ts";
import { type Override, readOverrides } from "./overrides.ts";
import { backboneShape, RULES } from "./rules.ts";
import { datasetOf, normalizationOf } from "./rules_views.ts";
import { configSchema, type ParsedConfig } from "./schema.ts";
import type { ViewTable } from "./schema_views.ts";
import { type Entries, type Entry, readSource, type Report } from "./source.ts";
import type { AugmentationConfig, Config } from "./types.ts";

/** What `data.batch_size: auto` stands for before it is known what fits: DINO's batch per GPU. */
const MOST_PICTURES = 64;

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

  const parsed = Object.fromEntries(sections().map((one) => [one.name, valuesOf(one)]));
  const config = parsed as unknown as ParsedConfig;
  const isSet = (key: string) => file.has(key) || line.has(key);
  for (const { keys, chosen, check } of RULES) {
    if (wrong.has("")) break; // nothing is known of the file
    if (keys.some(isWrong)) continue;
    if (config.training.preset === "auto" && chosen && !chosen.every(isSet)) continue;
    const broken = check(config);
    if (!broken) continue;
    const [what, key] = typeof broken === "string" ? [broken, keys[0]] : [broken.what, broken.key];
    report(culprit([key, ...keys]), key, what);
  }

  if (problems.length) {
    throw new HatchlingError(problems.sort(byPlace).map((problem) => problem.line).join("\n"));
  }
  return resolve(configSchema.parse(parsed));

  function valuesOf({ keys, tables }: Section): Record<string, unknown> {
    return Object.fromEntries([
      ...keys.map((key) => [key.name, valueOf(key)]),
      ...tables.map((table) => [table.name, valuesOf(table)]),
    ]);
  }

  /** A key's value. The file's must be right even where the command line's takes its place. */
  function valueOf(key: Key): unknown {
    let value: unknown = key.schema.parse(undefined);
    for (const entry of [file, line].flatMap((entries) => entries.get(key.path) ?? [])) {
      const result = key.schema.safeParse(entry.value);
      if (result.success) value = result.data;
      else reportValue(key, entry, result.error.issues.map((issue) => issue.path));
    }
    return value;
  }

  /** True when the key or one of the sections around it is wrong. */
  function isWrong(key: string): boolean {
    return key.split(".").some((_, i, parts) => wrong.has(parts.slice(0, i + 1).join(".")));
  }

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

/**
 * What a text and a command line set by themselves, as they write it; defaults are not among it.
 *
 * @param text YAML that {@linkcode parseConfig} reads.
 * @param options Overrides, which win over the text.
 * @returns Values by `section.key`.
 *
 * @example
 * ```ts
 * import { givenValues } from "../config.ts";
 *
 * console.assert(givenValues("data: {batch_size: auto}").get("data.batch_size") === "auto");
 * ```
 */
export function givenValues(text: string, options: ParseConfigOptions = {}): Map<string, unknown> {
  const given: Entries = new Map();
  const nothing = () => {};
  readSource(text, options.file ?? "config", given, nothing);
  readOverrides(options.overrides ?? [], given, nothing);
  return new Map([...given].map(([key, { value }]) => [key, value]));
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
  const { data, augmentation, model, evaluation } = parsed;
  const config: Expected = {
    ...parsed,
    data: {
      ...data,
      dataset: data.dataset ?? datasetOf(data.path),
      batch_size: data.batch_size === "auto" ? MOST_PICTURES : data.batch_size,
    },
    augmentation: { ...augmentation, ...normalizationOf(parsed), ...viewsOf(parsed) },
    model: { ...model, ...backboneShape(model) },
    evaluation: { ...evaluation, knn_k: [evaluation.knn_k].flat() as number[] },
  };
  return config;
}

/** The tables of the views, with what they take from shared keys. */
function viewsOf(parsed: ParsedConfig): Pick<AugmentationConfig, ViewTable> {
  const tables = sections().find(({ name }) => name === "augmentation")!.tables;
  return Object.fromEntries(tables.map(({ name, keys }) => [
    name,
    Object.fromEntries(keys.map(({ name, path, inherits }) => [
      name,
      valueAt(parsed, path) ??
        (typeof inherits === "string" ? valueAt(parsed, inherits) : inherits),
    ])),
  ])) as unknown as Pick<AugmentationConfig, ViewTable>;
}

type Numbers<T> = { [K in keyof T]: Exclude<T[K], null> };
interface Resolved {
  data: { dataset: Exclude<ParsedConfig["data"]["dataset"], null>; batch_size: number };
  augmentation:
    & { [T in ViewTable]: Numbers<ParsedConfig["augmentation"][T]> }
    & Record<"normalize_mean" | "normalize_std", readonly number[]>;
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
