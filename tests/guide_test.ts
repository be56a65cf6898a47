/**
 * What docs/guides says beside its TypeScript, which `deno test --doc` runs: figures, configuration,
 * commands, numbers and names.
 */
import assert from "node:assert/strict";
import small from "../configs/dino-small.yaml" with { type: "text" };
import deno from "../deno.json" with { type: "json" };
import runs from "../docs/guides/loss-collapse.json" with { type: "json" };
import collapse from "../docs/guides/loss-collapse.svg" with { type: "text" };
import temperature from "../docs/guides/loss-temperature.svg" with { type: "text" };
import guide from "../docs/guides/loss.md" with { type: "text" };
import { parseConfig, parseOverrides } from "../lib/config.ts";
import { sections } from "../lib/config/describe.ts";
import union from "../lib/diagnosis/verdicts.ts" with { type: "text" };
import lines from "../lib/diagnosis/lines.ts" with { type: "text" };
import { dinoLoss } from "../lib/loss.ts";
import { type CollapseData, collapseFigure, collapseRows } from "../scripts/figures/collapse.ts";
import { LOGITS, temperatureFigure, TEMPERATURES } from "../scripts/figures/temperature.ts";
import { gpuTest } from "./support/gpu.ts";

/** The formatter wraps lines and aligns tables, so words are compared. */
const words = (text: string) => text.replace(/\s+/g, " ");
const solid = (text: string) => text.replace(/\s+/g, "");

/** Code blocks of a language. */
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, code]) =>
    code
  );

/** Cells of the rows of all tables, without heads. */
const tables = [...guide.matchAll(/^\|.*\|\n\|[ -|]*\|\n((?:\|.*\|\n)+)/gm)].map(([, body]) =>
  body.trim().split("\n").map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()))
);

/** What a file calls `name?: …` or `| "name"`. */
const namesIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, x]) => x);

Deno.test("the guide's figures are current: if not, run `deno task figures`", () => {
  assert.equal(solid(temperature), solid(temperatureFigure()));
  assert.equal(solid(collapse), solid(collapseFigure(runs)));
});

Deno.test("the guide's figures have alternative texts, are small and keep text as text", () => {
  const images = [...guide.matchAll(/!\[([^\]]*)\]\(([^)]*)\)/g)].map(([, alt, file]) => {
    assert.ok(alt.length > 100, `${file} has no alternative text that tells what it shows`);
    return file;
  });
  assert.deepEqual(images, ["loss-temperature.svg", "loss-collapse.svg"]);
  for (const svg of [temperature, collapse]) {
    assert.ok(new TextEncoder().encode(svg).length <= 60 * 1024);
    assert.match(svg, /<title>.+<\/title>/);
    assert.match(svg, /prefers-color-scheme: dark/);
    assert.ok(namesIn(svg, /<text[^>]*>([^<]*)</g).length > 10);
  }
});

gpuTest("the entropies in the figure of temperatures are those of dinoLoss()", async (gpu) => {
  const written = namesIn(temperature, /entropy ([\d.]+) nats/g);
  assert.equal(written.length, TEMPERATURES.length);
  const outDim = LOGITS.length;
  const logits = Float32Array.from([...LOGITS, ...LOGITS]);
  for (const [i, temp] of TEMPERATURES.entries()) {
    const { teacherEntropy } = await dinoLoss({
      student: logits,
      teacher: logits,
      outDim,
      nCrops: 2,
      centering: "none",
      teacherTemp: temp,
      gpu,
    });
    assert.equal(written[i], teacherEntropy.toFixed(2), `at ${temp}`);
    const said = teacherEntropy.toFixed(2);
    assert.match(guide, new RegExp(`!\\[[^\\]]*${said}[^\\]]*\\]\\(loss-temperature`));
  }
});

Deno.test("the guide's table of runs, their adapter and command are those of the data", () => {
  const data: CollapseData = runs;
  const rows = tables.flat().map((cells) => `| ${cells.join(" | ")} |`);
  for (const row of collapseRows(data)) assert.ok(rows.includes(row), `not in the guide: ${row}`);
  assert.ok(words(guide).includes(words(data.command)), data.command);
  assert.ok(words(guide).includes(words(data.adapter)), data.adapter);
});

Deno.test("numbers in the guide's prose are those of arithmetic and of configs/dino-small.yaml", () => {
  const said = (pattern: RegExp) => words(guide).match(pattern)!.slice(1);
  const [times, share] = said(/τ = 0\.2 that is ([\d,]+) times, .* no answer above (\d+) %/);
  const most = Math.exp(2 / 0.2);
  assert.equal(times, Math.round(most).toLocaleString("en"));
  assert.equal(share, (100 * most / (most + 65535)).toFixed(0));
  assert.equal(said(/their logits are (\d+) MiB/)[0], String(640 * 65536 * 4 / 2 ** 20));

  const [end, steps] = said(/to ([\d.]+) ln K at its full ([\d,]+) steps/);
  assert.ok(words(small).includes(`(${end} of ln K)`), "re-measured: change the guide too");
  assert.equal(steps, parseConfig(small).training.max_steps!.toLocaleString("en"));
});

Deno.test("the guide's YAML is configuration, and its commands exist", () => {
  assert.ok(blocks("yaml").length > 0 && blocks("sh").length > 0);
  for (const yaml of blocks("yaml")) parseConfig(yaml);
  const tasks = namesIn(guide, /deno task ([\w:]+)/g);
  for (const task of tasks) assert.ok(task in deno.tasks, `no task ${task} in deno.json`);
  assert.ok(tasks.includes("doctor") && tasks.includes("figures"));
  for (const command of namesIn(blocks("sh").join(""), /^deno task train \S+ (.*)$/gm)) {
    const { overrides, rest } = parseOverrides(command.split(" "));
    assert.deepEqual(rest, []);
    parseConfig("{}", { overrides });
  }
});

Deno.test("keys that the guide names exist", () => {
  const keys = sections().flatMap((section) => section.keys.map(({ path }) => path));
  const areas = sections().map(({ name }) => name).join("|");
  const named = namesIn(guide, new RegExp(`\`((?:${areas})\\.\\w+)`, "g"));
  assert.ok(named.length >= 10);
  for (const key of named) assert.ok(keys.includes(key), `no key ${key}`);

  const metrics = namesIn(
    lines,
    /^ +(\w+)\?: (?:number \| null|Readonly<Record<string, number>>);$/gm,
  );
  const rows = tables.find((rows) => rows.some(([first]) => first === "`loss`"))!;
  assert.ok(rows.length >= 9);
  for (const [metric] of rows) assert.ok(metrics.includes(metric.slice(1, -1)), metric);
});

Deno.test("the guide explains every verdict of a diagnosis, in its words, and no other", () => {
  const names = union.match(/^export type Verdict =\n((?: {2}\| "[^"]+";?\n)+)/m)![1];
  const verdicts = namesIn(names, /"([^"]+)"/g).map((verdict) => `\`${verdict}\``);
  assert.ok(verdicts.length >= 7);
  const rows = tables.find((rows) => rows.some(([first]) => first === "`healthy`"))!;
  assert.deepEqual(rows.map(([first]) => first).sort(), verdicts.sort());
});
