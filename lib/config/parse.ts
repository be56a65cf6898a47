/**
 * Text in, configuration out, or one error that lists everything that is wrong.
 *
 * @module
 */

import { normalizationOf } from "../augmentation/options.ts";
import { accepts, itemOf, type Key, type Section, sections, show, valueAt } from "./describe.ts";
import { type Override, readOverrides } from "./overrides.ts";
import { Problems } from "./problems.ts";
import { backboneShape, RULES } from "./rules.ts";
import { datasetOf } from "./rules_views.ts";
import type { ParsedConfig } from "./rule.ts";
import type { AugmentationConfig, Config } from "./types.ts";
import type { ViewTable } from "./schema_views.ts";
import type { Entries, Entry } from "./entries.ts";
import { readSource } from "./source.ts";
import { WARNINGS } from "./warnings.ts";

/** What `data.batch_size: auto` stands for before it is known what fits: DINO's batch per GPU. */
const MOST_PICTURES = 64;

/** What {@linkcode parseConfig} may be told besides the text. */
export interface ParseConfigOptions {
  /** Name of the file in errors; "config" when left out. */
  file?: string;
  /** Values of the command line, which win over the text's. */
  overrides?: readonly Override[];
  /**
   * Gets what is allowed but hardly meant, a line each like an error's: a rate of 10, a mean per channel in 0 to
   * 255, a teacher that is softer than its student.
   */
  onWarning?: (line: string) => void;
}

/**
 * Reads a configuration from YAML. Keys that it leaves out take facebookresearch/dino's defaults.
 *
 * @param text YAML: a mapping of sections, each a mapping of keys.
 * @param options Name of the file and overrides.
 * @returns The configuration with every key present.
 * @throws {HatchlingError} Listing all that is wrong, a line each: `file:line:column: section.key:
 * expected … but found …`, for overrides `--section.key: …`.
 * @category Training
 *
 * @example
 * ```ts
 * import { parseConfig } from "@hatchling/hatchling/config";
 *
 * const config = parseConfig("loss: {teacher_temp: 0.03}", { file: "a.yaml" });
 * console.assert(config.loss.teacher_temp === 0.03 && config.loss.student_temp === 0.1);
 * ```
 */
export function parseConfig(text: string, options: ParseConfigOptions = {}): Config {
  const problems = new Problems();
  const { report } = problems;
  const [file, line]: Entries[] = [new Map(), new Map()];
  readSource(text, options.file ?? "config", file, report);
  readOverrides(options.overrides ?? [], line, report);

  const parsed = Object.fromEntries(sections().map((one) => [one.name, valuesOf(one)]));
  const config = parsed as unknown as ParsedConfig;
  const isSet = (key: string) => file.has(key) || line.has(key);
  const auto = config.training.preset === "auto";
  for (const { keys, chosen, check } of RULES) {
    if (problems.enough) break;
    if (keys.some((key) => problems.isWrong(key))) continue;
    if (auto && chosen && !chosen.every(isSet)) continue;
    const broken = check(config);
    if (!broken) continue;
    const [what, key] = typeof broken === "string" ? [broken, keys[0]] : [broken.what, broken.key];
    report(culprit([key, ...keys])!, key, what);
  }
  const error = problems.error();
  if (error) throw error;
  const resolved = resolve(config);
  if (options.onWarning) warn(resolved, options.onWarning);
  return resolved;

  function warn(resolved: Config, onWarning: (line: string) => void): void {
    const odd = new Problems();
    for (const { keys, check } of WARNINGS) {
      if (auto && !isSet(keys[0])) continue; // the preset may choose another value
      const what = check(resolved);
      const where = what && culprit(keys);
      if (where) odd.report(where, keys[0], what);
    }
    for (const line of odd.lines()) onWarning(line);
  }

  function valuesOf({ keys, tables }: Section): Record<string, unknown> {
    return Object.fromEntries([
      ...keys.map((key) => [key.name, valueOf(key)]),
      ...tables.map((table) => [table.name, valuesOf(table)]),
    ]);
  }

  /** A key's value. The file's must be right even where the command line's takes its place. */
  function valueOf(key: Key): unknown {
    let value: unknown = structuredClone(key.default);
    for (const entry of [file, line].flatMap((entries) => entries.get(key.path) ?? [])) {
      const result = key.schema.safeParse(entry.value);
      if (result.success) value = result.data;
      else reportValue(key, entry, result.error.issues.map((issue) => issue.path));
    }
    return value;
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
      report(where, name, `expected ${accepts(json)} but found ${show(found)}`);
    }
  }

  /** Where a broken rule is shown: at a key of the command line if it has one, else of the file. */
  function culprit(keys: readonly string[]): string | undefined {
    return [line, file].flatMap((entries) => keys.flatMap((key) => entries.get(key) ?? []))[0]
      ?.where;
  }
}

/**
 * What a text and a command line set by themselves, as they write it; defaults are not among it.
 *
 * @param text YAML that {@linkcode parseConfig} reads.
 * @param options Overrides, which win over the text. With `strict`, keys that there are not are an error, as they are to
 * parseConfig, and a text that is no YAML; values are not looked at.
 * @returns Values by `section.key`.
 * @throws {HatchlingError} With `strict`, listing all such keys.
 *
 * @example
 * ```ts
 * import { givenValues } from "@hatchling/hatchling/config";
 *
 * console.assert(givenValues("data: {batch_size: auto}").get("data.batch_size") === "auto");
 * ```
 */
export function givenValues(
  text: string,
  options: ParseConfigOptions & { strict?: boolean } = {},
): Map<string, unknown> {
  const given: Entries = new Map();
  const problems = new Problems();
  readSource(text, options.file ?? "config", given, problems.report);
  readOverrides(options.overrides ?? [], given, problems.report);
  const error = options.strict && problems.error();
  if (error) throw error;
  return new Map([...given].map(([key, { value }]) => [key, value]));
}

/** Works out what null stands for. */
function resolve(parsed: ParsedConfig): Config {
  const { data, augmentation, model, evaluation, loss } = parsed;
  const [mean, std] = normalizationOf(model.in_chans);
  return {
    ...parsed,
    data: {
      ...data,
      dataset: data.dataset ?? datasetOf(data.path),
      batch_size: data.batch_size === "auto" ? MOST_PICTURES : data.batch_size,
    },
    augmentation: {
      ...augmentation,
      normalize_mean: augmentation.normalize_mean ?? mean,
      normalize_std: augmentation.normalize_std ?? std,
      ...viewsOf(parsed),
    },
    model: { ...model, ...backboneShape(model) },
    loss: { ...loss, contrastive_feature: loss.contrastive_feature ?? model.feature },
    evaluation: {
      ...evaluation,
      feature: evaluation.feature ?? model.feature,
      knn_k: [evaluation.knn_k].flat(),
    },
  };
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

/**
 * The configuration of an empty file: facebookresearch/dino's defaults, on the built-in emoji set.
 *
 * @returns A new object on each call.
 */
export function configDefaults(): Config {
  return parseConfig("{}");
}
