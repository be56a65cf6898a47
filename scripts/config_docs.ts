/**
 * `deno task docs:config`: writes docs/configuration.md from the schema.
 *
 * @module
 */

import { accepts, type Key, type Section, sections } from "../lib/config/describe.ts";
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
    keys.map((key) => bullet(key, fallback(key))).join("\n"),
  ];
  if (tables.length) {
    // What falls back on the key of the same name in every table is described there.
    const isBase = (i: number) =>
      tables.every(({ keys }) => keys[i].inherits === `${name}.${keys[i].name}`);
    const [base, own] = [true, false].map((same) =>
      tables[0].keys.flatMap((key, i) => isBase(i) === same ? [{ key, i }] : [])
    );
    parts.push(
      `### ${tables.map((table) => table.path).join(", ")}`,
      tables.map((table) => `- **\`${table.path}\`**: ${table.description}`).join("\n"),
      `The base keys ${
        base.map(({ key }) => `\`${key.name}\``).join(", ")
      } of \`${name}\` apply to ` +
        "every view; a table may hold any of them, for its own views alone, and null there is the base key's " +
        "value. These keys stand in a table only; their defaults are of the tables in that order, the name of a " +
        "short form where there is one:",
      own.map(({ key, i }) =>
        bullet({ ...key, path: key.name }, tables.map(({ keys }) => fallback(keys[i])).join(" / "))
      ).join("\n"),
    );
  }
  return parts.join("\n\n");
}

/** A key with what it accepts, its default and its description. */
const bullet = ({ path, json, description }: Key, standard: string) =>
  `- **\`${path}\`** (${accepts(json)}; default ${standard}): ${description}`;

const fallback = (key: Key) => key.derived ?? `\`${value(key.default)}\``;

if (import.meta.main) {
  const guide = new URL("../docs/configuration.md", import.meta.url);
  await Deno.writeTextFile(guide, configurationGuide());
  // Prose is wrapped by the formatter, whose ways are its own.
  const fmt = new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", guide.pathname] });
  const { code } = await fmt.spawn().status;
  Deno.exit(code);
}
