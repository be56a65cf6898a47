/** Parts of scripts/look: colours, frames, sheets, names, places. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parseConfig } from "../../lib/config.ts";
import { l2Normalize } from "../../lib/eval/features.ts";
import { pca } from "../../lib/eval/pca.ts";
import { pictureOf, pngOf } from "../../lib/draw/canvas.ts";
import { checkFits } from "../../scripts/look/neighbors.ts";
import { LIMITS, upTo } from "../../scripts/common/numbers.ts";
import { COLOR_MAPS, colorOf, fieldOf, overlay, spotlight } from "../../lib/draw/colors.ts";
import { checkSize, framed, squareOf } from "../../lib/draw/frame.ts";
import { GLYPHS } from "../../lib/draw/glyphs.ts";
import { Output } from "../../scripts/look/output.ts";
import { card, embedded, pageOf } from "../../lib/draw/page.ts";
import { contactSheet, fitted } from "../../lib/draw/contact_sheet.ts";
import { spriteSheets } from "../../lib/draw/sprites.ts";
import { umapLayout } from "../../scripts/common/umap.ts";
import { paint, rgbAt } from "../data/support.ts";
import guide from "../../docs/guides/pictures.md" with { type: "text" };
import source from "../../scripts/look/main.ts" with { type: "text" };
import { folderTest } from "../support/permissions.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";

Deno.test("colorOf() goes from dark to light in even steps", () => {
  for (const map of COLOR_MAPS) {
    const levels = Array.from({ length: 65 }, (_, i) => {
      const [r, g, b] = colorOf(map, i / 64).map((c) => (c / 255) ** 2.2);
      return Math.cbrt(0.2126 * r + 0.7152 * g + 0.0722 * b);
    });
    const steps = levels.slice(1).map((level, i) => level - levels[i]);
    const mean = (levels[64] - levels[0]) / 64;
    assert.ok(steps.every((step) => step > 0), map);
    // The darkest end aside, where a cube root is steep.
    assert.ok(steps.slice(16).every((step) => step < 2 * mean), map);
    assert.deepEqual(colorOf(map, -1), colorOf(map, 0));
    assert.deepEqual(colorOf(map, 2), colorOf(map, 1));
  }
});

Deno.test("fieldOf() is constant within patches, or exact at their centres and linear between", () => {
  const values = [0, 1, 2, 3, 4, 5], grid = [2, 3] as const, size = { width: 30, height: 20 };
  const flat = fieldOf(values, grid, size, false), smooth = fieldOf(values, grid, size, true);
  for (let y = 0; y < 20; y++) {
    for (let x = 0; x < 30; x++) {
      assert.equal(flat(x, y), values[Math.floor(y / 10) * 3 + Math.floor(x / 10)]);
    }
  }
  assertClose([smooth(4.5, 4.5), smooth(14.5, 14.5), smooth(9.5, 4.5)], [0, 4, 0.5], 1e-12);
  assert.deepEqual([smooth(0, 0), smooth(29, 19)], [0, 5]);
});

Deno.test("overlay() shows the picture's gray and the map's colour; spotlight() keeps what is lit", () => {
  const picture = paint(8, 8, (x, y, c) => 20 * x + 5 * y + c);
  const none = overlay(picture, () => 0.5, "inferno", 1e-9);
  const [r, g, b] = rgbAt(none, 3, 3);
  assert.ok(r === g && g === b && Math.abs(r - 76) <= 1);
  assert.deepEqual(rgbAt(overlay(picture, () => 1, "viridis", 1), 3, 3), [0xfd, 0xe7, 0x25]);
  const lit = spotlight(picture, (x) => Number(x < 4));
  assert.deepEqual(rgbAt(lit, 1, 5), rgbAt(picture, 1, 5));
  assert.ok(rgbAt(lit, 6, 5)[0] < 0.4 * rgbAt(picture, 6, 5)[0]);
});

Deno.test("framed() takes the central square, or whole pictures in whole patches", () => {
  const config = parseConfig(
    "augmentation: { normalize_mean: [0, 0.5, 1], normalize_std: [1, 2, 4] }",
  );
  const picture = paint(30, 20, (x) => x < 5 || x >= 25 ? 255 : 51);
  const square = framed(picture, { size: 16, patch: 8, whole: false }, config);
  assert.deepEqual([square.shown.width, square.shown.height], [16, 16]);
  assertClose(square.input.filter((_, i) => i % 256 === 100), [0.2, -0.15, -0.2], 1e-6);
  assert.ok(square.shown.data.every((value, i) => i % 4 === 3 || value === 51));
  const whole = framed(picture, { size: 16, patch: 8, whole: true }, config);
  assert.deepEqual([whole.shown.width, whole.shown.height], [24, 16]);
  assert.equal(whole.input.length, 3 * 24 * 16);
  const line = framed(paint(400, 1, () => 9), { size: 8, patch: 8, whole: true }, config);
  assert.deepEqual([line.shown.width, line.shown.height], [3200, 8]);
});

Deno.test("squareOf() cuts every plane of pictures with more channels", () => {
  const data = new Uint8Array(2 * 4 * 3 * 1).fill(255);
  [1, 2, 3].forEach((value, x) => data[4 * x] = value);
  [7, 8, 9].forEach((value, x) => data[12 + 4 * x] = value);
  const { width, height, data: cut } = squareOf({ width: 3, height: 1, channels: 4, data }, 1);
  assert.deepEqual([width, height, cut[0], cut[4]], [1, 1, 2, 8]);
});

Deno.test("checkSize() names the sizes that fit", () => {
  for (const size of [8, 480]) checkSize(size, 8);
  assert.throws(() => checkSize(100, 14), /patch size 14 but found 100: 98 and 112 fit/);
  assert.throws(() => checkSize(3, 8), /found 3: 8 and 16 fit/);
  assert.throws(() => checkSize(16.5, 8), /found 16.5: 16 and 24 fit/);
});

Deno.test("sheets hold every picture where it belongs, and write what labels need", () => {
  for (const character of "head mean input query pictures of % × − # · . , 0123456789") {
    assert.ok(GLYPHS.has(character), character);
  }
  for (const rows of GLYPHS.values()) {
    assert.ok(rows.length === 7 && rows.every((bits) => bits >= 0 && bits < 32));
  }
  const red = paint(4, 4, (_x, _y, c) => c === 0 ? 250 : 0);
  const large = paint(64, 32, (_x, _y, c) => c === 2 ? 250 : 0);
  assert.deepEqual([fitted(red, 18).width, fitted(large, 16).width, fitted(large, 16).height], [
    16,
    16,
    8,
  ]);
  const sheet = contactSheet([
    { cells: [{ picture: red, label: "head 1" }, { picture: red }] },
    { title: "#1", cells: [{ picture: red }] },
  ], 16);
  let reds = 0, dark = 0;
  for (let y = 0; y < sheet.height; y++) {
    for (let x = 0; x < sheet.width; x++) {
      const [r, g, b] = rgbAt(sheet, x, y);
      reds += Number(r === 250 && g === 0 && b === 0);
      dark += Number(r < 120 && r === 105 || r === 38);
    }
  }
  assert.equal(reds, 3 * 256);
  assert.ok(dark > 50);
});

Deno.test("spriteSheets() puts every picture in its place", () => {
  const size = 256, pictures = Array.from({ length: 70 }, (_, i) => paint(size, size, () => 3 * i));
  const sprites = spriteSheets(pictures, size);
  assert.deepEqual([sprites.columns, sprites.perSheet, sprites.sheets.length], [8, 64, 2]);
  const decoded = sprites.sheets.map((uri) => pictureOf(Buffer.from(uri.split(",")[1], "base64")));
  assert.deepEqual([decoded[1].width, decoded[1].height], [6 * size, size]);
  for (const i of [0, 7, 8, 63, 64, 69]) {
    const at = i % 64, left = size * (at % 8), top = size * Math.floor(at / 8);
    const sheet = decoded[Math.floor(i / 64)];
    assert.equal(rgbAt(sheet, left, top)[0], 3 * i);
    assert.equal(rgbAt(sheet, left + size - 1, top + size - 1)[0], 3 * i);
  }
});

Deno.test("Output.nameOf() stays inside of its folder and gives no name twice", () => {
  const output = new Output("out");
  const ids = [
    "a/b.png",
    "../../etc/x",
    "/abs/x.png",
    "a/../b.png",
    "..",
    "",
    "A/B.png",
    "a/b.png",
    'q<"\n>?',
    "C:\\x\\y",
  ];
  const names = ids.map((id) => output.nameOf(id));
  assert.equal(new Set(names.map((name) => name.toLowerCase())).size, ids.length);
  for (const name of names) {
    assert.ok(name && !name.startsWith("/") && !name.split("/").includes(".."), name);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(name, /[<>:"|?*\x00-\x1f]/);
  }
  assert.deepEqual(names.slice(0, 3), ["a/b.png", "x", "x.png"]);
});

Deno.test("more pictures than a page shows are refused before any is made", () => {
  checkFits(400, 4);
  assert.throws(() => checkFits(401, 4), /at most 2000 pictures .* 401 queries of 4 neighbours/);
  const { most } = LIMITS.side;
  assert.equal(upTo(LIMITS.side)(String(most)), most);
  for (const text of [String(most + 1), "1e999", "0", "-1", "1.5", "", "x"]) {
    assert.throws(() => upTo(LIMITS.side)(text), new RegExp(`from 1 to ${most}: no adapter`), text);
  }
});

folderTest("Output replaces its own pictures and pages alone", async (folder) => {
  const output = new Output(folder), picture = paint(5, 4, (x, y, c) => 9 * x + y + c);
  const page = (title: string) => pageOf({ title, about: "", body: "" });
  for (const turn of ["once", "again"]) {
    const file = await output.png("deep/a", picture);
    assert.deepEqual(pictureOf(await Deno.readFile(file)).data, picture.data, turn);
    await output.text("b.html", page(turn));
  }
  await Deno.writeFile(`${folder}/deep/a.png`, pngOf(picture));
  await Deno.writeTextFile(`${folder}/b.html`, "<p>of others");
  await assert.rejects(output.png("deep/a", picture), /that this command did not make is there/);
  await assert.rejects(output.text("b.html", page("")), /that this command did not make is there/);
});

Deno.test("embedded() and card() hold any text", () => {
  const text = '</script><script>alert(1)</script><!--"';
  const html = embedded("data", { text });
  assert.equal(html.match(/<\/?script/g)!.length, 2);
  assert.deepEqual(JSON.parse(html.match(/>(.*)</)![1]), { text });
  const shown = card({ picture: paint(2, 2, () => 0), id: text, facts: [`kind: ${text}`] });
  assert.doesNotMatch(shown, /<script|<!--/);
});

gpuTest("umapLayout() parts two groups, the same way every time, copies too", async (gpu) => {
  const [n, dim] = [60, 8];
  const data = normals(n * dim, 3, 0.2);
  for (let i = 0; i < n; i++) data[i * dim + i % 2] += 3;
  for (let d = 0; d < dim; d++) data[4 * dim + d] = data[2 * dim + d];
  const features = { data: l2Normalize(data, dim), shape: [n, dim] as [number, number] };
  const start = pca(features, 2).project(features);
  const options = { neighbors: 10, seed: 5 };
  const places = await umapLayout(gpu, features, start, options);
  assert.deepEqual(await umapLayout(gpu, features, start, options), places);
  assert.notDeepEqual(await umapLayout(gpu, features, start, { ...options, seed: 6 }), places);
  assert.ok(places.every(Number.isFinite));
  const distance = (i: number, j: number) =>
    Math.hypot(places[2 * i] - places[2 * j], places[2 * i + 1] - places[2 * j + 1]);
  for (let i = 0; i < n; i++) {
    const others = Array.from({ length: n }, (_, j) => j).filter((j) => j !== i);
    const nearestOne = others.reduce((best, j) => distance(i, j) < distance(i, best) ? j : best);
    assert.equal(nearestOne % 2, i % 2, `${i} lies by ${nearestOne}`);
  }
  const few = { data: features.data.subarray(0, 3 * dim), shape: [3, dim] as [number, number] };
  assert.equal((await umapLayout(gpu, few, start.subarray(0, 6), options)).length, 6);
});

Deno.test("the guide's commands and options exist, and its figures have alternative texts", () => {
  const commands = [...guide.matchAll(/^deno task look (\w+) +(.*)$/gm)];
  assert.ok(commands.length >= 8);
  for (const [, command, rest] of commands) {
    assert.match(source, new RegExp(`add\\(\\s*"${command}"`));
    for (const [, option] of rest.matchAll(/--([\w-]+)/g)) {
      assert.match(source, new RegExp(`"(-\\w, )?--${option}[" ]`), option);
    }
  }
  for (const [, option] of guide.matchAll(/`--([\w-]+)[ `]/g)) {
    assert.match(source, new RegExp(`"(-\\w, )?--${option}[" ]`), option);
  }
  const images = [...guide.matchAll(/!\[([^\]]*)\]\((pictures-\w+\.png)\)/g)];
  assert.equal(images.length, 3);
  for (const [, alt] of images) assert.ok(alt.length > 100);
});
