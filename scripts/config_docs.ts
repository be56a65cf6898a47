/**
 * `deno task docs:config`: writes docs/configuration.md and lib/config/types.ts from the schema.
 *
 * @module
 */

import { accepts, type Json, type Key, type Section, sections } from "../lib/config/describe.ts";
import { value } from "../lib/config/emit.ts";
import { RULES } from "../lib/config/rules.ts";
import { WARNINGS } from "../lib/config/warnings.ts";

/** docs/configuration.md. */
export function configurationGuide(): string {
  return [
    "<!-- Written by `deno task docs:config` from lib/config/schema*.ts: edit those. -->",
    "# Configuration",
    `A run is described by one YAML file: a mapping of the sections ${
      sections().map(({ name }) => `[${name}](#${name})`).join(", ")
    }. A section or key that is left out takes the default given here: that of facebookresearch/dino's \`main_dino.py\` (ViT), where it has one. \`{}\` is a whole configuration; see \`configs/\` for others.`,
    "Any key can be set on the command line too, and wins over the file:",
    "```sh\ndeno task train configs/small.yaml --optimizer.lr 1e-3 --optimizer.betas='[0.9, 0.99]' \\\n  --augmentation.local.hue 0.05 --augmentation.global_2='{hue: 0.1, grayscale_prob: 0}'\n```",
    "Values are read as YAML, except that a key which takes a text takes it as typed (`null` is none where null is accepted). Of two values for one key the later wins.",
    "Reading is strict. A run does not start with an unknown key, a key given twice, a value of another type, one outside its limits, or keys that contradict each other. A key with nothing behind it is no way to write `null`, which often is not the default: write `null`, or leave the key out. Mistakes are listed together, the first 20 of them, each with its place:",
    '```text\nconfigs/my.yaml:7:3: loss.teacher_tmp: unknown key - did you mean "teacher_temp"?\nconfigs/my.yaml:9:17: optimizer.lr: expected a number > 0 but found "fast"\n--model.heads: model.dim: expected a multiple of model.heads (5) but found 96\n```',
    "Only when the YAML itself cannot be read, its syntax errors come first, alone or beside the command line's. A file is text in UTF-8, or in UTF-16 with a byte order mark, of 128 KiB at most. Anchors and aliases are read, merge keys (`<<`) are not.",
    ...sections().map(sectionGuide),
    "## Rules between keys",
    [...new Set(RULES.map((rule) => `- ${rule.text}`))].join("\n"),
    "## Warnings",
    "What is allowed but hardly meant is said by `train`, `plan` and `data preview`, with its place, before they go on:",
    [
      ...WARNINGS.map((warning) => `- ${warning.text}`),
      "- `training.max_steps` within the warm-up of the learning rate, once the number of pictures is known.",
    ].join("\n"),
  ].join("\n\n") + "\n";
}

function sectionGuide({ name, description, keys, tables }: Section): string {
  const parts = [
    `## ${name}`,
    description,
    bullets(keys.map((key) => [key.path, key.json, fallback(key), key.description])),
  ];
  for (const same of alike(tables)) {
    parts.push(
      `### ${same.map((table) => table.path).join(", ")}`,
      bullets(same.map((table) => [table.path, table.description])),
      "What is left out, or null, is taken from a shared key of the section or is the number given here" +
        (same.length > 1 ? `; where they differ, in the order of these tables.` : "."),
      bullets(same[0].keys.map((key) => [
        key.name,
        key.json,
        fallbacks(same, key.name),
        key.description,
      ])),
    );
  }
  return parts.join("\n\n");
}

/** A list of names with their descriptions; of keys with what they accept and their default too. */
function bullets(items: ([string, string] | [string, Json, string, string])[]): string {
  return items.map((item) =>
    item.length === 2
      ? `- **\`${item[0]}\`**: ${item[1]}`
      : `- **\`${item[0]}\`** (${accepts(item[1])}; default ${item[2]}): ${item[3]}`
  ).join("\n");
}

