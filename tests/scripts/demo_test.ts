/** Parts of the demo page that need no browser. */
import assert from "node:assert/strict";
import { packSet } from "../../scripts/demo/emoji_file.ts";
import { sortFiles } from "../../scripts/demo/page/drops.ts";
import { type Circumstances, speedOf } from "../../scripts/demo/page/pause_rule.ts";
import { remediesFor } from "../../scripts/demo/page/webgpu_help.ts";
import { answer } from "../../scripts/demo/serve.ts";
import { Pictures } from "../../scripts/demo/worker/pictures.ts";
import { TabRun } from "../../scripts/demo/worker/training.ts";
import { Turns } from "../../scripts/demo/worker/turns.ts";
import { inMemory } from "../../lib/data/in_memory.ts";
import { parseConfig } from "../../lib/config.ts";
import { shortRun } from "../../lib/preset.ts";
import { plain } from "../data/support.ts";
import { gpuTest } from "../support/gpu.ts";
import { folderTest, permissionTest } from "../support/permissions.ts";

Deno.test("a run rests while nobody looks or the battery is low, and says why", () => {
  const usual: Circumstances = { wanted: true, hidden: false, evenHidden: false };
  const battery = (level: number, charging = false) => ({ ...usual, battery: { level, charging } });
  assert.deepEqual(speedOf(usual), { speed: "run" });
  assert.deepEqual(speedOf({ ...usual, wanted: false }), { speed: "pause" });
  assert.match(speedOf({ ...usual, hidden: true }).why!, /hidden/);
  assert.equal(speedOf({ ...usual, hidden: true, evenHidden: true }).speed, "run");
  assert.equal(speedOf(battery(0.1, true)).speed, "run");
  assert.equal(speedOf(battery(0.5)).speed, "slow");
  const low = speedOf(battery(0.19));
  assert.equal(low.speed, "pause");
  assert.match(low.why!, /19 %/);
});

Deno.test("who has no WebGPU is told about his own browser first", () => {
  const firsts = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": /^Firefox/,
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36":
      /^Chrome and Edge on Linux/,
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0":
      /^Chrome and Edge have/,
    "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15": /^Safari/,
  };
  for (const [agent, first] of Object.entries(firsts)) {
    const all = remediesFor(agent);
    assert.match(all[0], first);
    assert.equal(new Set(all).size, 5);
    assert.match(all.at(-1)!, /https/);
  }
});

Deno.test("of what is dropped weights come before pictures", () => {
  const file = (name: string, type = "") => ({ name, file: new Blob([], { type }) });
  const run = ["run/teacher.safetensors", "run/config.yaml", "run/attention/step-00000001.png"];
  const { weights, pictures } = sortFiles(run.map((name) => file(name)));
  assert.deepEqual(weights.map(({ name }) => name), run.slice(0, 2));
  assert.deepEqual(pictures, []);
  const photos = [
    file("a/b.JPG"),
    file("a/.hidden.jpg"),
    file("a/c", "image/heic"),
    file("a/d.txt"),
  ];
  const found = sortFiles(photos);
  assert.deepEqual(found.pictures.map(({ name }) => name), ["a/b.JPG", "a/c"]);
  assert.equal(found.others, 2);
});

Deno.test("work takes turns, whether what was before went well or not", async () => {
  const turns = new Turns(), done: string[] = [];
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const bad = turns.take(async () => {
    await wait(5);
    done.push("bad");
    throw new Error("bad");
  });
  const good = turns.take(() => Promise.resolve(done.push("good")));
  await assert.rejects(bad, /bad/);
  await good;
  assert.deepEqual(done, ["bad", "good"]);
});

Deno.test("packed pictures unpack to the same", async () => {
  const data = (i: number) =>
    Uint8Array.from({ length: 16 }, (_, at) => at % 4 === 3 ? 255 : i + at);
  const pictures = [1, 100].map((i) => ({ width: 2, height: 2, data: data(i) }));
  const { json, bin } = await packSet(inMemory("two", 3, pictures, (i) => `p${i}`), 2);
  assert.deepEqual(json, { name: "two", ids: ["p0", "p1"], side: 2 });
  const stream = new Blob([bin]).stream().pipeThrough(new DecompressionStream("gzip"));
  const rgb = new Uint8Array(await new Response(stream).arrayBuffer());
  const expected = pictures.flatMap(({ data }) => [...data].filter((_, at) => at % 4 !== 3));
  assert.deepEqual([...rgb], expected);
});

folderTest("the page's server gives files of its folder alone", async (folder) => {
  await Deno.mkdir(`${folder}/site`);
  await Deno.writeTextFile(`${folder}/site/index.html`, "hello");
  await Deno.writeTextFile(`${folder}/secret.txt`, "secret");
  const get = (path: string, method = "GET") => {
    return answer(`${folder}/site`, new Request(`http://127.0.0.1${path}`, { method }));
  };
  const page = await get("/");
  assert.equal(await page.text(), "hello");
  assert.match(page.headers.get("content-security-policy")!, /^default-src 'none'/);
  for (const path of ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/none", "/%"]) {
    assert.notEqual((await get(path)).status, 200, path);
  }
  assert.equal((await get("/", "POST")).status, 405);
});

const TINY = `
augmentation: { global_crop_size: 16, local_crop_size: 8, num_local_views: 1 }
model: { backbone: custom, patch_size: 8, dim: 8, depth: 1, heads: 2, projection_output_dim: 16 }
data: { batch_size: 2 }
scheduler: { warmup_epochs: 0 }
training: { freeze_last_layer: 0, num_epochs: 2 }`;

gpuTest("a run of the page says what it is, and that so few steps teach nothing", async (gpu) => {
  const picture = { width: 16, height: 16, data: new Uint8Array(1024).fill(99) };
  const rows = [picture, picture, picture];
  const run = await TabRun.begin(gpu, {
    ...{ yaml: TINY, code: { version: "test" }, path: "pictures" },
    pictures: () => Promise.resolve(inMemory("this tab", 3, rows, String)),
  });
  try {
    const { total, words, notes } = run.facts();
    assert.equal(total, 2);
    assert.match(words, /^DINO on 3 pictures from this tab; /);
    const expected = shortRun(parseConfig(TINY), 3)!;
    assert.match(expected, /^2 steps are few: .*training\.num_epochs/);
    assert.ok(notes.includes(expected), notes.join("\n"));
  } finally {
    run.destroy();
  }
});

// The decoder of PNG is loaded as it is needed.
permissionTest(["read", "env"], "pictures added one by one are those of this tab", async () => {
  const pictures = new Pictures();
  for (const name of ["a.png", "b.png"]) {
    const file = new Blob([plain(8, 8, [1, 2, 3]) as Uint8Array<ArrayBuffer>]);
    (await pictures.addFile({ name, file })).thumbnail.close();
  }
  const { name, length } = await pictures.folder({ maxPixels: 2 ** 18, channels: 3 });
  assert.deepEqual([name, length], ["this tab", 2]);
});
