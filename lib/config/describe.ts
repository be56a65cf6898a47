/**
 * Reads the schema: one flat list of keys, and in words what each accepts. Errors and
 * documentation speak through this file, so that they cannot disagree.
 *
 * @module
 */

import { shown } from "../text.ts";
import * as zod from "./deps.ts";
import { type Json, type Kind, LARGEST, NULL } from "./kinds.ts";
import { type Described, SECTIONS } from "./schema.ts";

/** One key of the configuration. */
export interface Key extends Pick<Kind, "derived" | "inherits"> {
  /** Path of the section or table that it stands in. */
  section: string;
  name: string;
  /** `section.name`. */
  path: string;
  /** What it accepts. */
  json: Json;
  default: unknown;
  description: string;
  /** Other names by which people know it. */
  aka: readonly string[];
  /** Checks one value. */
  schema: zod.ZodMiniType;
}

/** One section of the configuration, or a table inside one. */
export interface Section {
  /** Path of the section that it stands in; "" at the top. */
  section: string;
  name: string;
  /** `section.name`; the name alone at the top. */
  path: string;
  description: string;
  keys: Key[];
  /** The tables inside it. */
  tables: Section[];
}

let byPath: { keys: Map<string, Key>; sections: Map<string, Section> } | undefined;

const known = Object.entries(SECTIONS).map(([name, described]) => sectionOf("", name, described));

/** The sections at the top with their keys and tables, in the order of the schema. */
export function sections(): readonly Section[] {
  return known;
}

function sectionOf(
  section: string,
  name: string,
  [description, keys, tables = {}]: Described,
): Section {
  const path = section ? `${section}.${name}` : name;
  return {
    section,
    name,
    path,
    description,
    tables: Object.entries(tables).map(([inner, table]) => sectionOf(path, inner, table)),
    keys: Object.entries(keys).map(([name, [kind, fallback, description, names]]) => {
      const { nullable, also, derived, inherits, ...own } = kind;
      const others = [...nullable ? [NULL] : [], ...also ? [also] : []];
      const json = others.length ? { anyOf: [own, ...others] } : own;
      const schema = validator(json), aka = names?.split(" ") ?? [];
      const about = { default: fallback, description, aka, derived, inherits };
      return { section: path, name, path: `${path}.${name}`, json, schema, ...about };
    }),
  };
}

/** What checks a value of a type. */
function validator({ anyOf, ...json }: Json): zod.ZodMiniType {
  if (anyOf) {
    const types = anyOf.filter(({ type }) => type !== "null").map(validator);
    const any = types.length > 1 ? zod.union(types) : types[0];
    return types.length < anyOf.length ? zod.nullable(any) : any;
  }
  if (json.const !== undefined) return zod.literal(json.const);
  if (json.enum) return zod.oneOf(json.enum);
  if (json.prefixItems) return zod.tuple(json.prefixItems.map(validator) as [zod.ZodMiniType]);
  if (json.items) {
    return zod.array(validator(json.items))
      .check(zod.minLength(json.minItems!), zod.maxLength(json.maxItems!));
  }
  if (json.type === "boolean") return zod.boolean();
  if (json.type === "string") return zod.string().check(zod.minLength(1));
  const number = json.type === "integer" ? zod.int() : zod.number();
  return number.check(
    zod.minimum(json.minimum ?? -Infinity),
    zod.maximum(json.maximum ?? Infinity),
    zod.gt(json.exclusiveMinimum ?? -Infinity),
    zod.lt(json.exclusiveMaximum ?? Infinity),
  );
}

/** Every section and table: each section before its tables. */
export function allSections(): Section[] {
  return [...paths().sections.values()];
}

/** Every key, those of tables too. */
export function allKeys(): Key[] {
  return [...paths().keys.values()];
}

/** The key `section.name`, or undefined. */
export function findKey(path: string): Key | undefined {
  return paths().keys.get(path);
}

/** The section or table of a path, or undefined. */
export function findSection(path: string): Section | undefined {
  return paths().sections.get(path);
}

function paths(): NonNullable<typeof byPath> {
  if (byPath) return byPath;
  const all = known.flatMap((section) => [section, ...section.tables]);
  return byPath = {
    sections: new Map(all.map((section) => [section.path, section])),
    keys: new Map(all.flatMap(({ keys }) => keys.map((key) => [key.path, key]))),
  };
}

