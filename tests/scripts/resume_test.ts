/** Runs that go on: pictures that lie elsewhere, kept files that are damaged, and one count of what is left out. */
import assert from "node:assert/strict";
import type { Dataset } from "../../lib/data/dataset.ts";
import { loadCheckpoint } from "../../lib/io/checkpoint.ts";
import { Pictures } from "../../scripts/train/pictures.ts";
import { Progress } from "../../scripts/common/progress.ts";
import { earlierPictures } from "../../scripts/train/same_run.ts";
import { SideFiles } from "../../lib/run/side_files.ts";
import { configDefaults } from "../../lib/config.ts";
import jpeg from "../data/fixtures/progressive.jpg" with { type: "bytes" };
import { plain, put } from "../data/support.ts";
import { folderTest } from "../support/permissions.ts";
import { assertSameFile, errorOf, flags, path, runTest, train } from "../support/runs.ts";
import { HANG_MS } from "../support/hang.ts";

const steps = (n: number) =>
  flags({ "training.max_steps": n, "evaluation.view_retrieval": "false" });

const rowsOf = async (file: string) =>
  (await Deno.readTextFile(file)).split("\n").filter(Boolean).map((row) => JSON.parse(row));

runTest(
  "train --resume knows pictures that were moved, and others it refuses",
  async (folder, small) => {
    const at = (place: string) => small.map((word) => word.endsWith("/pictures") ? place : word);
    const [whole, part] = await Promise.all([
      train(folder, [...at("pictures"), ...steps(4), "--out", "whole"]),
      train(folder, [...at("pictures"), ...steps(2), "--out", "part"]),
    ]);
    for (const { code, stderr } of [whole, part]) assert.equal(code, 0, stderr);
    await Deno.mkdir(`${folder}/far`);
    await Deno.rename(`${folder}/pictures`, `${folder}/far/away`);
    const rest = await train(folder, [...at("far/away"), ...steps(4), "--out", "part", "--resume"]);
    assert.equal(rest.code, 0, rest.stderr);
    assert.match(
      rest.stderr,
      /note: the pictures of pictures are in far\/away now: names and sizes are the same\n/,
    );
    await assertSameFile(folder, "whole/teacher.safetensors", "part/teacher.safetensors");
    assert.match(await Deno.readTextFile(`${folder}/part/config.yaml`), /path: "?far\/away"?\n/);

    await Deno.rename(`${folder}/far/away`, `${folder}/pictures`);
    await put(folder, "pictures/odd/1.png", plain(9, 9, [1, 2, 3]));
    const other = await train(folder, [
      ...at("pictures"),
      ...steps(5),
      "--out",
      "part",
      "--resume",
    ]);
    assert.equal(other.code, 1);
    assert.match(errorOf(other), /data\.path: "pictures" instead of "far\/away"/);
    await Deno.rename(`${folder}/pictures`, `${folder}/far/away`);
    const same = await train(folder, [...at("far/away"), ...steps(5), "--out", "part", "--resume"]);
    assert.match(errorOf(same), /files were added, removed or changed since/);
  },
);

runTest(
  "train counts what it leaves out once, for the record, the report and evaluate",
  async (folder, small) => {
    const flipped = plain(30, 30, [7, 8, 9]);
    flipped[flipped.length - 20] ^= 1;
    await put(folder, "pictures/even/empty.jpg", new Uint8Array());
    await put(folder, "pictures/even/text.png", new TextEncoder().encode("I was renamed"));
    await put(folder, "pictures/odd/flipped.png", flipped);
    await put(folder, "pictures/odd/cut.jpg", jpeg.subarray(0, jpeg.length / 2));
    for (const [n, more] of [[2, []], [4, ["--resume"]]] as const) {
      const run = await train(folder, [...small, ...steps(n), "--out", "run", ...more]);
      assert.equal(run.code, 0, run.stderr);
      assert.match(
        run.stderr,
        /left out: 4 files in all, 2 of them damaged pictures .*run\/skipped\.jsonl\n/,
      );
      const rows = await rowsOf(`${folder}/run/skipped.jsonl`);
      assert.deepEqual(rows.map(({ late }) => !!late).sort(), [false, false, true, true]);
      const { parts } = JSON.parse(await Deno.readTextFile(`${folder}/run/run.json`));
      const { pictures, skipped, damaged } = parts.at(-1).data;
      assert.deepEqual({ pictures, skipped, damaged }, { pictures: 10, skipped: 4, damaged: 2 });
    }
    assert.match(await Deno.readTextFile(`${folder}/run/report.html`), /4 files/);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", path("scripts/evaluate.ts"), "run"],
      cwd: folder,
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(HANG_MS),
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.match(said, /8 pictures of /);
    assert.match(said, /4 files of .* could not be used/);
  },
);

