/** Pages in a real browser: they hold still while news come, and show all of it on narrow screens. Needs Chromium. */
import assert from "node:assert/strict";
import type { Page } from "puppeteer-core";
import { Runs } from "../../scripts/dashboard/runs.ts";
import { Dashboard } from "../../scripts/dashboard/server.ts";
import type { Live } from "../../scripts/dashboard/view.ts";
import { pngOf } from "../../lib/draw/canvas.ts";
import script from "../../scripts/look/map.js" with { type: "text" };
import style from "../../scripts/look/map.css" with { type: "text" };
import { embedded, pageOf } from "../../lib/draw/page.ts";
import { makeReport } from "../../lib/report/make.ts";
import { snapshotRow } from "../../lib/run/png.ts";
import { browserTest, draws, open, press, sees } from "../support/browser.ts";
import { freePort, TOKEN } from "../support/dashboard.ts";

const json = JSON.stringify;

/** As scripts/dashboard/page_cards.js has it. */
const SURE_MS = 4000;

async function writeRun(folder: string, name: string): Promise<string> {
  const run = `${folder}/${name}`;
  await Deno.mkdir(`${run}/attention`, { recursive: true });
  await addLines(run, 1, 60);
  const figures = [{ metric: "category k-NN (k 10)", percent: 12.5 }];
  await Deno.writeTextFile(`${run}/evaluations.jsonl`, json({ step: 50, figures }) + "\n");
  return run;
}

async function addLines(run: string, from: number, to: number): Promise<void> {
  let text = "";
  for (let step = from; step <= to; step++) {
    text += json({ step, loss: 5 / step, weight_decay: 0.04, lr: 1e-3 / step }) + "\n";
  }
  await Deno.writeTextFile(`${run}/metrics.jsonl`, text, { append: true });
}

const tile = (gray: number) => ({
  width: 96,
  height: 96,
  data: new Uint8Array(4 * 96 * 96).fill(gray),
});
const snapshot = (steps: number) =>
  pngOf(snapshotRow([1, 2, 3, 4, 5, 6].map((i) => tile(20 * i + steps))));

