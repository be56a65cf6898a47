/** The page of `deno task demo` in a real browser, beside Deno. Needs Chromium. */
import assert from "node:assert/strict";
import type { Page } from "puppeteer-core";
import { parseConfig, parseOverrides, stringifyConfig } from "../../lib/config.ts";
import { load } from "../../lib/load.ts";
import gray from "../data/fixtures/gray.jpg" with { type: "bytes" };
import jpeg from "../data/fixtures/progressive.jpg" with { type: "bytes" };
import { png, put } from "../data/support.ts";
import { browserTest, LIMIT, open, sees, WEBGPU } from "../support/browser.ts";
import { ask, drop, runToEnd, served, unbuildable, YAML } from "../support/demo.ts";
import { checkpoint, flags, path, pictures, SMALL, train } from "../support/runs.ts";

/** Whether a canvas shows more than one colour. */
const isDrawn = (page: Page, selector: string) =>
  page.waitForFunction(
    (selector: string) => {
      const canvas = document.querySelector<HTMLCanvasElement>(selector);
      if (!canvas?.width || canvas.hidden) return false;
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      const colors = new Set(new Uint32Array(data.buffer));
      return colors.size > 8;
    },
    { timeout: LIMIT, polling: 100 },
    selector,
  );

browserTest(
  "the page has Deno's features, and opens without a network",
  async (browser) => {
    const { out, url, close, weights } = await served();
    const sample = (x: number, y: number, c: number) => (x * 7 + y * 5 * (c + 1)) % 256;
    const files = {
      "plain.png": png({ width: 50, height: 40, sample }),
      "clear.png": png({ width: 33, height: 64, colour: 6, sample }),
      "gray.jpg": gray,
      "colours.jpg": jpeg,
    };
    for (const [name, bytes] of Object.entries(files)) {
      await put(out, `test/${name}`, bytes);
    }
    const complaints: string[] = [];
    let page: Page;
    try {
      page = await open(browser, url, complaints);
      await sees(page, "2 blocks of 24, 3 heads, patches of 8 px");
      await drop(page, `${out}/test`);
      await isDrawn(page, "#attention");
      await isDrawn(page, "#components");
      await page.focus("#attention");
      for (const key of ["ArrowLeft", "ArrowLeft", "ArrowUp"] as const) {
        await page.keyboard.press(
          key,
        );
      }
      await sees(page, "of the patch in row 7, column 7");
      await page.click("#tab-near");
      await page.waitForFunction(
        () => document.querySelectorAll(".near button").length === 4,
        { timeout: LIMIT, polling: 50 },
      );
      await page.focus("#tab-near");
      await page.keyboard.press("ArrowRight");
      await isDrawn(page, "#map-canvas");

      // The same files in a worker by itself, beside Deno's.
      const names = Object.keys(files);
      await ask(page, "open");
      const model = { name: "teacher.safetensors", url: "model/teacher.safetensors" };
      await ask(page, "load", [model, { name: "config.yaml", url: "model/config.yaml" }]);
      const { skipped } = await ask(
        page,
        "add",
        names.map((name) => ({ name, url: `test/${name}` })),
      );
      assert.deepEqual(skipped, []);
      const found: number[][] = await ask(page, "features", names.map((_, i) => i));
      using here = await load(weights, { config: YAML });
      const expected = await here.features(Object.values(files) as Uint8Array<ArrayBuffer>[]);
      for (const [i, feature] of expected.entries()) {
        const size = Math.max(...feature.map(Math.abs));
        const off = Math.max(...feature.map((value, d) => Math.abs(value - found[i][d])));
        assert.equal(found[i].length, feature.length);
        assert.ok(off <= 1e-5 * size, `${names[i]}: ${off} of ${size}`);
      }

      // The element.
      await page.goto(`${url}attention.html`);
      await page.waitForFunction(
        () => {
          const root = document.querySelector("hatchling-attention")!.shadowRoot!;
          return root.querySelector("p")!.textContent!.includes("class token") &&
            !root.querySelector("canvas")!.hidden;
        },
        { timeout: LIMIT, polling: 100 },
      );
      await page.goto(url);
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    } finally {
      await close();
    }
    await page.reload();
    await sees(page, "2 blocks of 24, 3 heads, patches of 8 px");
    assert.deepEqual(complaints, []);
  },
  { flags: WEBGPU, reason: unbuildable },
);