runTest(
  "train --resume says which kept files are damaged, and makes up for them",
  async (folder, small) => {
    const args = [
      ...small,
      ...flags({
        "evaluation.every_n_epochs": 1,
        "checkpoint.save_every_n_epochs": 1,
        "checkpoint.keep_last_n": 4,
      }),
      "--out",
      "run",
    ];
    const first = await train(folder, [...args, ...steps(4)]);
    assert.equal(first.code, 0, first.stderr);
    const best = `${folder}/run/best.safetensors`;
    assert.equal((await loadCheckpoint(best)).step, 2);
    const bytes = await Deno.readFile(best);
    bytes[bytes.length >> 1] ^= 1;
    await Deno.writeFile(best, bytes);
    await Deno.writeTextFile(`${folder}/run/run.json`, '{"parts": 7}');
    await Deno.writeTextFile(`${folder}/run/kernels.json`, "");
    await Deno.writeTextFile(`${folder}/run/skipped.jsonl`, "[]\n");

    if (Deno.build.os !== "windows") { // it can be looked at, but would be waited for
      await Deno.rename(`${folder}/run/metrics.jsonl`, `${folder}/metrics`);
      await new Deno.Command("mkfifo", { args: [`${folder}/run/metrics.jsonl`] }).output();
      const waits = await train(folder, [...args, ...steps(6), "--resume"]);
      assert.equal(waits.code, 1, waits.stderr);
      assert.match(
        errorOf(waits),
        /Expected a file at run\/metrics\.jsonl.* found a device, pipe or socket/,
      );
      await Deno.rename(`${folder}/metrics`, `${folder}/run/metrics.jsonl`);
    }

    const rest = await train(folder, [...args, ...steps(6), "--resume"]);
    assert.equal(rest.code, 0, rest.stderr);
    for (const name of ["run.json", "kernels.json", "skipped.jsonl"]) {
      assert.match(rest.stderr, new RegExp(`warning: run/${name.replace(".", "\\.")} is damaged`));
    }
    assert.match(rest.stderr, /warning: .*best\.safetensors.*step 2 takes its place/);
    const { parts } = JSON.parse(await Deno.readTextFile(`${folder}/run/run.json`));
    assert.equal(parts.length, 1);
    const { step, extra } = await loadCheckpoint(best);
    assert.equal(step, (extra!.best as { step: number }).step);
    assert.deepEqual((await rowsOf(`${folder}/run/metrics.jsonl`)).map(({ step }) => step), [
      1,
      2,
      3,
      4,
      5,
      6,
    ]);
  },
);

const quiet = new Progress({ isTerminal: () => false, writeSync: (bytes) => bytes.length });

folderTest("Pictures lists a file once however many starts find it", async (folder) => {
  await put(folder, "set/good.png", plain(4, 4, [1, 2, 3]));
  await put(folder, "set/empty.png", new Uint8Array());
  const defaults = configDefaults();
  const config = {
    ...defaults,
    data: { ...defaults.data, dataset: "folder" as const, path: `${folder}/set` },
  };
  const pictures = await Pictures.open(config, quiet);
  const { skipped } = pictures.dataset;
  const files = new SideFiles(folder, { say: (message) => assert.fail(message) });
  const late = (file: string) => ({ file, reason: "damaged", late: true as const });
  const before = [
    { file: "gone.png", reason: "empty" },
    late("a.png"),
    late("b.png"),
    late("a.png"),
  ];
  await pictures.keep(files, before);
  const listed = async () =>
    (await rowsOf(`${folder}/skipped.jsonl`)).map(({ file }) => file.split("/").at(-1));
  assert.deepEqual(await listed(), ["empty.png", "a.png", "b.png", "a.png"]);
  for (const file of ["a.png", "c.png", "a.png", "a.png"]) {
    skipped.push({ file, reason: "damaged" });
  }
  pictures.nameSkipped();
  await files.close();
  assert.deepEqual(await listed(), ["empty.png", "a.png", "b.png", "a.png", "c.png", "a.png"]);
  assert.deepEqual(pictures.leftOut, { skipped: 6, damaged: 5 });
  pictures.dataset.close?.();
}, ["env"]);

Deno.test("earlierPictures() needs a fingerprint of the set's own, and finds rows where they are now", () => {
  const config = configDefaults();
  const to = { ...config, data: { ...config.data, path: "new/place" } };
  const before = { config: { data: { path: "old" } }, extra: { data: "abc" } };
  const rows = [{ file: "old/a/1.png", reason: "" }, { file: "/else/2.png", reason: "" }];
  const dataset = { fingerprint: () => Promise.resolve("abc") } as unknown as Dataset;
  const found = earlierPictures({ dataset, fingerprint: "abc" }, { config: to, before, rows });
  assert.equal(found.moved, true);
  assert.deepEqual(found.rows.map(({ file }) => file), ["new/place/a/1.png", "/else/2.png"]);
  for (const [set, fingerprint] of [[dataset, "abd"], [{} as Dataset, "abc"]] as const) {
    const other = earlierPictures({ dataset: set, fingerprint }, { config: to, before, rows });
    assert.deepEqual(other, { moved: false, rows });
  }
});