/** The value that a configuration holds at a path. */
export function valueAt(config: object, path: string): unknown {
  return path.split(".").reduce(
    (value, name) => (value as Record<string, unknown>)[name],
    config as unknown,
  );
}

/** In words, what a type accepts: "a number > 0", `an integer ≥ 1 or null`, `"a" or "b"`. */
export function accepts(json: Json): string {
  const choices = choicesOf(json);
  const last = choices.pop()!;
  return choices.length ? `${choices.join(", ")} or ${last}` : last;
}

function choicesOf(json: Json): string[] {
  if (json.anyOf) {
    // A list comes last: of "a list, each a number or null" nobody knows what may be null.
    const isList = (one: Json) => one.type === "array" ? 1 : 0;
    return json.anyOf.toSorted((a, b) => isList(a) - isList(b)).flatMap(choicesOf);
  }
  if ("const" in json) return [String(json.const)];
  if (json.enum) return json.enum.map((one) => `"${one}"`);
  switch (json.type) {
    case "boolean":
      return ["true", "false"];
    case "null":
      return ["null"];
    case "string":
      return ["a non-empty text"];
    case "array": {
      const each = accepts(json.prefixItems?.[0] ?? (json.items as Json));
      const length = json.prefixItems?.length ?? `${json.minItems} to ${json.maxItems}`;
      return [`a list of ${length}, each ${each}`];
    }
    default:
      return [`${json.type === "integer" ? "an integer" : "a number"}${range(json)}`];
  }
}

function range({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Json): string {
  // zod bounds every integer by what a double holds exactly, and float32 bounds the others: no news to a reader.
  if (maximum === (type === "integer" ? Number.MAX_SAFE_INTEGER : LARGEST)) maximum = undefined;
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  const parts: string[] = [];
  if (minimum !== undefined) parts.push(`≥ ${minimum}`);
  if (exclusiveMinimum !== undefined) parts.push(`> ${exclusiveMinimum}`);
  if (maximum !== undefined) parts.push(`≤ ${maximum}`);
  if (exclusiveMaximum !== undefined) parts.push(`< ${exclusiveMaximum}`);
  return parts.length ? ` ${parts.join(" and ")}` : "";
}

/** The type of an item of a list, for the error at `list[index]`. */
export function itemOf(json: Json, index: number): Json {
  const list = json.anyOf?.find((choice) => choice.type === "array") ?? json;
  return list.prefixItems?.[index] ?? (list.items as Json);
}

/** True where the value is a text whatever it looks like: `--data.path 2024` is a folder. */
export function wantsText(json: Json): boolean {
  const types = json.anyOf ?? [json];
  return types.every((one) => one.type === "string" || one.type === "null");
}

/** True where null is a value of the key. */
export function takesNull(json: Json): boolean {
  return (json.anyOf ?? [json]).some((one) => one.type === "null");
}

/** How a value that was found is shown in an error: short, on one line, nothing in it unseen. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "number") {
    if (Number.isNaN(value)) return ".nan";
    if (!Number.isFinite(value)) return value < 0 ? "-.inf" : ".inf";
    if (Math.abs(value) > LARGEST) return `${value} (beyond 1e38)`;
    return Math.abs(value) > Number.MAX_SAFE_INTEGER ? `${value} (beyond 2^53 − 1)` : `${value}`;
  }
  if (Array.isArray(value)) {
    const list = value.slice(0, SHORT).map(show).join(", ");
    return clip(value.length > SHORT ? `[${list}, …]` : `[${list}]`);
  }
  if (value instanceof Date) return "a date";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string"
    ? clip(shown(JSON.stringify(value.slice(0, SHORT))))
    : clip(String(value));
}

/** A name from a configuration or a command line: short, nothing in it unseen. */
export function label(name: string): string {
  return shown(name.length > LONG ? cut(name, LONG - 3) : name);
}

/** Characters of a value, and of a name, which is longer at best than any key's path. */
const SHORT = 60, LONG = 80;

const cut = (text: string, length: number) => `${text.slice(0, length).toWellFormed()}…`;
const clip = (text: string): string => text.length > SHORT ? cut(text, SHORT - 3) : text;
