/** scripts/embed.ts as users start it; its files are read by Rust's Parquet. */
import assert from "node:assert/strict";
import { tableFromIPC } from "apache-arrow";
import { AtomicFile } from "../../lib/io/atomic_file.ts";
import { ParquetSink } from "../../lib/embed/parquet.ts";
import type { Row } from "../../lib/embed/sink.ts";
import { plain, put } from "../data/support.ts";
import { folderTest } from "../support/permissions.ts";
import { assertSameFile, errorOf, flags, path, runTest, train } from "../support/runs.ts";
import { script } from "../support/scripts.ts";
import { HANG_MS } from "../support/hang.ts";

/** Rows of a Parquet file as objects. */
async function parquet(file: string) {
  const { readParquet } = await import("parquet-wasm"); // reads its WebAssembly at once
  const table = tableFromIPC(readParquet(await Deno.readFile(file)).intoIPCStream());
  return table.toArray().map((row) => {
    return { ...row.toJSON(), feature: Float32Array.from(row.toJSON().feature) };
  });
}

/** Numbers and shape of a .npy. */
async function npy(file: string) {
  const bytes = await Deno.readFile(file);
  const head = new TextDecoder().decode(bytes.subarray(10, 128));
  const shape = head.match(/'shape': \((\d+), (\d+)\)/)!.slice(1).map(Number);
  return { shape, data: new Float32Array(bytes.slice(128).buffer) };
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.sort();
}

runTest(
  "embed writes the same features in every format, and again; it leaves damaged files out",
  async (folder, small) => {
    const run = await train(folder, [
      ...small,
      ...flags({ "training.max_steps": 1 }),
      "--out",
      "run",
    ]);
    assert.equal(run.code, 0, run.stderr);
    const hostile = 'odd/a, "b"\n<img src=x onerror=alert(1)>.png';
    await put(folder, `pictures/${hostile}`, plain(300, 200, [9, 99, 199]));
    const torn = await Deno.readFile(`${folder}/pictures/even/0.png`);
    await put(folder, "pictures/even/torn.png", torn.subarray(0, torn.length - 30));
    await put(folder, "pictures/even/words.png", new TextEncoder().encode("no picture"));
    await Deno.mkdir(`${folder}/out`);
    // Batches of three: rows come in several pieces, one of them with a damaged picture.
    const asked = [
      "pictures",
      "--weights",
      "run",
      ...flags({ "evaluation.batch_size": 3, "data.max_pixels": 400 }),
    ];
    const results = await Promise.all([
      ["--out", "out/f.parquet"],
      ["--out", "out/again.parquet"],
      ["--out", "out/\x1b[2J.jsonl"],
      ["--out", "out/f.npy"],
      ["--out", "out/table.CSV"],
      ["--out", "out/f.txt", "--format", "jsonl"],
      ["--out", "out/unit.parquet", "--normalize"],
      ["--out", "out/student.parquet", "--student"],
      ["--out", "out/quad.npy", "--feature", "quad"],
      ["--out", "out/blocks.parquet", "--evaluation.last_blocks", "2", "--feature", "mean"],
    ].map((more) => script("embed", folder, [...asked, ...more])));
    for (const { code, stderr } of results) {
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^2 files left out:$/m);
      assert.match(stderr, /^ {2}pictures\/even\/torn\.png: .*truncated/m);
      assert.match(stderr, /^ {2}pictures\/even\/words\.png: not a PNG/m);
    }
    assert.match(
      results[0].stdout,
      /^out\/f\.parquet: 9 pictures of pictures, 16 numbers each \(class\)/,
    );
    assert.match(results[2].stdout, /^out\/\\x1b\[2J\.jsonl: 9 pictures/);
    assert.deepEqual(await namesIn(`${folder}/out`), [
      "\x1b[2J.jsonl",
      "again.parquet",
      "blocks.parquet",
      "f.csv",
      "f.npy",
      "f.parquet",
      "f.txt",
      "quad.csv",
      "quad.npy",
      "student.parquet",
      "table.CSV",
      "unit.parquet",
    ]);
    await assertSameFile(folder, "out/f.parquet", "out/again.parquet");

    const rows = await parquet(`${folder}/out/f.parquet`);
    assert.deepEqual(Object.keys(rows[0]), ["id", "width", "height", "folder", "feature"]);
    assert.equal(rows.length, 9);
    const named = rows.find(({ id }) => id === hostile)!;
    assert.deepEqual([named.width, named.height, named.folder], [300, 200, "odd"]);
    const { shape, data } = await npy(`${folder}/out/f.npy`);
    assert.deepEqual(shape, [9, 16]);
    rows.forEach(({ feature }, r) => {
      assert.equal(feature.length, 16);
      assert.deepEqual(feature, data.slice(16 * r, 16 * (r + 1)));
      assert.ok(feature.some((x: number) => x !== 0));
    });
    const lines = (await Deno.readTextFile(`${folder}/out/f.txt`)).trim().split("\n");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)).map(({ feature, readout, ...row }) => {
        assert.equal(readout, "class");
        return { ...row, feature: Float32Array.from(feature) };
      }),
      rows,
    );
    const csv = await Deno.readTextFile(`${folder}/out/table.CSV`);
    assert.ok(csv.startsWith("id,width,height,folder,readout,feature_0,feature_1,"));
    const quoted = `"${hostile.replaceAll('"', '""')}",300,200,odd,class,`;
    const cells = csv.slice(csv.indexOf(quoted) + quoted.length).split("\n")[0].split(",");
    assert.deepEqual(Float32Array.from(cells, Number), named.feature);
    assert.ok(
      (await Deno.readTextFile(`${folder}/out/f.csv`)).includes(`${quoted.slice(0, -1)}\n`),
    );

    const unit = await parquet(`${folder}/out/unit.parquet`);
    unit.forEach(({ feature }, r) => {
      const norm = Math.hypot(...rows[r].feature);
      feature.forEach((x: number, i: number) => {
        assert.ok(Math.abs(x - rows[r].feature[i] / norm) < 1e-6);
      });
    });
    const quad = await npy(`${folder}/out/quad.npy`);
    assert.deepEqual(quad.shape, [9, 4 * 16]);
    const names = await Deno.readTextFile(`${folder}/out/quad.csv`);
    assert.match(names, /^id,width,height,folder,readout\n[^\n]*,quad\n/);
    const blocks = await parquet(`${folder}/out/blocks.parquet`);
    assert.equal(blocks[0].feature.length, 2 * 16);
    const told = new TextDecoder().decode(await Deno.readFile(`${folder}/out/blocks.parquet`));
    assert.match(told, /hatchling\.features[^a-z]+mean, last 2 blocks/);
    const student = await parquet(`${folder}/out/student.parquet`);
    assert.notDeepEqual(student[0].feature, rows[0].feature);
  },
);

