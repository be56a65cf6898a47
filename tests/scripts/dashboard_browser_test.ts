/** The dashboard in a real browser: what people see and press. Needs Chromium. */
import assert from "node:assert/strict";
import type { Command } from "../../scripts/common/dashboard/protocol.ts";
import { Runs } from "../../scripts/dashboard/runs.ts";
import { Dashboard } from "../../scripts/dashboard/server.ts";
import type { Live } from "../../scripts/dashboard/view.ts";
import { freePort, TOKEN } from "../support/dashboard.ts";
import { browserTest, draws, LIMIT, open, press, sees } from "../support/browser.ts";

/** A name that would be markup, were it not escaped. */
const HOSTILE = `<img src=x onerror="document.title='owned'">&amp;`;

async function writeRun(folder: string, name: string, steps = 60): Promise<string> {
  const run = `${folder}/${name}`;
  await Deno.mkdir(run, { recursive: true });
  await addLines(run, 1, steps);
  return run;
}

async function addLines(run: string, from: number, to: number): Promise<void> {
  let text = "";
  for (let step = from; step <= to; step++) text += JSON.stringify({ step, loss: 5 / step }) + "\n";
  await Deno.writeTextFile(`${run}/metrics.jsonl`, text, { append: true });
}

browserTest(
  "the dashboard works in a browser: late, twice, offline, with buttons, for good",
  async (browser, folder) => {
    const port = freePort();
    const run = await writeRun(folder, "own");
    const live: Live = {};
    const asked: Command[] = [];
    const serve = async (live?: Live) => {
      const runs = new Runs([run], { single: true });
      const onCommand = (command: Command) => void asked.push(command);
      const dashboard = new Dashboard({ runs, token: TOKEN, live, onCommand });
      return { dashboard, url: await dashboard.listen({ host: "127.0.0.1", port }) };
    };
    let { dashboard, url } = await serve(live);
    try {
      const complaints: string[] = [];

      // Without the right token there is nothing to see.
      const stranger = await browser.newPage();
      const refused = await stranger.goto(url.replace(TOKEN, "wrong"), { timeout: LIMIT });
      assert.equal(refused!.status(), 403);
      assert.match(await refused!.text(), /^Expected the token/);

      // Whoever comes late sees all of it, in two tabs; both go on with the run.
      const tabs = [await open(browser, url, complaints), await open(browser, url, complaints)];
      for (const page of tabs) {
        await sees(page, "step 60");
        await draws(page, 1);
      }
      await addLines(run, 61, 70);
      live.status = { step: 70, total: 100, eta: 65, paused: false };
      for (const page of tabs) await sees(page, "step 70 / 100, 1:05 to go");

      // The values under the pointer are those of the file.
      const [page, other] = tabs;
      const { x, y, width, height } = (await (await page.$(".plot"))!.boundingBox())!;
      await page.mouse.move(x + width / 2, y + height / 2);
      const values = await page.$eval(".values", (element) => (element as HTMLElement).innerText);
      const [, step, loss] = values.match(/^step (\d+)\nloss ([\d.]+)$/)!;
      assert.equal(Number(loss), Number((5 / Number(step)).toPrecision(5)));

      // Buttons ask the run, and both tabs tell what has come of it.
      await press(page, "Pause");
      await sees(page, "asked to pause: the run does so at its next look");
      live.status = { ...live.status, paused: true };
      for (const page of tabs) await sees(page, "paused: it waits");
      await press(other, "Save a checkpoint");
      await sees(other, "asked to checkpoint");
      live.status = { ...live.status, saved: 70 };
      for (const page of tabs) await sees(page, "saved at step 70");
      await press(page, "Resume");
      await sees(page, "asked to resume");
      live.status = { ...live.status, paused: false };
      await sees(page, "running");
      await press(page, "Stop");
      assert.ok(!asked.includes("stop")); // it asks once more
      await press(page, "Save and stop?");
      await sees(page, "asked to stop");
      assert.deepEqual(asked, ["pause", "checkpoint", "resume", "stop"]);

      // The run ends, and its server with it; what was seen stays, and a new server is found.
      live.end = { code: 130 };
      await dashboard.close();
      for (const page of tabs) {
        await sees(page, "stopped after step 70: go on with --resume");
        await sees(page, "The run has ended, and its page with it");
        await draws(page, 1);
      }
      await addLines(run, 71, 80);
      ({ dashboard, url } = await serve({
        status: { step: 80, total: 100, eta: 1, paused: false },
      }));
      for (const page of tabs) {
        await sees(page, "connected");
        await sees(page, "step 80 / 100");
      }
      await dashboard.close();
      await sees(page, "The server has not answered since");
      dashboard = new Dashboard({ runs: new Runs([run]), token: "another-token-of-the-test" });
      await dashboard.listen({ host: "127.0.0.1", port });
      await sees(page, "Another server has taken this one's place");
      await dashboard.close();
      await Promise.all(tabs.map((page) => page.close()));

      // Many runs: a list, and those that are ticked over each other. Names are no markup.
      await writeRun(folder, HOSTILE, 30);
      const runs = new Runs([folder]);
      dashboard = new Dashboard({ runs, token: TOKEN });
      url = await dashboard.listen({ host: "127.0.0.1", port });
      const list = await open(browser, url, complaints);
      await sees(list, HOSTILE);
      for (const { data } of runs.entries) {
        const box = (await list.$$("#list input")).at(
          runs.entries.findIndex((e) => e.data === data),
        )!;
        await box.evaluate((box) =>
          (box as HTMLInputElement).checked || (box as HTMLInputElement).click()
        );
      }
      await list.waitForFunction(() => document.querySelectorAll(".card").length === 2, {
        timeout: LIMIT,
      });
      await draws(list, 1);
      assert.equal(await list.$$eval("img[src=x]", (images) => images.length), 0);
      assert.notEqual(await list.title(), "owned");
      await list.close();
      assert.deepEqual(complaints, []);
    } finally {
      await dashboard.close();
    }
  },
);
