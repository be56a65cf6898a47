import assert from "node:assert/strict";
import { openFiles } from "../../lib/data/file_dataset.ts";
import { listPictures } from "../../lib/data/files.ts";
import { datasetFingerprint } from "../../lib/data/fingerprint.ts";
import { openFolder } from "../../lib/data/folder.ts";
import { OWN_PNG } from "../../lib/data/formats/png.ts";
import { leftOutLines, sortLeftOut } from "../../lib/data/left_out.ts";
import { holdsRun } from "../../lib/data/never_data.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { text } from "./damage/files.ts";
import { chunk, concat, indexTest, plain, put } from "./support.ts";

const grey = plain(3, 2, [9, 9, 9]);
const OWN = concat([
  grey.subarray(0, 33),
  chunk("tEXt", text(`${OWN_PNG.slice(4)} look`)),
  grey.subarray(33),
]);
const record = (parts: unknown) => text(JSON.stringify({ parts }));
const RUN = record([{ started: "2026-01-01T00:00:00.000Z", command: [], step: 0 }]);

const idsOf = async (folder: string) => (await listPictures(folder)).files.map(({ id }) => id);

indexTest("listPictures() leaves out what systems keep among pictures", async (folder) => {
  await put(folder, "a/1.png", grey);
  const names = ["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX"];
  for (const name of [...names, "node_modules", "lost+found"]) {
    await put(folder, `a/${name}/deep/1.png`, grey);
  }
  for (const name of ["a/._1.png", ".Trash-1000/files/2.png", ".thumbnails/3.png", ".git/4.png"]) {
    await put(folder, name, grey);
  }
  await put(folder, "a/Thumbs.db", grey);
  await put(folder, ".DS_Store", grey);
  if (Deno.build.os !== "windows") await Deno.symlink(`${folder}/a/@eaDir`, `${folder}/linked`);
  const { files, skipped } = await listPictures(folder);
  assert.deepEqual(files.map(({ id }) => id), ["a/1.png"]);
  assert.equal(skipped.length, Deno.build.os === "windows" ? 7 : 8);
  const { damaged, never, notes } = sortLeftOut(skipped);
  assert.deepEqual([damaged, never.length, notes.length], [[], skipped.length, 1]);
  assert.match(notes[0], /^left out as never data: .*bin of Windows \(.*\/a\/\$RECYCLE\.BIN\)/);
  // Good where somebody names it.
  assert.deepEqual(await idsOf(`${folder}/a/node_modules`), ["deep/1.png"]);
  for (const within of ["a/@eaDir", "a/@eaDir/deep", ".Trash-1000/files", ".git"]) {
    await assert.rejects(listPictures(`${folder}/${within}`), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, /to learn from at ".*" but .* holds .*: set data\.path to/);
      return true;
    });
  }
});

indexTest("listPictures() tells a run's pictures from people's", async (folder) => {
  await put(folder, "a/1.png", grey);
  const before = await datasetFingerprint(await openFolder(folder));
  await put(folder, "runs/x/run.json", RUN);
  await put(folder, "runs/x/attention/step-00000000.png", grey);
  await put(folder, "runs/x/curves/loss.png", grey);
  await put(folder, "runs/x/look/pca/sheet.png", grey);
  await put(folder, "runs/x/seen/sheet.png", OWN); // by its contents, wherever it lies
  await put(folder, "sheet.png", OWN);
  assert.deepEqual(await idsOf(folder), ["a/1.png"]);
  assert.equal(await datasetFingerprint(await openFolder(folder)), before);
  const { notes, damaged } = sortLeftOut((await listPictures(folder)).skipped);
  assert.deepEqual(damaged, []);
  assert.match(notes[0], /3 × pictures of a run \(.*2 × pictures that Hatchling wrote \(/);
  // A folder in which somebody trains is no run's own: --out may be the folder above the pictures.
  await put(folder, "runs/x/photos/1.png", grey);
  assert.deepEqual(await idsOf(folder), ["a/1.png", "runs/x/photos/1.png"]);
  assert.deepEqual(await idsOf(`${folder}/runs/x`), ["photos/1.png"]);
  await assert.rejects(idsOf(`${folder}/runs/x/attention`), /holds pictures of a run/);
  await assert.rejects(idsOf(`${folder}/runs/x/look/pca`), /holds pictures of a run/);
  await Deno.remove(`${folder}/runs/x/photos`, { recursive: true });
  await assert.rejects(
    openFolder(`${folder}/runs`),
    /none \(4 left out, .*\n {2}left out as never/,
  );
  // Only the record of a run makes one.
  for (const other of [text("{}"), text("no JSON"), record([]), record([{ step: 1 }]), grey]) {
    await put(folder, "other/run.json", other);
    assert.equal(holdsRun(`${folder}/other`), false);
  }
  await put(folder, "other/attention/1.png", grey);
  assert.deepEqual(await idsOf(folder), ["a/1.png", "other/attention/1.png"]);
});

indexTest("a picture that Hatchling wrote is good where somebody names it", async (folder) => {
  const path = await put(folder, "sheet.png", OWN);
  const named = await openFiles("one", [{ id: "sheet", path }]);
  assert.equal(named.length, 1);
  assert.equal((await named.picture(0)).width, 3);
  named.close();
});

indexTest("the index knows pictures that Hatchling wrote", async (folder) => {
  for (let i = 0; i < 300; i++) await put(folder, `${i}.png`, i % 2 ? grey : OWN);
  const old = new Date(Date.now() - 10_000);
  for (let i = 0; i < 300; i++) await Deno.utime(`${folder}/${i}.png`, old, old);
  const first = await idsOf(folder);
  assert.equal(first.length, 150);
  assert.deepEqual(await idsOf(folder), first);
});

indexTest(
  "other formats are told in one line, with the command that converts them",
  async (folder) => {
    await put(folder, "a/1.png", grey);
    const names = [
      "IMG_1.HEIC",
      "IMG_2.HEIC",
      "b.heic",
      "c.tif",
      "d.bmp",
      "e.NEF",
      "f.psd",
      "g.avif",
    ];
    for (const name of names) await put(folder, `a/${name}`, text("anything"));
    await put(folder, "a/really.jpg", text("\0\0\0\x18ftypheic"));
    await put(folder, "a/cut.png", grey.subarray(0, 20));
    const { files, skipped } = await listPictures(folder);
    assert.equal(files.length, 1);
    const { damaged, foreign, notes } = sortLeftOut(skipped);
    assert.deepEqual([damaged.length, foreign.length, notes.length], [1, 9, 1]);
    assert.match(notes[0], /^left out: 9 pictures in formats that are not read \(.*4 HEIC/);
    assert.match(notes[0], /1 TIFF/);
    assert.match(
      notes[0],
      /`magick mogrify -format jpg \*\.HEIC`, or on macOS `sips -s format jpeg/,
    );
    assert.match(notes[0], /`magick mogrify -format png \*\.tif`/);
    assert.match(notes[0], /`darktable-cli ONE\.NEF ONE\.jpg`/);
    assert.deepEqual(leftOutLines(skipped).map((line) => line.slice(0, 12)), [
      "1 file left ",
      `  ${folder}`.slice(0, 12),
      "note: left o",
    ]);
  },
);
