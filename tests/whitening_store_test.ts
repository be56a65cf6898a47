import assert from "node:assert/strict";
import { fitWhitening } from "../lib/eval/whiten.ts";
import { storedWhitening, storeWhitening } from "../lib/open_model/whitening.ts";
import { whiteningFile } from "../lib/open_model/whitening_file.ts";
import { runFiles } from "../lib/run/written.ts";
import { folderTest } from "./support/permissions.ts";
import { normals } from "./support/numbers.ts";

const whitening = fitWhitening({ data: normals(60, 1), shape: [20, 3] });
const of = { feature: "class+mean", model: "ab12" };

Deno.test("a whitening has a file for each feature", () => {
  assert.equal(whiteningFile("grid"), "whitening-grid.safetensors");
  assert.equal(whiteningFile("class+mean"), "whitening-class+mean.safetensors");
  assert.equal(
    whiteningFile("class, mean of last 4 blocks"),
    "whitening-class-mean-of-last-4-blocks.safetensors",
  );
});

folderTest(
  "a whitening is one of a run's files, and found beside its result alone",
  async (folder) => {
    const teacher = `${folder}/teacher.safetensors`, student = `${folder}/student.safetensors`;
    assert.equal(await storedWhitening(teacher, of), undefined);
    const path = await storeWhitening(folder, whitening, of);
    assert.deepEqual(await runFiles(folder), ["whitening-class+mean.safetensors"]);
    for (const file of [teacher, student, `${folder}/other.safetensors`]) {
      assert.deepEqual(await storedWhitening(file, of), { whitening, path });
    }
    for (const file of ["checkpoint-00000100.safetensors", "best.safetensors"]) {
      assert.equal(await storedWhitening(`${folder}/${file}`, of), undefined);
    }
    await Deno.writeTextFile(teacher, ""); // the run has a teacher: its student is not its result
    assert.equal(await storedWhitening(student, of), undefined);
    assert.equal(await storedWhitening(teacher, { ...of, feature: "grid" }), undefined);
  },
);

folderTest(
  "a whitening of other weights or of another feature is refused, with what to do",
  async (folder) => {
    const teacher = `${folder}/teacher.safetensors`;
    const path = await storeWhitening(folder, whitening, of);
    await assert.rejects(
      storedWhitening(teacher, { ...of, model: "cd34" }),
      /to be fitted to the feature class\+mean of .* but it was fitted to other weights.*: deno task evaluate/,
    );
    await Deno.rename(path, `${folder}/${whiteningFile("grid")}`);
    await assert.rejects(
      storedWhitening(teacher, { ...of, feature: "grid" }),
      /but it was fitted to the feature class\+mean: deno task evaluate .*; or delete it/,
    );
    await Deno.truncate(`${folder}/${whiteningFile("grid")}`, 100);
    await assert.rejects(storedWhitening(teacher, { ...of, feature: "grid" }), /grid\.safetensors/);
  },
);