runTest(
  "embed says at once what it cannot do, and leaves nothing behind",
  async (folder, small) => {
    const run = await train(folder, [
      ...small,
      ...flags({ "training.max_steps": 1 }),
      "--out",
      "run",
    ]);
    assert.equal(run.code, 0, run.stderr);
    const torn = (await Deno.readFile(`${folder}/pictures/even/0.png`)).subarray(0, 60);
    await put(folder, "bad/torn.png", torn);
    await put(folder, "none/words.txt", new Uint8Array(1));
    await put(folder, "photos.zip", new Uint8Array(4));
    await put(folder, "torn.safetensors", new Uint8Array(20));
    await Deno.mkdir(`${folder}/out`);
    const list = "path,species\npictures/even/0.png,wolf\n", notes = "id,width,height\nmine,1,2\n";
    await Deno.writeTextFile(`${folder}/list.csv`, list);
    await Deno.symlink(`${folder}/list.csv`, `${folder}/linked.csv`);
    await Deno.writeTextFile(`${folder}/notes.csv`, notes);
    const before = await namesIn(folder);
    const weights = ["--weights", "run"], out = ["--out", "out/f.parquet"];
    const over = ["--overwrite", "--out"];
    const cases: [RegExp, string[]][] = [
      [/Expected pictures at nowhere but cannot open it: No such file/, [
        "nowhere",
        ...weights,
        ...out,
      ]],
      [/photos\.zip is a file, not a folder: unpack it/, ["photos.zip/a", ...weights, ...out]],
      [/Expected .*photos\.zip/, [
        "photos.zip",
        ...weights,
        ...out,
      ]],
      [/Expected pictures .* in "none" or its sub-folders but found none/, [
        "none",
        ...weights,
        ...out,
      ]],
      [/at least one sound picture in bad but all 1 are damaged/, ["bad", ...weights, ...out]],
      [/teacher\.safetensors or a checkpoint in pictures/, [
        "pictures",
        "--weights",
        "pictures",
        ...out,
      ]],
      [/torn\.safetensors/, ["pictures", "--weights", "torn.safetensors", ...out]],
      [/end with \.parquet, \.npy, \.csv, \.jsonl but found f\.xlsx/, [
        "pictures",
        ...weights,
        "--out",
        "f.xlsx",
      ]],
      [/Cannot write no\/f\.npy: the folder no does not exist/, [
        "pictures",
        ...weights,
        "--out",
        "no/f.npy",
      ]],
      [/Cannot write out: expected a file but found a folder/, [
        "pictures",
        ...weights,
        "--out",
        "out",
        "--format",
        "csv",
      ]],
      [/Cannot write list\.csv: this command reads that file: choose another --out/, [
        "list.csv",
        ...weights,
        ...over,
        "list.npy",
      ]],
      [/Cannot write linked\.csv: this command reads that file as list\.csv/, [
        "list.csv",
        ...weights,
        ...over,
        "linked.npy",
      ]],
      [/notes\.csv: a file that this command did not make .* or add --overwrite/, [
        "pictures",
        ...weights,
        "--out",
        "notes.npy",
      ]],
      [/Cannot write run\/teacher\.safetensors: this command reads that file/, [
        "pictures",
        ...weights,
        "--format",
        "csv",
        ...over,
        "run/teacher.safetensors",
      ]],
      [/Cannot write pictures\/even\/0\.png: it is one of the files in pictures, an input/, [
        "pictures",
        ...weights,
        "--format",
        "csv",
        ...over,
        "pictures/even/0.png",
      ]],
      [/Expected pictures at no\\x1b\[2J\\x0awhere but/, ["no\x1b[2J\nwhere", ...weights, ...out]],
      [/required option '--out <file>' not specified/, ["pictures", ...weights]],
    ];
    const results = await Promise.all(cases.map(([, args]) => script("embed", folder, args)));
    results.forEach((result, i) => {
      assert.equal(result.code, 1, `${cases[i][1]}: ${result.stderr}`);
      assert.match(errorOf(result), cases[i][0]);
    });
    assert.deepEqual(await namesIn(folder), before);
    assert.deepEqual(await namesIn(`${folder}/out`), []);
    assert.equal(await Deno.readTextFile(`${folder}/list.csv`), list);
    assert.equal(await Deno.readTextFile(`${folder}/notes.csv`), notes);

    const asked = ["list.csv", ...weights, ...over, "notes.npy"];
    const replaced = await script("embed", folder, asked);
    assert.equal(replaced.code, 0, replaced.stderr);
    const own = await script("embed", folder, asked.filter((word) => word !== "--overwrite"));
    assert.equal(own.code, 0, own.stderr);
    assert.match(
      await Deno.readTextFile(`${folder}/notes.csv`),
      /^id,width,height,species,readout\n/,
    );
  },
);

runTest(
  "embed leaves no file under its name when it is killed or stopped",
  async (folder, small) => {
    const run = await train(folder, [
      ...small,
      ...flags({ "training.max_steps": 1 }),
      "--out",
      "run",
    ]);
    assert.equal(run.code, 0, run.stderr);
    await Deno.writeTextFile(
      `${folder}/endless.ts`,
      `export default {
      name: "endless", length: 100, largestPixels: 64, skipped: [], id: String,
      picture: (i: number) => i < 8
        ? { width: 8, height: 8, data: new Uint8Array(256).fill(i) }
        : new Promise(() => setInterval(() => {}, 1000)),
    };`,
    );
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await Deno.mkdir(`${folder}/${signal}`);
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-A", path("scripts/embed.ts"), "endless.ts", "--weights", "run"]
          .concat("--out", `${signal}/f.npy`, flags({ "evaluation.batch_size": 4 })),
        cwd: folder,
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const limit = setTimeout(() => child.kill("SIGKILL"), HANG_MS);
      let said = "";
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
        said += text;
        if (said.includes("encoding: 4 of 100")) child.kill(signal);
      }
      const { code } = await child.status;
      clearTimeout(limit);
      assert.match(said, /encoding: 4 of 100/);
      assert.equal(code, signal === "SIGTERM" ? 143 : 137);
      const left = await namesIn(`${folder}/${signal}`);
      if (signal === "SIGTERM") assert.deepEqual(left, []);
      for (const name of left) assert.match(name, /\.hatchling-tmp$/);
    }
  },
);

folderTest("ParquetSink writes row groups that are read as one table", async (folder) => {
  const dim = 2048, n = 1100; // 512 rows are a group
  const rowOf = (i: number): Row => ({
    id: `${i} ä`,
    width: i,
    height: 2 * i,
    labels: [i % 3 ? "a" : "b"],
    feature: Float32Array.from({ length: dim }, (_, d) => (i * 31 + d * 17) % 1009 - 504.25),
  });
  const table = { labels: ["id"], dim, readout: "class", about: { key: "value" } };
  const sink = new ParquetSink(AtomicFile.open(`${folder}/f.parquet`), table);
  for (let from = 0; from < n; from += 300) {
    const rows = Array.from({ length: Math.min(300, n - from) }, (_, i) => rowOf(from + i));
    sink.write(rows);
  }
  assert.deepEqual((await namesIn(folder)).filter((name) => name === "f.parquet"), []);
  sink.finish();
  const found = await parquet(`${folder}/f.parquet`);
  assert.equal(found.length, n);
  found.forEach((row, i) => {
    const { labels: [label], ...rest } = rowOf(i);
    assert.deepEqual(row, { ...rest, "label id": label });
  });
});