browserTest(
  "a run goes from the tab to Deno and back with the same losses",
  async (browser, folder) => {
    const photos = await pictures(folder);
    const settings = flags({ ...SMALL, "checkpoint.save_every_n_iters": 2 });
    const tiny = await Deno.readTextFile(path("configs/tiny.yaml"));
    const yamlOf = (steps: number) => {
      const more = flags({ "training.max_steps": steps });
      const { overrides } = parseOverrides([...settings, ...more]);
      return stringifyConfig(parseConfig(tiny, { overrides }));
    };
    const all = [...settings, ...flags({ "data.path": photos, "training.max_steps": 4 })];
    const whole = train(folder, [...all, "--out", "whole"]); // beside the build
    const { out, url, close } = await served();
    const complaints: string[] = [];
    try {
      const page = await open(browser, url, complaints);
      const files: { name: string; url: string }[] = [];
      for (const side of ["even", "odd"]) {
        for await (const { name } of Deno.readDir(`${photos}/${side}`)) {
          await put(
            out,
            `pictures/${side}/${name}`,
            await Deno.readFile(`${photos}/${side}/${name}`),
          );
          files.push({ name: `pictures/${side}/${name}`, url: `pictures/${side}/${name}` });
        }
      }
      await ask(page, "open");
      const { skipped } = await ask(page, "add", files);
      assert.deepEqual(skipped, []);
      await ask(page, "train", { config: yamlOf(2), on: "pictures" });
      const first = await runToEnd(page);
      const saved: { name: string; bytes: number[] } = await ask(page, "checkpoint");
      assert.equal(saved.name, "checkpoint-00000002.safetensors");
      await put(`${folder}/carried`, saved.name, Uint8Array.from(saved.bytes));

      const { code, stderr } = await whole;
      assert.equal(code, 0, stderr);
      const carried = await train(folder, [...all, "--out", "carried", "--resume"]);
      assert.equal(carried.code, 0, carried.stderr);
      assert.match(carried.stderr, /resuming after step 2/);

      await put(out, "deno.safetensors", await Deno.readFile(checkpoint(`${folder}/whole`, 2)));
      const from = { name: "checkpoint-00000002.safetensors", url: "deno.safetensors" };
      const facts = await ask(page, "train", { config: "", on: "pictures", checkpoint: from });
      assert.equal(facts.step, 2);
      const rest = await runToEnd(page);

      // Fewer pictures than a batch: a smaller batch, and a word on it.
      const large = flags({ "data.batch_size": 64 });
      const { overrides } = parseOverrides([...settings, ...large]);
      const config = stringifyConfig(parseConfig(tiny, { overrides }));
      const few = await ask(page, "train", { config, on: "pictures" });
      assert.equal(few.batch, 8);
      assert.ok(few.notes.some((note: string) => note.startsWith("data.batch_size 8, not 64")));

      const lossesOf = async (run: string) => {
        const text = await Deno.readTextFile(`${folder}/${run}/metrics.jsonl`);
        return text.trim().split("\n").map((line): number => JSON.parse(line).loss);
      };
      const inDeno = await lossesOf("whole");
      const inTab = [...first, ...rest].map(({ figures }) => figures.loss);
      const close = (a: readonly number[], b: readonly number[], what: string) => {
        assert.equal(a.length, b.length, what);
        a.forEach((loss, i) => {
          const off = Math.abs(loss - b[i]);
          assert.ok(off <= 1e-5 * Math.abs(b[i]), `${what}, step ${i}: ${loss} and ${b[i]}`);
        });
      };
      assert.equal(new Set(inDeno).size, 4, "losses that move");
      close(inTab, inDeno, "in the tab");
      close(await lossesOf("carried"), inDeno.slice(2), "from the tab to Deno");
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  },
  { flags: WEBGPU, reason: unbuildable },
);

browserTest("without WebGPU the page says what to switch on", async (browser) => {
  const { url, close } = await served(), complaints: string[] = [];
  try {
    const page = await open(browser, url, complaints);
    await sees(page, "This page needs WebGPU");
    await sees(page, "Chrome and Edge on Linux: open chrome://flags");
    assert.deepEqual(complaints, []);
  } finally {
    await close();
  }
}, { flags: ["--disable-features=WebGPU", "--disable-gpu"], reason: unbuildable });