/** Tables that share an interface, together. */
const alike = (
  tables: Section[],
): Section[][] => [...Map.groupBy(tables, (table) => table.interface).values()];

/** The defaults of one key in tables that are alike. */
function fallbacks(tables: Section[], name: string): string {
  const each = tables.map(({ keys }) => fallback(keys.find((key) => key.name === name)!));
  return new Set(each).size === 1 ? each[0] : each.join(" / ");
}

const fallback = (key: Key) => key.derived ?? `\`${value(key.default)}\``;

/** lib/config/types.ts. */
export function configTypes(): string {
  const parts = [
    "// Written by `deno task docs:config` from schema*.ts: edit those.\n",
    "/**\n * The configuration as plain objects. Names are those of the YAML file.\n *\n * @module\n */\n",
    ...sections().flatMap((section) => [
      ...alike(section.tables).map((same) =>
        interfaceOf(
          same[0].interface,
          `Tables ${same.map((table) => `\`${table.path}\``).join(", ")}.`,
          same[0].keys.map((key) => member(key, fallbacks(same, key.name))),
        )
      ),
      interfaceOf(section.interface, `Section \`${section.name}\`: ${section.description}`, [
        ...section.keys.map((key) => member(key, fallback(key))),
        ...section.tables.map(memberOf),
      ]),
    ]),
    interfaceOf(
      "Config",
      "A whole configuration, every key present.",
      sections().map(memberOf),
    ),
  ];
  return parts.join("\n");
}

interface Member {
  name: string;
  type: string;
  doc: string;
}

const member = (key: Key, standard: string): Member => ({
  name: key.name,
  type: key.resolved ?? typeOf(key.json),
  doc: `${key.description} Default: ${standard}.`,
});

const memberOf = (section: Section): Member => ({
  name: section.name,
  type: section.interface,
  doc: section.description,
});

function interfaceOf(
  name: string,
  doc: string,
  members: Member[],
): string {
  const lines = members.map((one) => comment(one.doc, "  ") + declaration(one));
  return `${comment(doc, "")}export interface ${name} {\n${lines.join("")}}\n`;
}

/** A member as the formatter leaves it: a long union has a line for each of its types. */
function declaration({ name, type }: Member): string {
  const line = `  readonly ${name}: ${type};\n`;
  if (line.length <= 101) return line;
  return `  readonly ${name}:${type.split(" | ").map((one) => `\n    | ${one}`).join("")};\n`;
}

/** A JSDoc comment of at most 100 columns. */
function comment(text: string, indent: string): string {
  if (`${indent}/** ${text} */`.length <= 100) return `${indent}/** ${text} */\n`;
  const lines = [`${indent} *`];
  for (const word of text.split(" ")) {
    const longer = `${lines[lines.length - 1]} ${word}`;
    if (longer.length <= 100) lines[lines.length - 1] = longer;
    else lines.push(`${indent} * ${word}`);
  }
  return `${indent}/**\n${lines.join("\n")}\n${indent} */\n`;
}

function typeOf(json: Json): string {
  if (json.anyOf) return json.anyOf.map(typeOf).join(" | ");
  if ("const" in json) return JSON.stringify(json.const);
  if (json.enum) return json.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (json.prefixItems) return `readonly [${json.prefixItems.map(typeOf).join(", ")}]`;
  if (json.type === "array") return `readonly ${typeOf(json.items as Json)}[]`;
  return json.type === "integer" ? "number" : json.type!;
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  const guide = new URL("docs/configuration.md", root);
  await Deno.writeTextFile(guide, configurationGuide());
  await Deno.writeTextFile(new URL("lib/config/types.ts", root), configTypes());
  // Prose is wrapped by the formatter, whose ways are its own.
  const fmt = new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", guide.pathname] });
  const { code } = await fmt.spawn().status;
  Deno.exit(code);
}
