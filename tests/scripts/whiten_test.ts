/** Whitened features from training to search, as users start the commands. */
import assert from "node:assert/strict";
import { whitenedName } from "../../lib/eval/readout.ts";
import { whiteningScale } from "../../lib/eval/whiten.ts";
import { decodeWhitening } from "../../lib/eval/whitening_file.ts";
import type { Figure } from "../../lib/eval/figures.ts";
import { assertClose, matmulF64 } from "../support/numbers.ts";
import { errorOf, flags, runTest, train } from "../support/runs.ts";
import { script } from "../support/scripts.ts";

interface Row {
  id: string;
  readout: string;
  feature: number[];
}

runTest("a run stores its whitening; embed, search and look use it, or fit one and say so", async (
  folder,
  small,
) => {
  const run = await train(folder, [
    ...small,
    ...flags({ "training.max_steps": 2, "model.feature": "quad", "evaluation.knn_k": 3 }),
    "--out",
    "run",
  ]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /^best readout here \(of 2\): quad, (plain|whitened): /m);
  const figures: Figure[] = JSON.parse(await Deno.readTextFile(`${folder}/run/evaluation.json`));
  const encoders = [...new Set(figures.map(({ encoder }) => encoder))];
  const [teacher, untrained, pixels] = ["teacher (quad)", "random init (quad)", "raw pixels"];
  assert.deepEqual(
    encoders,
    [teacher, whitenedName(teacher), untrained, pixels, whitenedName(pixels)],
  );
  const report = await Deno.readTextFile(`${folder}/run/report.html`);
  assert.match(report, /best readout here \(of 2\): quad, /);

  const path = "run/whitening-quad.safetensors";
  const { whitening, of } = decodeWhitening(await Deno.readFile(`${folder}/${path}`), path);
  assert.equal(of.feature, "quad");
  assert.equal(whitening.rows, 8);

  const embed = async (
    out: string,
    ...more: string[]
  ): Promise<{ rows: Row[]; stderr: string }> => {
    const args = ["pictures", "--weights", "run", "--out", out, "--overwrite", ...more];
    const { code, stderr } = await script("embed", folder, args);
    assert.equal(code, 0, stderr);
    const lines = (await Deno.readTextFile(`${folder}/${out}`)).trim().split("\n");
    return { rows: lines.map((line) => JSON.parse(line)), stderr };
  };
  const env = { HATCHLING_CACHE: `${folder}/cache` };
  const search = async (...more: string[]) => {
    const args = ["pictures", "pictures/even/0.png", "--weights", "run", "-k", "7", "--json"];
    const { code, stdout, stderr } = await script("search", folder, [...args, ...more], env);
    assert.equal(code, 0, stderr);
    return { ...JSON.parse(stdout), stderr };
  };
  const checkpoint = ["--checkpoint", "checkpoint-00000002.safetensors"];
  const [raw, stored, other, fitted, found, look] = await Promise.all([
    embed("raw.jsonl", "--no-whiten"),
    embed("stored.jsonl", "--whiten"),
    embed("alpha.jsonl", "--whiten", "--whiten-alpha", "0.5"),
    embed("fitted.jsonl", "--evaluation.whiten", "true", ...checkpoint),
    search("--whiten"),
    script("look", folder, ["neighbours", "run", "--whiten", "-k", "2"]),
  ]);

  // As the file says, which any program reads.
  const dim = whitening.mean.length, k = whitening.variance.length;
  const expected = (alpha: number) => {
    const scale = whiteningScale({ ...whitening, alpha });
    const x = raw.rows.flatMap(({ feature }) =>
      feature.map((value, d) => value - whitening.mean[d])
    );
    return matmulF64(x, whitening.components, [x.length / dim, dim, k], false, true)
      .map((value, i) => value * scale[i % k]);
  };
  const all = (rows: Row[]) => rows.flatMap(({ feature }) => feature);
  assertClose(all(stored.rows), expected(1), 1e-4);
  assertClose(all(other.rows), expected(0.5), 1e-4);
  assert.match(
    stored.stderr,
    /note: whitened by run\/whitening-quad\.safetensors, fitted to 8 pic/,
  );
  assert.deepEqual([raw.rows[0].readout, stored.rows[0].readout], ["quad", "quad, whitened"]);
  // A state on the way has none stored: the same weights, fitted to the same pictures.
  assert.match(fitted.stderr, /note: whitened by a fit to 8 pictures at hand, as none is stored/);
  assertClose(all(fitted.rows), all(stored.rows), 1e-3);

  // Cosines of what embed writes.
  const vectors = new Map(stored.rows.map(({ id, feature }) => {
    const norm = Math.hypot(...feature);
    return [`pictures/${id}`, feature.map((x) => x / norm)];
  }));
  const own = vectors.get("pictures/even/0.png")!;
  for (const { path, similarity } of found.results[0].found) {
    const cosine = vectors.get(path)!.reduce((sum, x, i) => sum + x * own[i], 0);
    assert.ok(Math.abs(cosine - similarity) < 1e-4, `${path}: ${similarity} is not ${cosine}`);
  }
  assert.deepEqual([found.features, found.encoded], ["quad, whitened", 8]);
  assert.match(found.stderr, /note: whitened by run\/whitening-quad/);
  assert.equal(look.code, 0, look.stderr);
  const page = await Deno.readTextFile(`${folder}/run/look/neighbours/neighbours.html`);
  assert.match(page, /features \(quad, whitened\)/);

  // Without a stored one, what is fitted to a folder is kept.
  const asked = ["--whiten-alpha", "0.3", "--whiten", ...checkpoint];
  const first = await search(...asked);
  assert.match(first.stderr, /note: whitened by a fit to 8 pictures at hand/);
  const names = [...Deno.readDirSync(`${folder}/cache/search`)].map(({ name }) => name);
  const kept = `${folder}/cache/search/${names.find((name) => name.startsWith("whitening-"))}`;
  const { mtime } = await Deno.stat(kept);
  const again = await search(...asked);
  assert.deepEqual([first.encoded, again.encoded], [8, 0]);
  assert.deepEqual(again.results, first.results);
  assert.deepEqual((await Deno.stat(kept)).mtime, mtime, "it is not fitted again");

  await Deno.rename(`${folder}/${path}`, `${folder}/run/whitening-class.safetensors`);
  const refused = await script("embed", folder, [
    ...["pictures", "--weights", "run", "--out", "no.npy", "--feature", "class", "--whiten"],
  ]);
  assert.equal(refused.code, 1);
  assert.match(
    errorOf(refused),
    /to be fitted to the feature class .* to the feature quad: deno task/,
  );
  const copies = await script("search", folder, ["pictures", "--duplicates", "--whiten"], env);
  assert.match(errorOf(copies), /Expected no --whiten beside --duplicates/);
});
