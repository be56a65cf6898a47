import assert from "node:assert/strict";
import { DamagedFileError, HatchlingError } from "../../lib/errors.ts";
import { float32Tensor, serializeSafetensors } from "../../lib/io/safetensors.ts";
import { openWeightsFile } from "../../lib/io/weights_file.ts";
import { folderTest } from "../support/permissions.ts";
import { archive, dict, tensor } from "../support/pytorch_files.ts";

const shard = (...names: string[]) =>
  serializeSafetensors(
    new Map(names.map((name) => [name, float32Tensor(Float32Array.of(name.charCodeAt(0)), [1])])),
  );

const A = "model-00001-of-00002.safetensors", B = "model-00002-of-00002.safetensors";

/** A folder as Hugging Face has it, with two shards. */
async function write(folder: string, index: unknown): Promise<string> {
  await Deno.writeFile(`${folder}/${A}`, shard("a", "b"));
  await Deno.writeFile(`${folder}/${B}`, shard("c", "unlisted"));
  const path = `${folder}/model.safetensors.index.json`;
  await Deno.writeTextFile(path, typeof index === "string" ? index : JSON.stringify(index));
  return path;
}

const MAP = { c: B, a: A, b: A };

folderTest("shards are one file, by their index or by the folder", async (folder) => {
  const path = await write(folder, { metadata: { total_size: 12, x: {} }, weight_map: MAP });
  await Deno.writeTextFile(`${folder}/config.json`, `{"model_type":"dinov2","nested":{"a":[[1]]}}`);
  for (const from of [path, folder]) {
    using file = await openWeightsFile(from);
    assert.deepEqual([...file.entries.keys()], ["c", "a", "b"]);
    for (const name of ["a", "b", "c"]) {
      assert.deepEqual([...(await file.read(name)).data], [name.charCodeAt(0)]);
    }
    assert.deepEqual({ ...file.metadata }, { total_size: "12" });
    assert.deepEqual(file.config, { model_type: "dinov2", nested: { a: [[1]] } });
    await assert.rejects(file.read("unlisted"), /Expected a tensor unlisted in .*: none there/);
  }
});

folderTest(
  "of a folder of Hugging Face the best file is taken, with its configuration",
  async (folder) => {
    await assert.rejects(openWeightsFile(folder), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(
        error.message,
        /Expected weights in the folder .* found none of model\.safetensors, /,
      );
      return true;
    });
    await Deno.writeFile(`${folder}/pytorch_model.bin`, archive(dict(["w", tensor()])));
    using bin = await openWeightsFile(folder);
    assert.deepEqual([[...bin.entries.keys()], bin.config], [["w"], undefined]);
    await Deno.writeFile(`${folder}/model.safetensors`, shard("a"));
    await Deno.writeTextFile(`${folder}/config.json`, `{"hidden_size":384}`);
    using best = await openWeightsFile(`${folder}/model.safetensors`);
    assert.deepEqual([[...best.entries.keys()], best.config], [["a"], { hidden_size: 384 }]);
    await Deno.writeFile(`${folder}/other.safetensors`, shard("b"));
    using other = await openWeightsFile(`${folder}/other.safetensors`);
    assert.equal(other.config, undefined, "a file of another name may lie anywhere");
    for (const text of ["{", "[".repeat(100), `{"a":1,"a":2}`]) {
      await Deno.writeTextFile(`${folder}/config.json`, text);
      await assert.rejects(openWeightsFile(folder), /config\.json: expected JSON but found/);
    }
  },
);

folderTest("an index with tricks, or of files that are not there, is refused", async (folder) => {
  const faults: [unknown, RegExp][] = [
    ...[
      "../x.safetensors",
      "/etc/passwd",
      "a/b.safetensors",
      "..\\x.safetensors",
      "",
      ".safetensors",
      "x.json",
      "x",
    ]
      .map((
        name,
      ): [unknown, RegExp] => [
        { weight_map: { a: name } },
        /"a": expected the name of a \.safetensors/,
      ]),
    [{ weight_map: { a: 3 } }, /but found 3/],
    [{ weight_map: { a: `${"x".repeat(100)}\n.safetensors` } }, /"a": expected the name/],
    [{ weight_map: { a: "none.safetensors" } }, /none\.safetensors: it does not exist/],
    [{ weight_map: { ...MAP, d: B } }, /lists "d" in .*00002.*, which does not hold it/],
    [{ weight_map: { a: B } }, /lists "a"/],
    [{ weight_map: {} }, /it lists no tensors/],
    [{ weight_map: [A] }, /expected weight_map/],
    [[], /expected weight_map/],
    [null, /expected weight_map/],
    ["", /expected JSON but found ""/],
    [`{"weight_map":{"a":"${A}","a":"${B}"}}`, /the key "a" twice/],
    ["[".repeat(100_000), /more than 16 brackets/],
    [
      { weight_map: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [i, `${i}.bin`])) },
      /more than 1000 files/,
    ],
  ];
  for (const [index, message] of faults) {
    await assert.rejects(openWeightsFile(await write(folder, index)), message);
  }
  const path = await write(folder, { weight_map: MAP });
  await Deno.writeFile(`${folder}/${B}`, shard("c").subarray(0, 40));
  await assert.rejects(openWeightsFile(path), DamagedFileError);
  // an index that lists itself
  await Deno.writeTextFile(`${folder}/x.bin`, "{}");
  await assert.rejects(
    openWeightsFile(await write(folder, { weight_map: { a: "x.bin" } })),
    DamagedFileError,
  );
});
