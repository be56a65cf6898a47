/** deno task search as users start it. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import jpeg from "jpeg-js";
import { PNG } from "pngjs";
import type { Picture } from "../../lib/data/image.ts";
import { escape } from "../../lib/draw/html.ts";
import { resizeBicubic } from "../../lib/data/resample.ts";
import { paint, plain, put } from "../data/support.ts";
import { errorOf, flags, runTest, train } from "../support/runs.ts";
import { folderTest } from "../support/permissions.ts";
import { script } from "../support/scripts.ts";

/** A search with a cache of its own. */
const search = (cwd: string, ...args: string[]) =>
  script("search", cwd, args, { HATCHLING_CACHE: `${cwd}/cache` });

interface Row {
  id: string;
  feature: number[];
}

runTest(
  "search finds what is most similar; it encodes each picture once, and again when it has changed",
  async (folder, small) => {
    const run = await train(folder, [
      ...small,
      ...flags({ "training.max_steps": 2 }),
      "--out",
      "run",
    ]);
    assert.equal(run.code, 0, run.stderr);
    const hostile = "odd/<img src=x onerror=alert(1)>.png";
    await Deno.copyFile(`${folder}/pictures/even/4.png`, `${folder}/outside.png`);
    const asked = ["pictures", "pictures/even/0.png", "outside.png", "--weights", "run", "-k", "7"];
    const json = async (...args: string[]) => {
      const { code, stdout, stderr } = await search(folder, ...args, "--json");
      assert.equal(code, 0, stderr);
      return { ...JSON.parse(stdout), stderr };
    };
    const first = await json(...asked);
    assert.deepEqual([first.pictures, first.encoded], [8, 8]);
    const second = await json(...asked);
    assert.equal(second.encoded, 0);
    assert.deepEqual(second.results, first.results);

    const table = await script(
      "embed",
      folder,
      ["pictures", "--weights", "run", "--out", "f.jsonl", "--normalize"],
    );
    assert.equal(table.code, 0, table.stderr);
    const lines = (await Deno.readTextFile(`${folder}/f.jsonl`)).trim().split("\n");
    const rows: Row[] = lines.map((line) => JSON.parse(line));
    const [inside, outside] = first.results;
    for (const [result, own] of [[inside, "even/0.png"], [outside, undefined]] as const) {
      const { feature } = rows.find(({ id }) => id === (own ?? "even/4.png"))!;
      const expected = new Map(
        rows.filter(({ id }) => id !== own).map((row) => {
          return [`pictures/${row.id}`, row.feature.reduce((s, x, i) => s + x * feature[i], 0)];
        }),
      );
      assert.equal(result.found.length, 7);
      const similarities = result.found.map(({ similarity }: { similarity: number }) => similarity);
      assert.deepEqual(similarities, [...similarities].sort((a, b) => b - a));
      for (const { path, similarity } of result.found) {
        assert.ok(Math.abs(similarity - expected.get(path)!) < 1e-4, path);
      }
    }
    assert.equal(outside.found[0].path, "pictures/even/4.png");
    assert.ok(outside.found[0].similarity > 0.9999);

    await put(folder, "pictures/odd/3.png", plain(40, 40, [200, 10, 10]));
    await put(folder, `pictures/${hostile}`, plain(40, 40, [200, 10, 12]));
    await put(folder, "pictures/odd/torn.png", plain(40, 40, [1, 2, 3]).subarray(0, 60));
    await Deno.remove(`${folder}/pictures/odd/1.png`);
    const third = await json("pictures", "pictures/odd/3.png", "--weights", "run", "--out", "out");
    assert.deepEqual([third.pictures, third.encoded], [8, 2]);
    assert.match(third.stderr, /^1 file left out:\n {2}pictures\/odd\/torn\.png: .*truncated/m);
    const [{ found }] = third.results;
    assert.equal(found.length, 7, "all but the query itself");
    assert.equal(found[0].path, `pictures/${hostile}`);
    const page = await Deno.readTextFile(`${folder}/out/similar.html`);
    assert.ok(page.includes("&#60;img src=x onerror=alert(1)"));
    assert.ok(!page.includes("<img src=x"));
    assert.doesNotMatch(page, /(src|href)="http/);
    assert.match(
      third.quality,
      /^How good these features \(class\) are, measured on 8 pictures of .* at the end of training: /,
    );
    assert.ok(page.includes(escape(third.quality)));

    const grid = await json(...asked, "--feature", "grid");
    assert.deepEqual([grid.features, grid.encoded], ["grid", 8], "other features are other rows");
    assert.equal((await json(...asked)).encoded <= 2, true, "those of before are still there");

    const cases: [RegExp, string[]][] = [
      [/Expected pictures \(PNG.*\) in empty .* found none/, ["empty", "--duplicates"]],
      [/f\.jsonl: not a PNG/, ["pictures", "f.jsonl", "--weights", "run"]],
      [/Cannot write mine\/similar\.html: a file that this command did not make/, [
        ...asked,
        "--out",
        "mine",
      ]],
      [/Expected a picture .* found pictures\/odd\/torn\.png: .*truncated/, [
        "pictures",
        "pictures/odd/torn.png",
        "--weights",
        "run",
      ]],
      [/or a checkpoint in pictures but found neither/, [
        "pictures",
        "outside.png",
        "--weights",
        "pictures",
      ]],
      [/f\.jsonl/, ["pictures", "outside.png", "--weights", "f.jsonl"]],
      [/Cannot make files in outside\.png.* --out/, [
        "pictures",
        "--duplicates",
        "--out",
        "outside.png",
      ]],
      [/Allowed choices are class, mean, quad, grid, class\+mean/, [...asked, "--feature", "cls"]],
      [/number in \(0, 1\]/, ["pictures", "--duplicates", "--threshold", "2"]],
    ];
    await put(folder, "mine/similar.html", new TextEncoder().encode("<html>mine"));
    await Deno.mkdir(`${folder}/empty`);
    const results = await Promise.all(cases.map(([, args]) => search(folder, ...args)));
    results.forEach((result, i) => {
      assert.equal(result.code, 1, `${cases[i][1]}: ${result.stderr}`);
      assert.match(errorOf(result), cases[i][0]);
    });
    assert.equal(await Deno.readTextFile(`${folder}/mine/similar.html`), "<html>mine");

    // The page goes to the run; where that cannot be, the answer does not need it.
    const plainly = await search(folder, ...asked);
    assert.equal(plainly.stdout.trim().split("\n").at(-1), "run/search/similar.html");
    await Deno.remove(`${folder}/run/search`, { recursive: true });
    await put(folder, "run/search", new Uint8Array(1));
    const unwritten = await search(folder, ...asked);
    assert.equal(unwritten.code, 0, unwritten.stderr);
    assert.ok(unwritten.stdout.startsWith("pictures/even/0.png\n"));
    assert.match(unwritten.stderr, /^note: Cannot make files in run\/search/m);

    // A strip is cut to its central square: no more work than any other picture.
    await put(folder, "strip.png", plain(20_000, 2, [9, 120, 30]));
    const strip = await json("pictures", "strip.png", "--weights", "run", "--feature", "quad");
    assert.equal(strip.results[0].found.length, 8);

    // A cache that is damaged, or that cannot be, changes no answer.
    const kept: string[] = [];
    for await (const { name } of Deno.readDir(`${folder}/cache/search`)) {
      for await (const file of Deno.readDir(`${folder}/cache/search/${name}`)) {
        kept.push(`${folder}/cache/search/${name}/${file.name}`);
      }
    }
    const sound = await json(...asked);
    for (const path of kept) {
      const bytes = await Deno.readFile(path);
      bytes[bytes.length - 1] ^= 0x40; // an exponent
      await Deno.writeFile(path, bytes);
    }
    const mended = await json(...asked);
    assert.deepEqual(mended.results, sound.results);
    assert.match(mended.stderr, /^note: \d+ of the files kept in .* were damaged/m);
    assert.doesNotMatch((await json(...asked)).stderr, /were damaged/);
    await put(folder, "no", new Uint8Array(1));
    const nowhere = await script("search", folder, [...asked, "--json"], {
      HATCHLING_CACHE: `${folder}/no`,
      TMPDIR: `${folder}/no`,
    });
    assert.equal(nowhere.code, 0, nowhere.stderr);
    assert.deepEqual(JSON.parse(nowhere.stdout).results, sound.results);
    assert.match(nowhere.stderr, /^note: what was found .* could not be kept/m);
  },
);

/** A picture of coloured boxes, the same for the same number. */
function boxes(seed: number, width = 120, height = 90): Picture {
  let state = seed + 1;
  const draw = () => (state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0) >>> 8;
  const share = () => draw() / 2 ** 24;
  const list = Array.from({ length: 14 }, () => ({
    box: [share(), share(), 0.1 + 0.4 * share(), 0.1 + 0.4 * share()],
    color: [share(), share(), share()].map((v) => 20 + Math.round(200 * v)),
  }));
  return paint(width, height, (x, y, c) => {
    const over = list.findLast(({ box: [left, top, w, h] }) => {
      const [u, v] = [x / width - left, y / height - top];
      return u >= 0 && v >= 0 && u < w && v < h;
    });
    return over?.color[c] ?? 128;
  });
}

const pngOf = ({ width, height, data }: Picture): Uint8Array =>
  PNG.sync.write({ width, height, data: Buffer.from(data) });
const jpegOf = ({ width, height, data }: Picture, quality: number): Uint8Array =>
  jpeg.encode({ width, height, data: Buffer.from(data) }, quality).data;

folderTest(
  "search --duplicates finds planted copies, no more and no less, without a model",
  async (folder) => {
    for (let i = 0; i < 24; i++) await put(folder, `p/${i}.png`, pngOf(boxes(i)));
    const [cut, turned] = [boxes(4), boxes(5)];
    const copies: Record<string, Picture> = {
      half: resizeBicubic(boxes(1), 60, 45),
      large: resizeBicubic(boxes(2), 240, 180),
      dark: {
        ...boxes(3),
        data: boxes(3).data.map((x, i) => i % 4 === 3 ? x : Math.round(0.85 * x)),
      },
      crop: paint(112, 84, (x, y, c) => cut.data[4 * ((y + 4) * 120 + x + 5) + c]),
      mirror: paint(120, 90, (x, y, c) => turned.data[4 * (y * 120 + 119 - x) + c]),
    };
    for (const [name, picture] of Object.entries(copies)) {
      await put(folder, `p/copies/${name}.png`, pngOf(picture));
    }
    await put(folder, "p/copies/<img src=x onerror=alert(1)>.png", pngOf(boxes(6)));
    await put(folder, "p/copies/small.jpg", jpegOf(boxes(7), 60));
    await put(folder, "p/copies/smaller.jpg", jpegOf(resizeBicubic(boxes(7), 80, 60), 50));
    await put(folder, "p/torn.png", pngOf(boxes(8)).subarray(0, 200));

    const groups = async (...args: string[]) => {
      const { code, stdout, stderr } = await search(folder, "p", "--duplicates", "--json", ...args);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^1 file left out:\n {2}p\/torn\.png: /m);
      const json = JSON.parse(stdout);
      return {
        ...json,
        names: json.groups.map((group: { path: string; how: string }[]) =>
          group.map(({ path, how }) => `${how} ${path.slice(2)}`).sort().join(", ")
        ).sort(),
      };
    };
    const expected = [
      "kept 1.png, near copies/half.png",
      "kept 3.png, near copies/dark.png",
      "kept 4.png, near copies/crop.png",
      "kept copies/small.jpg, near 7.png, near copies/smaller.jpg",
      "kept copies/large.png, near 2.png",
      "kept 6.png, same file copies/<img src=x onerror=alert(1)>.png",
    ];
    const first = await groups("--out", "out");
    assert.deepEqual(first.names, [...expected].sort());
    assert.deepEqual([first.pictures, first.decoded], [32, 33]);
    const largest = first.groups.find(([{ path }]: { path: string }[]) =>
      path === "p/copies/large.png"
    );
    assert.deepEqual([largest[0].width, largest[0].height], [240, 180]);
    const page = await Deno.readTextFile(`${folder}/out/duplicates.html`);
    assert.ok(page.includes("&#60;img src=x onerror=alert(1)"));
    assert.ok(!page.includes("<img src=x"));
    assert.ok(page.includes("240 × 180") && page.includes("same file"));
    assert.doesNotMatch(page, /How good/, "no model was asked");

    const plainly = await search(folder, "p", "--duplicates");
    assert.equal(plainly.stdout.trim().split("\n").at(-1), "out/search/duplicates.html");
    const mirrored = await groups("--mirrored");
    assert.deepEqual(
      mirrored.names,
      [...expected, "kept 5.png, mirrored copies/mirror.png"].sort(),
    );
    const strict = await groups("--threshold", "1");
    assert.deepEqual(strict.names, [
      "kept 6.png, same file copies/<img src=x onerror=alert(1)>.png",
    ]);
  },
);
