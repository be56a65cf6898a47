/** docs/examples as a user runs them: from a folder of their own, the library imported by URL. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import features from "../docs/examples/features.ts" with { type: "text" };
import ownLoop from "../docs/examples/own_loop.ts" with { type: "text" };
import { loadWeights, parseSafetensors, serializeSafetensors, weightTensors } from "../lib/io.ts";
import { DinoModel, Parameters } from "../lib/model.ts";
import { openGpu } from "../lib/gpu.ts";
import { load } from "../lib/load.ts";
import { png } from "./data/support.ts";
import { PICTURES, writeExample } from "./support/example_run.ts";
import { assertClose } from "./support/numbers.ts";
import { permissionTest } from "./support/permissions.ts";
import { remoteTest } from "./support/remote.ts";
import { path } from "./support/runs.ts";
import { HANG_MS } from "./support/hang.ts";

const LIBRARY = '"../../mod.ts"';

Deno.test("own_loop.ts is a loop of 25 lines, its import taken as one", () => {
  const code = ownLoop.replace(/\/\*\*[^]*?\*\//, "").replace(/^import \{[^}]*\}/gm, "import {}");
  const lines = code.split("\n").filter((line) => /\S/.test(line) && !/^\s*\/\//.test(line));
  assert.ok(lines.length <= 25, `it has ${lines.length} lines`);
  assert.ok(ownLoop.includes(`from ${LIBRARY};`));
});

remoteTest(
  "own_loop.ts trains on pictures, saves what it learned, and opens it again",
  async (folder, base) => {
    mkdirSync(`${folder}/pictures`);
    for (let i = 0; i < 16; i++) {
      const [across, down] = [i % 4, Math.floor(i / 4)];
      const sample = (x: number, y: number, c: number) =>
        Math.round(127.5 * (1 + Math.sin((across * x + down * y + 2 * c) / 4)));
      writeFileSync(`${folder}/pictures/${i}.png`, png({ width: 40, height: 36, sample }));
    }
    await Deno.writeTextFile(
      `${folder}/script.ts`,
      ownLoop.replaceAll(LIBRARY, `"${base}/mod.ts"`),
    );
    const allowed = ["read", "write", "env", "sys", "ffi"].map((name) => `--allow-${name}`);
    return [...allowed, "script.ts", "pictures"];
  },
  async (printed, _, folder) => {
    const lines = printed.trim().split("\n");
    assert.equal(lines.pop(), "features [ 16, 64 ]");
    const losses = lines.map((line, step) => {
      const [number, loss] = line.split(" ").map(Number);
      assert.ok(number === step && Number.isFinite(loss), line);
      return loss;
    });
    assert.equal(losses.length, 40); // two steps in each of 20 epochs
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    const [first, last] = [mean(losses.slice(0, 5)), mean(losses.slice(-5))];
    assert.ok(last < 0.8 * first, `the loss went from ${first} to ${last}`);

    // What was saved is all of the model, and what is loaded is what was saved.
    const bytes = readFileSync(`${folder}/teacher.safetensors`);
    const saved = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    const model = new DinoModel(
      { imageSize: 32, patchSize: 8, dim: 64, depth: 2, heads: 2 },
      { outDim: 256 },
    );
    const gpu = await openGpu();
    const params = new Parameters(gpu, model.specs());
    try {
      for (const source of [`${folder}/teacher.safetensors`, saved]) {
        params.load(
          new Map(params.all.map(({ name, data }) => [name, new Float32Array(data.size)])),
        );
        assert.deepEqual(await loadWeights(source, params), { missing: [], unused: [] });
        const again = serializeSafetensors(await weightTensors(params), { format: "pt" });
        assert.deepEqual(again, saved);
      }
      const { tensors } = parseSafetensors(saved);
      assert.equal(tensors.size, params.all.length);
      assert.ok(tensors.get("cls_token")!.data.some((value) => value !== 0));
    } finally {
      params.destroy();
      gpu.destroy();
    }
  },
);

remoteTest("features.ts prints the features of pictures", async (folder, base) => {
  await writeExample(folder);
  const script = features.replaceAll('"../../lib/load.ts"', `"${base}/lib/load.ts"`);
  assert.ok(script.includes(base));
  await Deno.writeTextFile(`${folder}/script.ts`, script);
  return ["--allow-read", "--allow-env", "script.ts", "run", ...Object.keys(PICTURES)];
}, async (printed, _, folder) => {
  const found: number[][] = JSON.parse(printed);
  using model = await load(`${folder}/run`);
  const expected = await model.features(Object.values(PICTURES));
  assert.equal(found.length, expected.length);
  found.forEach((row, i) => assertClose(row, expected[i], 1e-6, `picture ${i}`));
});

const FEATURES = {
  "features.ts": "deno run -A",
  "features_node.js": "node",
  "features_bun.js": "bun",
};

permissionTest(["read"], "features of a picture are five lines, wherever the program runs", () => {
  for (const name of Object.keys(FEATURES)) {
    const code = readFileSync(new URL(`../docs/examples/${name}`, import.meta.url), "utf8")
      .replace(/\/\*\*[^]*?\*\//, "").replace(/^import .*$/gm, "")
      .replace(/^if \(!pictures\.length\) \{[^]*?^\}/m, ""); // how to call it is no part of the work
    const lines = code.split("\n").filter((line) => /\S/.test(line));
    assert.ok(lines.length <= 5, `${name} has ${lines.length} lines`);
  }
});

permissionTest(["read", "run"], "features of no pictures: the examples show the call", async () => {
  const bun = "data:text/javascript,globalThis.Bun={argv:['','',...Deno.args]}";
  for (const [name, program] of Object.entries(FEATURES)) {
    for (const args of [[], ["runs/a"]]) {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", "--preload", bun, path(`docs/examples/${name}`), ...args],
        env: { NO_COLOR: "1" },
        signal: AbortSignal.timeout(HANG_MS),
      }).output();
      assert.equal(code, 1);
      assert.equal(
        new TextDecoder().decode(stderr).trim(),
        `Expected a model and pictures: ${program} ${name} MODEL PICTURE…`,
      );
    }
  }
});
