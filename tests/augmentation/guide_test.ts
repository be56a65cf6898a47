/** What docs/guides/augmentation.md says beside its TypeScript: pictures, tables, configuration, commands. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { CASES } from "../../bench/augmentation_error/cases.ts";
import deno from "../../deno.json" with { type: "json" };
import boxes from "../../docs/guides/augmentation-boxes.svg" with { type: "text" };
import guide from "../../docs/guides/augmentation.md" with { type: "text" };
import { AUGMENTATION_DEFAULTS, MultiCrop } from "../../lib/augmentation.ts";
import { VIEW_FLOATS } from "../../lib/augmentation/parameters.ts";
import { parseConfig, parseOverrides } from "../../lib/config.ts";
import { openEmoji } from "../../lib/data/emoji.ts";
import type { Picture } from "../../lib/data/image.ts";
import { record } from "../../lib/gpu.ts";
import { augmentationSheets, SHEETS, smallPictures } from "../../scripts/figures/augmentation.ts";
import { boxesFigure } from "../../scripts/figures/boxes.ts";
import { pictureOf, pngOf } from "../../lib/draw/canvas.ts";
import { gpuTest } from "../support/gpu.ts";
import { permissionTest } from "../support/permissions.ts";

const words = (text: string) => text.replace(/\s+/g, " ");
const images = [...guide.matchAll(/!\[([^\]]*)\]\(([^)]*)\)/g)];
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, x]) => x);
const rows = guide.split("\n").filter((line) => line.startsWith("|")).map((line) =>
  line.split("|").slice(1, -1).map((cell) => cell.trim())
);

const bytesOf = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../docs/guides/${name}`, import.meta.url)));

/** Adapters round some values differently: one level in a colour may be some after hue. */
function assertAlike(found: Picture, name: string): void {
  const kept = pictureOf(bytesOf(`augmentation-${name}.png`));
  assert.deepEqual([found.width, found.height], [kept.width, kept.height], name);
  let [different, largest] = [0, 0];
  found.data.forEach((level, i) => {
    const error = Math.abs(level - kept.data[i]);
    different += error && 1;
    largest = Math.max(largest, error);
  });
  const far = largest > 16 || different > 0.01 * found.data.length;
  assert.ok(!far, `${name}: ${different} values, up to ${largest}: run \`deno task figures\``);
}

permissionTest(["read"], "the guide's pictures exist, are told in words, and are small", () => {
  const names = images.map(([, alt, file]) => {
    assert.ok(alt.length > 60, `${file} has no alternative text that tells what it shows`);
    return file;
  });
  const sheets = ["views", "resized-crop", ...Object.keys(SHEETS), "small", "gray"];
  const files = sheets.map((name) => `augmentation-${name}.png`);
  assert.deepEqual(names.toSorted(), [...files, "augmentation-boxes.svg"].toSorted());
  assert.ok(names.reduce((sum, name) => sum + bytesOf(name).length, 0) < 600_000);
});

gpuTest("the guide's pictures are current: if not, run `deno task figures`", async (gpu) => {
  const sheets = await augmentationSheets(gpu);
  assert.equal(Object.keys(sheets).length, Object.keys(SHEETS).length + 3);
  for (const [name, sheet] of Object.entries(sheets)) assertAlike(sheet, name);
}, ["read"]);

// And the network, on first use.
gpuTest("the guide's emoji are current: if not, run `deno task figures`", async (gpu) => {
  assertAlike(await smallPictures(gpu, await openEmoji()), "small");
}, ["read", "env", "run"]);

Deno.test("pngOf() keeps every pixel of colour and gray pictures", () => {
  for (const gray of [false, true]) {
    const data = Uint8Array.from(
      { length: 4 * 15 },
      (_, i) => i % 4 === 3 ? 255 : 9 * (gray ? i >> 2 : i) % 256,
    );
    const picture = { width: 5, height: 3, data };
    assert.deepEqual(pictureOf(pngOf(picture)), picture);
  }
});

Deno.test("the guide's figure of boxes is current: if not, run `deno task figures`", () => {
  const solid = (text: string) => text.replace(/\s+/g, "");
  assert.equal(solid(boxes), solid(boxesFigure()));
  const panorama = [...boxes.matchAll(/<rect x="(\d+)" y="\d+" width="80" height="60"/g)];
  assert.equal(panorama.length, 12);
  assert.equal(new Set(panorama.map(([, x]) => x)).size, 1, "the same central box each time");
});

