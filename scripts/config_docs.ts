/**
 * `deno task docs:config`: writes docs/configuration.md and lib/config/types.ts from the schema.
 *
 * @module
 */

import { accepts, type Json, type Key, type Section, sections } from "../lib/config/describe.ts";
import { value } from "../lib/config/emit.ts";
import { RULES } from "../lib/config/rules.ts";

/** docs/configuration.md. */
export function configurationGuide(): string {
  return [
    "<!-- Written by `deno task docs:config` from lib/config/schema*.ts: edit those. -->",
    "# Configuration",
    `A run is described by one YAML file: a mapping of the sections ${
      sections().map(({ name }) => `[${name}](#${name})`).join(", ")
    }. A section or key that is left out takes the default given here: that of facebookresearch/dino's \`main_dino.py\` (ViT), where it has one. \`{}\` is a whole configuration; see \`configs/\` for others.`,
    "Any key can be set on the command line too, and wins over the file:",
    "```sh\ndeno task train configs/small.yaml --optimizer.lr 1e-3 --optimizer.betas='[0.9, 0.99]'\n```",
    "Values are read as YAML, except that a key which takes a text takes it as typed (`null` is none where null is accepted). Of two values for one key the later wins.",
    "Reading is strict. A run does not start with an unknown key, a key given twice, a value of another type, one outside its limits, or keys that contradict each other. Everything wrong is listed at once, each with its place:",
    '```text\nconfigs/my.yaml:7:3: loss.teacher_tmp: unknown key - did you mean "teacher_temp"?\nconfigs/my.yaml:9:17: optimizer.lr: expected a number > 0 but found "fast"\n--model.heads: model.dim: expected a multiple of model.heads (5) but found 96\n```',
    "Only when the YAML itself cannot be read, its syntax errors come first, alone or beside the command line's.",
    ...sections().map(sectionGuide),
    "## Rules between keys",
    RULES.map((rule) => `- ${rule.text}`).join("\n"),
  ].join("\n\n") + "\n";
}

function sectionGuide({ name, description, keys }: Section): string {
  const lines = keys.map((key) =>
    `- **\`${key.path}\`** (${accepts(key.json)}; default ${fallback(key)}): ${key.description}`
  );
  return `## ${name}\n\n${description}\n\n${lines.join("\n")}`;
}

const fallback = (key: Key) => key.derived ?? `\`${value(key.default)}\``;

/** lib/config/types.ts. */
export function configTypes(): string {
  const parts = [
    "// Written by `deno task docs:config` from schema*.ts: edit those.\n",
    "/**\n * The configuration as plain objects. Names are those of the YAML file.\n *\n * @module\n */\n",
    ...sections().map((section) =>
      interfaceOf(
        typeName(section.name),
        `Section \`${section.name}\`: ${section.description}`,
        section.keys.map((key) => ({
          name: key.name,
          type: key.resolved ?? typeOf(key.json),
          doc: `${key.description} Default: ${fallback(key)}.`,
        })),
      )
    ),
    interfaceOf(
      "Config",
      "A whole configuration, every key present.",
      sections().map(({ name, description }) => ({ name, type: typeName(name), doc: description })),
    ),
  ];
  return parts.join("\n");
}

const typeName = (section: string) => `${section[0].toUpperCase()}${section.slice(1)}Config`;

function interfaceOf(
  name: string,
  doc: string,
  members: { name: string; type: string; doc: string }[],
): string {
  const lines = members.map((one) =>
    `${comment(one.doc, "  ")}  readonly ${one.name}: ${one.type};\n`
  );
  return `${comment(doc, "")}export interface ${name} {\n${lines.join("")}}\n`;
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
