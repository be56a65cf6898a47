/** docs/examples/features_page.html with the package, as it lies in a folder: no bundler. Needs Chromium. */
import assert from "node:assert/strict";
import type { ElementHandle } from "puppeteer-core";
import { load } from "../../lib/load.ts";
import { installTools, ROOT } from "../../scripts/common/bundle/tools.ts";
import { browserTest, chromium, LIMIT, open, WEBGPU } from "../support/browser.ts";
import { PICTURES, writeExample } from "../support/example_run.ts";
import { HANG_MS } from "../support/hang.ts";

const TYPES: Record<string, string> = { html: "text/html", js: "text/javascript" };

const tools = chromium
  ? await installTools(`${ROOT}dist/tools`).then(() => "", (error) => error.message)
  : "";

browserTest(
  "features in a page are Deno's",
  async (browser, folder) => {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "build:npm", "--no-types", "--out", folder],
      cwd: ROOT,
      signal: AbortSignal.timeout(HANG_MS),
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    await writeExample(folder);
    await Deno.copyFile(`${ROOT}docs/examples/features_page.html`, `${folder}/page.html`);
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      const path = new URL(request.url).pathname;
      const type = TYPES[path.split(".").at(-1)!] ?? "application/octet-stream";
      return Deno.readFile(folder + path).then(
        (body) => new Response(body, { headers: { "content-type": type } }),
        () => new Response("", { status: 404 }),
      );
    });
    try {
      const complaints: string[] = [];
      const page = await open(
        browser,
        `http://127.0.0.1:${server.addr.port}/page.html`,
        complaints,
      );
      using model = await load(`${folder}/run`);
      for (const [name, bytes] of Object.entries(PICTURES)) {
        const until = (holds: () => boolean) =>
          page.waitForFunction(holds, { timeout: LIMIT, polling: 50 }).catch((error) => {
            throw new Error(`${error.message}; the page says: ${complaints.join("; ")}`);
          });
        await until(() => document.querySelector("input")!.onchange !== null);
        await page.evaluate(() => document.querySelector("pre")!.textContent = "");
        const input = (await page.$("input[type=file]"))!;
        await (input as ElementHandle<HTMLInputElement>).uploadFile(`${folder}/${name}`);
        await until(() => document.querySelector("pre")!.textContent !== "");
        const text = await page.evaluate(() => document.querySelector("pre")!.textContent!);
        const found: number[] = JSON.parse(text);
        const expected = await model.features(bytes);
        assert.equal(found.length, expected.length);
        const size = Math.max(...expected.map(Math.abs));
        const off = found.map((x, i) => Math.abs(x - expected[i]));
        assert.ok(Math.max(...off) <= 1e-5 * size, `${name}: ${Math.max(...off)} of ${size}`);
      }
      assert.deepEqual(complaints, []);
    } finally {
      await server.shutdown();
    }
  },
  { flags: WEBGPU, reason: tools },
);