Deno.test("the guide's table of operations is that of the defaults", () => {
  const { global1, global2, local } = AUGMENTATION_DEFAULTS.views;
  const views = [global1, global2, local];
  const cells = (name: string) => {
    const row = rows.find(([, text]) => text?.includes(name))!;
    return { text: row[1], values: row.slice(2) };
  };
  const percent = ([a, b]: [number, number]) => `${100 * a}–${100 * b} %`;
  const each = (name: string, value: (view: typeof local) => unknown) =>
    assert.deepEqual(cells(name).values, views.map((view) => String(value(view))), name);
  each("`resized_crop`", ({ cropScale }) => percent(cropScale));
  each("`hflip`", ({ horizontalFlipProb }) => horizontalFlipProb);
  each("colour jitter", ({ colorJitterProb }) => colorJitterProb);
  each("`grayscale`", ({ grayscaleProb }) => grayscaleProb);
  each("`gaussian_blur`", ({ gaussianBlurProb }) => gaussianBlurProb);
  each("`solarize`", ({ solarizationProb }) => solarizationProb);
  for (const view of views) {
    const { brightness, contrast, saturation, hue } = view;
    const jitter =
      `brightness ${brightness}, contrast ${contrast}, saturation ${saturation}, hue ${hue}`;
    assert.ok(cells("colour jitter").text.includes(jitter));
    assert.ok(cells("`gaussian_blur`").text.includes(view.gaussianBlurSigma.join(" to ")));
    assert.ok(cells("`solarize`").text.includes(`level ${view.solarizationThreshold}`));
    assert.deepEqual(view.aspectRatio, [3 / 4, 4 / 3]);
  }
});

Deno.test("the guide's table of differences has the rows and limits of the command", () => {
  const table = rows.filter((cells) => cells.length === 9 && /^\d/.test(cells[2]));
  const stated = CASES.map(({ name, range, limit: { max, share } }) => [
    name,
    range,
    max === 0 ? "equal" : `${max}, ${share}`,
  ]);
  assert.deepEqual(table.map((cells) => [cells[0], cells[1], cells[7]]), stated);
  table.forEach(([name, , , , largest, share, , , fromPil], i) => {
    const { limit } = CASES[i];
    assert.ok(Number(largest) <= limit.max && Number(share) <= limit.share, name);
    assert.match(fromPil, /^[0-]$/, "exact arithmetic is PIL's");
  });
});

Deno.test("the guide's YAML is configuration, and its commands exist", () => {
  assert.ok(blocks("yaml").length >= 4 && blocks("sh").length > 0);
  for (const yaml of blocks("yaml")) parseConfig(yaml);
  const tasks = [...guide.matchAll(/deno task ([\w:]+)/g)].map(([, task]) => task);
  for (const task of tasks) assert.ok(task in deno.tasks, `no task ${task} in deno.json`);
  for (const task of ["data", "figures", "bench:augmentation"]) assert.ok(tasks.includes(task));
  const commands = [...blocks("sh").join("").matchAll(/^deno task data preview \S+ (.*)$/gm)];
  assert.ok(commands.length > 0);
  for (const [, flags] of commands) {
    const { overrides, rest } = parseOverrides(flags.split(" "));
    assert.deepEqual(rest, []);
    parseConfig("{}", { overrides });
  }
});

Deno.test("the guide names every key of the augmentation", () => {
  const keys = Object.keys(parseConfig("{}").augmentation);
  assert.ok(keys.length >= 25);
  const named = new Set([...guide.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  assert.deepEqual(keys.filter((key) => !named.has(key)), []);
});

gpuTest(
  "the guide's bytes per view and dispatches per size are those of MultiCrop",
  async (gpu) => {
    const [, bytes] = words(guide).match(/(\d+) bytes for each view/)!;
    assert.equal(Number(bytes), 4 * VIEW_FLOATS);
    assert.match(words(guide), /five dispatches for each of the two crop sizes/);
    const crops = new MultiCrop(gpu, { globalCropSize: 8, localCropSize: 4 }, 1);
    const pixels = gpu.tensor(new Uint32Array(64));
    const table = gpu.tensor(Uint32Array.of(0, 8, 8, 0), [1, 4]);
    const program = await record(gpu, () => crops.forward(pixels, table));
    assert.equal(program.length, 2 * 5);
    for (const resource of [program, crops, pixels, table]) resource.destroy();
  },
);