browserTest("a dashboard holds still while its run goes on", async (browser, folder) => {
  const run = await writeRun(folder, "own");
  await Deno.writeFile(`${run}/attention/step-00000010.png`, snapshot(1));
  await Deno.writeFile(`${run}/attention/step-00000020.png`, snapshot(2));
  const live: Live = { status: { step: 60, total: 1000, eta: 60, paused: false } };
  const asked: string[] = [];
  const runs = new Runs([run], { single: true });
  const onCommand = (command: string) => void asked.push(command);
  const dashboard = new Dashboard({ runs, token: TOKEN, live, onCommand });
  const complaints: string[] = [];
  try {
    const url = await dashboard.listen({ host: "127.0.0.1", port: freePort() });
    const page = await open(browser, url, complaints);
    await page.setViewport({ width: 1280, height: 2000 });
    await sees(page, "step 60 / 1000");
    await draws(page, 4);
    // Opens, chooses, selects, points, and asks to stop.
    await page.click("summary");
    await page.$eval("input[type=range]", (slider) => {
      const input = slider as HTMLInputElement;
      input.value = "0";
      input.dispatchEvent(new Event("input"));
      input.focus();
    });
    await sees(page, "Attention at step 10");
    await page.evaluate(() => getSelection()!.selectAllChildren(document.querySelector("h2")!));
    const { x, y } = (await (await page.$(".plot"))!.boundingBox())!;
    await page.mouse.move(x + 250, y + 150);
    const elements = await page.evaluateHandle(() => [
      ...document.querySelectorAll("main *:not(.values *)"),
    ]);
    // The time to be sure in ends when this test says so: on a busy machine it may be over at once.
    await page.evaluate((sure) => {
      const later = globalThis.setTimeout;
      const wait = (then: () => void, ms?: number) =>
        ms === sure ? (Object.assign(globalThis, { unsure: then }), -1) : later(then, ms);
      Object.assign(globalThis, { setTimeout: wait });
    }, SURE_MS);
    await press(page, "Stop");
    for (let step = 61; step < 73; step++) {
      await addLines(run, step, step);
      live.status = { ...live.status!, step };
      await dashboard.update();
      assert.deepEqual(
        await page.evaluate(() => ({
          sure: [...document.querySelectorAll("button")].some((b) =>
            b.innerText === "Save and stop?"
          ),
          open: document.querySelector("details")!.open,
          focus: (document.activeElement as HTMLInputElement).type,
          selected: String(getSelection()),
          chosen: [...document.querySelectorAll(".snapshots p")].map((p) => p.textContent)[0],
          points: !document.querySelector<HTMLElement>(".values")!.hidden,
        })),
        {
          sure: true,
          open: true,
          focus: "range",
          selected: "own",
          chosen: "Attention at step 10",
          points: true,
        },
        `at step ${step}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(await elements.evaluate((all) => all.every((element) => element.isConnected)));
    await press(page, "Save and stop?");
    await sees(page, "asked to stop");
    assert.deepEqual(asked, ["stop"]);
    await press(page, "Stop");
    await page.evaluate(() => (globalThis as unknown as { unsure(): void }).unsure());
    assert.ok(await page.$$eval("button", (all) => all.some((b) => b.innerText === "Stop")));
    assert.deepEqual(asked, ["stop"], "it asks again after four seconds");
    await page.close();
    assert.deepEqual(complaints, []);
  } finally {
    await dashboard.close();
  }
});

/** Opens a page as on a screen of some width, light or dark. */
async function onScreen(page: Page, width: number, dark: boolean): Promise<void> {
  await page.setViewport({ width, height: 800 });
  const value = dark ? "dark" : "light";
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
}

const wider = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

browserTest(
  "the list of many runs shows those that are chosen and says what it leaves out; bad runs say so",
  async (browser, folder) => {
    for (let i = 10; i < 24; i++) await writeRun(folder, `small-2026-11-${i}T10-00-00`);
    const lines = (name: string, text: string) =>
      Deno.writeTextFile(`${folder}/small-2026-11-${name}T10-00-00/metrics.jsonl`, text, {
        append: true,
      });
    await lines("10", '{"step":61,"loss":"high"}\n');
    await lines("23", '{"step":61,"loss":[1]}\n');
    const dashboard = new Dashboard({ runs: new Runs([folder]), token: TOKEN });
    const complaints: string[] = [];
    try {
      const url = await dashboard.listen({ host: "127.0.0.1", port: freePort() });
      for (const [width, dark] of [[1280, false], [390, true]] as const) {
        const page = await open(browser, url, complaints);
        await onScreen(page, width, dark);
        await sees(page, "10 of 14 runs; 1 of the others incomplete.");
        await sees(page, "line 61 of metrics.jsonl is damaged");
        await draws(page, 4);
        assert.equal(await wider(page), 0);
        await press(page, "Show all 14");
        await page.$eval("#rows input", (box) => (box as HTMLInputElement).click());
        await sees(page, "All 14 runs.");
        await press(page, "Show fewer");
        await sees(page, "11 of 14 runs.");
        const rows = await page.$$eval(
          "#rows tr",
          (rows) =>
            rows.map((row) => ({
              name: (row.querySelector(".name") as HTMLElement).innerText.trim(),
              checked: row.querySelector("input")!.checked,
            })),
        );
        assert.deepEqual(rows[0], { name: "small-2026-11-10T10-00-00", checked: true });
        assert.equal(rows.filter(({ checked }) => checked).length, 2);
        await page.close();
      }
      assert.deepEqual(complaints, []);
    } finally {
      await dashboard.close();
    }
  },
);

browserTest(
  "a report fits its screen: moments in rows, whole names, links to files, still curves last",
  async (browser, folder) => {
    const run = await writeRun(folder, "run");
    for (const step of [0, 10, 60]) {
      const name = `step-${String(step).padStart(8, "0")}.png`;
      await Deno.writeFile(`${run}/attention/${name}`, snapshot(step));
    }
    const image = `data:image/png;base64,${pngOf(tile(9)).toBase64()}`;
    const long = (i: number) => `class_${i}/${"a_long_name_of_a_file_".repeat(4)}${i}.png`;
    const one = (i: number) => ({ id: long(i), facts: ["class: dog"], image, similarity: 0.5 });
    const rows = [{ query: { id: long(0), facts: [], image }, neighbors: [1, 2, 3].map(one) }];
    await Deno.writeTextFile(`${run}/neighbors.json`, json({ pictures: 9, rows }));
    await Deno.mkdir(`${folder}/pictures/class_1`, { recursive: true });
    await Deno.writeFile(`${folder}/pictures/${long(1)}`, pngOf(tile(7)));
    const skipped = { file: `pictures/${long(1)}`, reason: "damaged" };
    await Deno.writeTextFile(`${run}/skipped.jsonl`, json(skipped) + "\n");
    await Deno.writeTextFile(`${run}/config.yaml`, "data: {path: pictures}\n");
    const part = { started: "2026-01-01", command: [], folder, step: 0 };
    await Deno.writeTextFile(`${run}/run.json`, json({ parts: [part] }));
    const { path, notes } = await makeReport(run);
    assert.deepEqual(notes, []);
    const complaints: string[] = [];
    for (const [width, dark] of [[1280, true], [390, false]] as const) {
      const page = await open(browser, `file://${path}`, complaints);
      await onScreen(page, width, dark);
      assert.equal(await wider(page), 0);
      const sizes = await page.$$eval(
        ".moments img",
        (all) => all.map((image) => [image.clientWidth, image.clientHeight]),
      );
      assert.equal(sizes.length, 3);
      for (const [w, h] of sizes) assert.ok(w > 5 * h && w <= width, `${w} × ${h}`);
      // A name is cut neither by its box nor by dots.
      const cut = await page.$$eval(
        "#neighbours figcaption b",
        (all) =>
          all.filter((name) =>
            name.scrollWidth > name.clientWidth + 1 || getComputedStyle(name).overflow === "hidden"
          ).length,
      );
      assert.equal(cut, 0);
      const links = await page.$$eval("a", (all) => all.map((a) => a.getAttribute("href")));
      assert.deepEqual(links, [`../pictures/${long(1)}`, `../pictures/${long(1)}`]);
      const response = await page.goto(new URL(links[0]!, `file://${path}`).href);
      assert.equal(response!.status(), 200);
      assert.match(response!.headers()["content-type"], /image\/png/);
      await page.close();
    }
    const page = await open(browser, `file://${path}`, complaints);
    const titles = await page.$$eval(
      ".curves svg",
      (all) => all.map((svg) => svg.getAttribute("aria-label")!.split(";")[0]),
    );
    assert.equal(titles.at(-1), "weight decay");
    assert.equal(titles.at(-2), "learning rate");
    assert.deepEqual(complaints, []);
  },
);

browserTest("the legend of a map covers none of its buttons", async (browser, folder) => {
  const n = 60, sheet = pngOf({ width: 8, height: 8, data: new Uint8Array(256).fill(99) });
  const places = Array.from({ length: 2 * n }, (_, i) => (i * 7919) % 65536);
  const names = Array.from({ length: 30 }, (_, i) => `a class with a long name, ${i}`);
  const data = {
    sprites: {
      sheets: [`data:image/png;base64,${sheet.toBase64()}`],
      size: 8,
      columns: 1,
      perSheet: n,
    },
    layouts: [{ name: "UMAP", places }, { name: "PCA", places }],
    ids: Array.from({ length: n }, (_, i) => `picture ${i}`),
    labels: [{ kind: "class", names, values: Array.from({ length: n }, (_, i) => i % 30) }],
    first: 0,
  };
  const body = `<main></main>${embedded("data", data)}<script>${script}</script>`;
  await Deno.writeTextFile(`${folder}/map.html`, pageOf({ title: "Map", about: "x", style, body }));
  const complaints: string[] = [];
  for (const width of [390, 320, 1280]) {
    const page = await open(browser, `file://${folder}/map.html`, complaints);
    await onScreen(page, width, width === 390);
    const hidden = await page.$$eval(".tools button", (all) =>
      all.filter((button) => {
        const { left, top, width, height } = button.getBoundingClientRect();
        return document.elementFromPoint(left + width / 2, top + height / 2) !== button;
      }).map((button) => button.textContent));
    assert.deepEqual(hidden, [], `at ${width} px`);
    await page.close();
  }
  assert.deepEqual(complaints, []);
});
