/** scripts/export.ts as users start it. */
import assert from "node:assert/strict";
import { putRun, TOY } from "../export/support.ts";
import { errorOf } from "../support/runs.ts";
import { folderTest } from "../support/permissions.ts";
import { script } from "../support/scripts.ts";

const RUN = ["run", "env"] as const;

async function filesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    found.push(
      ...(isDirectory ? (await filesIn(`${folder}/${name}`)).map((x) => `${name}/${x}`) : [name]),
    );
  }
  return found.sort();
}

folderTest("export writes below the run, and says how its files are loaded", async (folder) => {
  await putRun(`${folder}/run`, TOY);
  const run = async (...args: string[]) => {
    const said = await script("export", folder, ["run", ...args]);
    assert.equal(said.code, 0, said.stderr);
    return said;
  };
  const timm = await run("--to", "safetensors");
  assert.match(timm.stdout, /^run\/export\/timm\/model\.safetensors: [\d.]+ KiB$/m);
  assert.match(
    timm.stdout,
    /^ {2}model = timm\.create_model\("vit_base_patch8_224", num_classes=0, img_size=32/m,
  );
  assert.match(timm.stdout, /load_file\("run\/export\/timm\/model\.safetensors"\), strict=True\)/);
  await run("--to", "safetensors", "--names", "hf", "--dtype", "bf16");
  await run("--to", "onnx", "--part", "all", "--attention", "--out", "there");
  assert.deepEqual(await filesIn(`${folder}/run/export`), [
    "hf/config.json",
    "hf/model.safetensors",
    "hf/preprocessor_config.json",
    "timm/config.json",
    "timm/model.safetensors",
  ]);
  assert.deepEqual(await filesIn(`${folder}/there`), [
    "config.json",
    "onnx/head.onnx",
    "onnx/model.onnx",
    "preprocessor_config.json",
  ]);
  const config = JSON.parse(await Deno.readTextFile(`${folder}/run/export/hf/config.json`));
  assert.equal(config.torch_dtype, "bfloat16");
  // A file alone; its own earlier ones are replaced, those of others are not.
  const alone = await run("--to", "onnx", "--out", "alone.onnx");
  assert.match(alone.stdout, /InferenceSession\("alone\.onnx"\)$/m);
  await run("--to", "onnx", "--part", "all", "--out", "there");
  await Deno.writeTextFile(`${folder}/there/config.json`, "{}");
  const refused = await script("export", folder, ["run", "--to", "onnx", "--out", "there"]);
  assert.equal(refused.code, 1);
  assert.match(
    errorOf(refused),
    /^error: Cannot write there\/config\.json: a file that this command did not make is there: choose another --out, or add --overwrite/,
  );
  assert.equal(await Deno.readTextFile(`${folder}/there/config.json`), "{}");
  await run("--to", "onnx", "--out", "there", "--overwrite");
}, RUN);

folderTest("export refuses at once what does not go together", async (folder) => {
  await putRun(`${folder}/run`, TOY);
  const cases: [args: string[], error: RegExp][] = [
    [["run"], /required option '--to <format>'/],
    [["run", "--to", "onnx", "--dtype", "bf16"], /--to onnx with --dtype bf16: .* take f16 or f32/],
    [["run", "--to", "safetensors", "--attention"], /--attention with --to safetensors/],
    [
      ["run", "--to", "safetensors", "--part", "head"],
      /--part head with --names timm: .* take --names fb/,
    ],
    [
      ["run", "--to", "onnx", "--out", "a.safetensors"],
      /found a\.safetensors: --to onnx writes no such file/,
    ],
    [
      ["run", "--to", "onnx", "--part", "all", "--out", "a.onnx"],
      /backbone and head are two files/,
    ],
    [
      ["run", "--to", "safetensors", "--names", "hf", "--out", "a.safetensors"],
      /from_pretrained reads a folder/,
    ],
    [
      ["run/teacher.safetensors", "--to", "safetensors", "--out", "run/teacher.safetensors"],
      /Cannot write run\/teacher\.safetensors: this command reads that file/,
    ],
    [["nothing", "--to", "onnx"], /nothing/],
  ];
  const results = await Promise.all(cases.map(([args]) => script("export", folder, args)));
  for (const [i, [args, error]] of cases.entries()) {
    assert.equal(results[i].code, 1, args.join(" "));
    assert.match(results[i].stderr, error);
  }
  assert.deepEqual(await filesIn(folder), ["run/config.yaml", "run/teacher.safetensors"]);
}, RUN);
