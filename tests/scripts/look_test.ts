/** scripts/look.ts as users start it. */
import assert from "node:assert/strict";
import { pictureOf } from "../../lib/draw/canvas.ts";
import { png } from "../data/support.ts";
import { assertSameFile, errorOf, flags, runTest, train } from "../support/runs.ts";
import { script } from "../support/scripts.ts";

const look = (cwd: string, ...args: string[]) => script("look", cwd, args);

async function filesBelow(folder: string, below = ""): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${below}`)) {
    const inside = below ? `${below}/${name}` : name;
    if (isDirectory) names.push(...await filesBelow(folder, inside));
    else names.push(inside);
  }
  return names.sort();
}

runTest(
  "look makes the same pictures and pages of a run every time, and says what it cannot",
  async (folder, small) => {
    const settings = flags({ "training.max_steps": 2, "evaluation.view_retrieval": "false" });
    const run = await train(folder, [...small, ...settings, "--out", "run"]);
    assert.equal(run.code, 0, run.stderr);
    await Deno.rename(
      `${folder}/pictures/odd/1.png`,
      `${folder}/pictures/odd/<b>&.png`,
    );
    await Deno.writeTextFile(`${folder}/words.png`, "no picture");

    const commands: Record<string, string[]> = {
      attention: ["pictures", "--size", "48", "--threshold", "0.6"],
      pca: ["pictures/odd/5.png", "pictures/even/0.png", "--whole", "--size", "24", "--foreground"],
      neighbours: ["even/2.png", "pictures/odd/3.png", "-k", "2"],
      prototypes: ["--prototypes", "3", "--images", "2"],
      map: ["--color-by", "folder", "--thumbnail", "16"],
    };
    const both = await Promise.all([1, 2].map(async (turn) => {
      const out: string[] = [];
      for (const [name, args] of Object.entries(commands)) {
        const result = await look(folder, name, "run", ...args, "--out", `out${turn}/${name}`);
        assert.equal(result.code, 0, `${name}: ${result.stderr}`);
        out.push(result.stdout.replaceAll(`out${turn}`, "out"));
      }
      return out;
    }));
    assert.deepEqual(both[0], both[1]);
    const names = await filesBelow(`${folder}/out1`);
    assert.deepEqual(names, await filesBelow(`${folder}/out2`));
    for (const name of names) await assertSameFile(folder, `out1/${name}`, `out2/${name}`);

    const of = (start: string) => names.filter((name) => name.startsWith(start));
    const attention = of("attention/even/0.png/");
    assert.equal(attention.filter((name) => /\/head-\d\.png$/.test(name)).length, 2);
    assert.equal(attention.filter((name) => name.endsWith("-mask.png")).length, 3);
    assert.ok(attention.includes("attention/even/0.png/mean.png"));
    assert.equal(of("attention/").filter((name) => name.endsWith("/mean.png")).length, 8);
    const read = async (name: string) => pictureOf(await Deno.readFile(`${folder}/out1/${name}`));
    const { width, height } = await read("attention/even/0.png/mean.png");
    assert.deepEqual([width, height], [288, 288]);
    const [wide] = of("pca/").filter((name) => name.endsWith("pca.png"));
    assert.ok((await read(wide)).width > 0);
    for (const name of ["neighbours/sheet.png", "prototypes/sheet.png"]) await read(name);

    const map = await Deno.readTextFile(`${folder}/out1/map/map.html`);
    assert.ok(!map.includes("<b>&.png") && map.includes("\\u003cb>&.png"));
    assert.doesNotMatch(map, /(src|href)="http/);
    const page = await Deno.readTextFile(`${folder}/out1/neighbours/neighbours.html`);
    assert.ok(!page.includes("<b>&.png"));
    for (const html of [map, page]) assert.match(html, /How good these features \(class\) are/);
    assert.match(both[0][3], /of 16 prototypes .* ln K = 2\.77/);

    // Without --out below the run; again over its own files, over no other.
    const plainly = () => look(folder, "attention", "run", "pictures/odd/5.png");
    for (const { code, stdout, stderr } of [await plainly(), await plainly()]) {
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^run\/look\/attention\/sheet\.png: 1 picture,/);
    }
    const sheet = `${folder}/run/look/attention/sheet.png`;
    await Deno.copyFile(`${folder}/pictures/odd/5.png`, sheet);
    const foreign = await plainly();
    assert.equal(foreign.code, 1, foreign.stdout);
    assert.match(
      foreign.stderr,
      /sheet\.png: a file that this command did not make .* with --out$/m,
    );
    await assertSameFile(folder, "pictures/odd/5.png", "run/look/attention/sheet.png");
    await Deno.remove(sheet);
    // Names that are those of results, or command the terminal.
    await Deno.mkdir(`${folder}/few`);
    await Deno.copyFile(`${folder}/pictures/odd/5.png`, `${folder}/few/sheet.png`);
    const named = await look(folder, "pca", "run", "few", "--out", "seen\x1b[2J");
    assert.equal(named.code, 0, named.stderr);
    assert.match(named.stdout, /^seen\\x1b\[2J\/sheet\.png: 1 picture of 4 patches/);
    await Deno.writeFile(`${folder}/long.png`, png({ width: 1000, height: 1, sample: () => 9 }));

    const cases: [RegExp, string[]][] = [
      [/Expected a whole number from 1 to 8192: no adapter holds/, [
        "attention",
        "run",
        "--size",
        "100000",
      ]],
      [/--size of at most 1024, 128 × 128 patches of the model, but found 2048/, [
        "pca",
        "run",
        "--size",
        "2048",
      ]],
      [/at most 16384 patches of .*long\.png but 1000 × 1 pixels would be 512000 × 512/, [
        "attention",
        "run",
        "long.png",
        "--whole",
        "--size",
        "512",
      ]],
      [/lies in .*pictures, where pictures are read from: choose another/, [
        "pca",
        "run",
        "pictures",
        "--out",
        "pictures/seen",
      ]],
      [/--prototypes × --images of at most 2000 but found 1000 × 10/, [
        "prototypes",
        "run",
        "--prototypes",
        "1000",
      ]],
      [/multiple of the model's patch size 8 but found 50: 48 and 56 fit/, [
        "attention",
        "run",
        "--size",
        "50",
      ]],
      [/words\.png: not a PNG/, ["attention", "run", "words.png"]],
      [/words\.png: not a PNG/, ["pca", "run", "pictures/odd/5.png", "words.png"]],
      [/or an id of .* but found none\.png: there is neither/, ["attention", "run", "none.png"]],
      [/one folder alone, but found the folder pictures/, ["pca", "run", "pictures", "words.png"]],
      [/to be one of folder but found vendor/, ["map", "run", "--color-by", "vendor"]],
      [/--thumbnail from 8 to 256 pixels but found 4/, ["map", "run", "--thumbnail", "4"]],
      [/teacher\.safetensors or a checkpoint in pictures/, ["map", "pictures"]],
      [/at least 3 sound pictures .* found 2/, ["map", "run", "--max-images", "2"]],
    ];
    const results = await Promise.all(cases.map(([, args]) => look(folder, ...args)));
    results.forEach((result, i) => {
      assert.equal(result.code, 1, `${cases[i][1]}: ${result.stderr}`);
      assert.match(errorOf(result), cases[i][0]);
    });
  },
);
