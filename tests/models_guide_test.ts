/** What docs/guides/models.md says: checkpoints, lines, names, files, settings and commands. */
import assert from "node:assert/strict";
import recipe from "../configs/continue.yaml" with { type: "text" };
import deno from "../deno.json" with { type: "json" };
import guide from "../docs/guides/models.md" with { type: "text" };
import { parseConfig } from "../lib/config.ts";
import { modelOf } from "../lib/from_config.ts";
import { matchWeights } from "../lib/io/weight_names.ts";
import { IN_FOLDERS } from "../lib/io/weights_source.ts";
import { POS_INTERPS } from "../lib/model/defaults.ts";
import { identify } from "../lib/open_model/identify/identify.ts";
import { settingsOf } from "../lib/open_model/identify/settings.ts";
import { foundWords, recognisedLine } from "../lib/open_model/report.ts";
import { CHECKPOINTS } from "./open_model/checkpoints.ts";
import { entriesOf } from "./open_model/published.ts";
import { rowsOf } from "./open_model/rows.ts";

const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, code]) =>
    code
  );

/** The cells of a row, in whatever width they are formatted. */
const cells = (row: string) => row.split("|").map((cell) => cell.trim()).join("|");

Deno.test("the guide's table of checkpoints is what the library makes of them", () => {
  const written = guide.split("\n").filter((line) => line.startsWith("| `deno task embed"));
  const rows = rowsOf(CHECKPOINTS);
  assert.ok(rows.length > 30);
  assert.deepEqual(written.map(cells), rows.map(cells));
});

Deno.test("the guide's lines about a file are those that commands say", () => {
  const file = "dinov2_vits14_pretrain.pth", entries = entriesOf(CHECKPOINTS[file].shapes);
  const found = identify(entries, { file });
  const config = parseConfig("{}", { overrides: settingsOf(found, new Map()) });
  const specs = modelOf(config).backbone.specs();
  const { sources, unused } = matchWeights(file, [...entries.values()], specs, { resizable: true });
  const words = foundWords({
    weights: new Map(),
    missing: [],
    unused,
    cast: new Map(),
    resized: sources.get("pos_embed")!.resize,
    names: found.names,
  }, config);
  assert.equal(
    blocks("text")[0],
    `${recognisedLine(file, found, config)}\n${sources.size} tensors taken; ${words.join("; ")}\n`,
  );
});

Deno.test("the guide's names are those of a model", () => {
  const model = modelOf(parseConfig("model: { backbone: vit_small, patch_size: 16 }"));
  const [backbone, inBlocks, head] = blocks("text")[1].trim().split("\n");
  /** `a.{b,c}` written out, braces within one another too. */
  const spread = (name: string): string[] => {
    const found = /^(.*?)\{([^{}]*)\}(.*)$/.exec(name);
    if (!found) return [name];
    const [, before, words, after] = found;
    return words.split(",").flatMap((word) => spread(before + word + after));
  };
  const written = [
    ...backbone.split(/\s+/).flatMap(spread),
    ...Array.from({ length: 12 }, (_, i) => spread(inBlocks.replace("N", String(i)))).flat(),
  ];
  assert.deepEqual(written.sort(), model.backbone.specs().map(({ name }) => name).sort());
  const heading = model.head!.specs().map(({ name }) => name);
  const ends = head.split(/\s+/).filter((word) => word !== "…").flatMap(spread);
  assert.ok(ends.every((name) => heading.includes(name)));
});

Deno.test("the guide's files of weights are those that are looked for in a folder", () => {
  for (const name of IN_FOLDERS) {
    assert.ok(guide.includes(name.replace(/.*(bin\.index)/, "…$1")), name);
  }
});

Deno.test("the guide has every way to resample, and its commands exist", () => {
  const ways = [...guide.matchAll(/^\| `(\w+)` +\|[^|]+\|[^|]+\|$/gm)].map(([, way]) => way);
  assert.deepEqual(ways, [...POS_INTERPS]);
  assert.ok(guide.includes("deno task train configs/continue.yaml") && parseConfig(recipe));
  const tasks = [...guide.matchAll(/deno task ([\w:]+)/g)].map(([, task]) => task);
  for (const task of tasks) assert.ok(task in deno.tasks, `no task ${task} in deno.json`);
});
