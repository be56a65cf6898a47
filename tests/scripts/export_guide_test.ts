/** What docs/guides/export.md says: its commands, what they print, the limits of its errors. */
import assert from "node:assert/strict";
import deno from "../../deno.json" with { type: "json" };
import guide from "../../docs/guides/export.md" with { type: "text" };
import onnxTest from "../export/onnx_test.ts" with { type: "text" };
import { exportModel, NAMES } from "../../lib/export/files.ts";
import { EXPORT_DTYPES } from "../../lib/export/dtype.ts";
import { decodeModel } from "../../lib/export/onnx/schema.ts";
import { loaded, putRun, TOY } from "../export/support.ts";
import { folderTest } from "../support/permissions.ts";
import { script } from "../support/scripts.ts";

/** The formatter wraps lines, so words are compared. */
const words = guide.replace(/\s+/g, " ");
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, code]) =>
    code
  );
const commands = blocks("sh").join("").split("\n")
  .map((line) => line.replace(/ +#.*/, "")).filter(Boolean);

folderTest("the guide's commands work, and print what it shows", async (folder) => {
  await putRun(`${folder}/runs/a`, TOY);
  assert.ok("export" in deno.tasks);
  assert.equal(commands.length, 4);
  const results = await Promise.all(commands.map((line) => {
    const [task, args] = [line.slice(0, 17), line.slice(17).split(" ")];
    assert.equal(task, "deno task export ");
    return script("export", folder, args);
  }));
  for (const { code, stderr } of results) assert.equal(code, 0, stderr);
  assert.equal(results[0].stdout, blocks("text")[0]);
}, ["run", "env"]);

Deno.test("the guide's limits are those of the tests, its names and types those of the command", () => {
  const [, f32, f16] = onnxTest.match(/MOST = \{ f32: (\S+), f16: (\S+) \}/)!;
  assert.ok(words.includes(`within ${f32} of Hatchling's, of the largest value, in \`f32\``));
  assert.ok(words.includes(`within ${f16} in \`f16\``));
  for (const name of NAMES) assert.match(guide, new RegExp(`^\\| \`${name}\` `, "m"));
  for (const dtype of EXPORT_DTYPES) assert.ok(words.includes(`\`${dtype}\``) || dtype === "f32");
});

Deno.test("the guide's outputs of ONNX are those of the file", () => {
  const { files } = exportModel(loaded(TOY), {
    to: "onnx",
    names: "timm",
    dtype: "f32",
    part: "backbone",
    attention: true,
  });
  const { graph } = decodeModel(files.get("onnx/model.onnx")!);
  const inFile = [...graph.input, ...graph.output].map(({ name }) => name);
  const rows = [...guide.matchAll(/^\| `(\w+)` +\| \[batch/gm)].map(([, name]) => name);
  assert.deepEqual(rows, inFile);
});
