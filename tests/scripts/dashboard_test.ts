/** The dashboard without a browser: who is let in, what is told, what is drawn. */
import assert from "node:assert/strict";
import {
  addressOf,
  hostAndPort,
  isLoopback,
  portsOf,
} from "../../scripts/common/dashboard/address.ts";
import { refusal, TOKEN_HEADER } from "../../scripts/dashboard/gate.ts";
import { permissionsOf } from "../../scripts/train/panel.ts";
import { messages } from "../../scripts/common/dashboard/protocol.ts";
import { Runs } from "../../scripts/dashboard/runs.ts";
import { Dashboard, type Served } from "../../scripts/dashboard/server.ts";
import { isSame, newToken } from "../../scripts/common/dashboard/token.ts";
import type { RunView } from "../../scripts/dashboard/view.ts";
import { png } from "../data/support.ts";
import { folderTest, permissionTest, withFolder } from "../support/permissions.ts";

const TOKEN = "a-token-of-the-test";
const HOST = "127.0.0.1:8642";

function ask(
  path: string,
  { headers = {}, ...init }: { method?: string; body?: string; headers?: HeadersInit } = {},
): Request {
  const all = new Headers(headers);
  if (!all.has("host")) all.set("host", HOST);
  return new Request(`http://${HOST}${path}`, { ...init, headers: all });
}

Deno.test("refusal() lets in whoever knows the token, at an address or localhost", () => {
  const header = { [TOKEN_HEADER]: TOKEN };
  for (
    const host of ["127.0.0.1:8642", "localhost:9000", "[::1]:8642", "192.168.1.5:80", "localhost"]
  ) {
    assert.equal(refusal(ask("/events", { headers: { ...header, host } }), TOKEN), undefined, host);
  }
  assert.equal(refusal(ask(`/?token=${TOKEN}`), TOKEN), undefined);
  const own = { ...header, origin: `http://${HOST}`, "sec-fetch-site": "same-origin" };
  assert.equal(refusal(ask("/command", { method: "POST", headers: own }), TOKEN), undefined);
  // A link somewhere else may open the page, as it has the token in it.
  const link = { "sec-fetch-site": "cross-site" };
  assert.equal(refusal(ask(`/?token=${TOKEN}`, { headers: link }), TOKEN), undefined);
});

Deno.test("refusal() keeps all others out with 403 and tells them nothing", async () => {
  const header = { [TOKEN_HEADER]: TOKEN };
  const post = (headers: HeadersInit, path = "/command") => ask(path, { method: "POST", headers });
  const refused: [string, Request][] = [
    ["no token", ask("/")],
    ["an empty token", ask("/?token=")],
    ["a wrong token", ask("/?token=wrong")],
    ["a part of the token", ask(`/?token=${TOKEN.slice(0, -1)}`)],
    [
      "a wrong header beside the right query",
      ask(`/?token=${TOKEN}`, { headers: { [TOKEN_HEADER]: "x" } }),
    ],
    ["a cookie", ask("/", { headers: { cookie: `token=${TOKEN}` } })],
    ["a form of another site", post({}, `/command?token=${TOKEN}`)],
    ["another origin", post({ ...header, origin: "http://evil.example" })],
    ["another port", post({ ...header, origin: "http://127.0.0.1:8643" })],
    ["an opaque origin", post({ ...header, origin: "null" })],
    [
      "another site",
      ask(`/events?token=${TOKEN}`, { headers: { "sec-fetch-site": "cross-site" } }),
    ],
    ["another name", ask(`/?token=${TOKEN}`, { headers: { host: "evil.example:8642" } })],
    [
      "a name that looks like an address",
      ask(`/?token=${TOKEN}`, { headers: { host: "127.0.0.1.evil.example" } }),
    ],
    ["no name", ask(`/?token=${TOKEN}`, { headers: { host: "" } })],
  ];
  for (const [what, request] of refused) {
    const response = refusal(request, TOKEN);
    assert.equal(response?.status, 403, what);
    const text = await response.text();
    assert.match(text, /^Expected [^<]*\n$/, what);
    assert.ok(!text.includes(TOKEN), what);
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  }
});

Deno.test("newToken() is random, or the one that was chosen when it is long enough", () => {
  const [a, b] = [newToken(), newToken()];
  assert.match(a, /^[\w-]{32}$/);
  assert.notEqual(a, b);
  assert.equal(newToken("sixteen-letters-"), "sixteen-letters-");
  for (const chosen of ["short", "sixteen letters?"]) {
    assert.throws(() => newToken(chosen), /Expected HATCHLING_DASHBOARD_TOKEN to be 16 letters/);
  }
  assert.ok(isSame(a, a) && !isSame(a, b) && !isSame(null, a) && !isSame("", a));
});

Deno.test("addressOf() takes ports and addresses, and says what is wrong with others", () => {
  assert.deepEqual(addressOf(true), { host: "127.0.0.1" });
  assert.deepEqual(addressOf("80", "::1"), { host: "::1", port: 80 });
  assert.deepEqual(portsOf({ host: "::1", port: 80 }), [80]);
  assert.equal(portsOf({ host: "::1" }).length, 20);
  for (const port of ["0", "65536", "-1", "1.5", "80x", "", "configs/tiny.yaml"]) {
    assert.throws(
      () => addressOf(port),
      /^HatchlingError: Expected a port from 1 to 65535 but found/,
    );
  }
  assert.throws(() => addressOf("80", "example.org"), /Expected an IP address of this machine/);
  assert.equal(hostAndPort("::1", 80), "[::1]:80");
  assert.deepEqual(
    ["127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", "::", "192.168.0.1"].map(isLoopback),
    [
      true,
      true,
      true,
      false,
      false,
      false,
    ],
  );
});

Deno.test("messages() joins what arrives in pieces, and leaves out what is none", async () => {
  const pieces = ['{"a', '":1}\nnoise\n{"a":2', "}\n", '{"a":3'];
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });
  assert.deepEqual(await Array.fromAsync(messages(stream)), [{ a: 1 }, { a: 2 }]);
});

/** Writes the files of a run. */
async function writeRun(folder: string, { steps = 60, name = "run" } = {}): Promise<string> {
  const run = `${folder}/${name}`;
  await Deno.mkdir(run, { recursive: true });
  const lines = Array.from(
    { length: steps },
    (_, i) =>
      JSON.stringify({
        step: i + 1,
        epoch: i / 10,
        loss: 5 / (i + 1),
        lr: 1e-3,
        images_per_second: 100,
      }),
  );
  await Deno.writeTextFile(`${run}/metrics.jsonl`, lines.join("\n") + "\n");
  const figures = [{ metric: "category k-NN (k 10)", percent: 12.5 }];
  await Deno.writeTextFile(
    `${run}/evaluations.jsonl`,
    JSON.stringify({ step: 50, figures }) + "\n",
  );
  return run;
}

async function told(served: Omit<Served, "token">): Promise<RunView[]> {
  const dashboard = new Dashboard({ token: TOKEN, ...served });
  await dashboard.update();
  const response = await dashboard.handle(ask(`/events?token=${TOKEN}`));
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body!.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  await dashboard.close();
  return JSON.parse(new TextDecoder().decode(value).replace(/^data: /, "")).runs;
}

folderTest("a page that connects late is told all there is", async (folder) => {
  const run = await writeRun(folder);
  const [view] = await told({ runs: new Runs([run]) });
  assert.equal(view.step, 60);
  assert.equal(view.state, "stopped");
  assert.match(view.text, /^stopped after step 60: go on with --resume; last written 20\d\d-/);
  assert.deepEqual(view.evaluation, {
    title: "at step 50",
    rows: [["category k-NN (k 10)", "12.5 %"]],
  });
  assert.equal(view.pace, "100 images/s, epoch 5.90");
  assert.equal(view.controlled, false);
});

folderTest("the state of this process's own run is what it tells", async (folder) => {
  const run = await writeRun(folder);
  const runs = new Runs([run], { single: true });
  const status = { step: 61, total: 100, eta: 65, paused: false };
  const state = async (live: Parameters<typeof told>[0]["live"]) => {
    const [{ state, text, controlled }] = await told({ runs, live });
    return [state, text, controlled];
  };
  assert.deepEqual(await state({}), ["running", "running", true]);
  assert.deepEqual(
    (await told({ runs, live: { status } }))[0].pace,
    "1:05 to go, 100 images/s, epoch 5.90",
  );
  assert.equal((await state({ status: { ...status, paused: true } }))[0], "paused");
  assert.deepEqual(await state({ status, end: { code: 0 } }), ["finished", "finished", false]);
  assert.deepEqual(await state({ status, end: { code: 130 } }), [
    "stopped",
    "stopped after step 61: go on with --resume",
    false,
  ]);
  assert.deepEqual(await state({ status, end: { code: 1, error: "Expected x" } }), [
    "failed",
    "Expected x",
    false,
  ]);
  assert.match(String((await state({ status: { ...status, step: 100 } }))[1]), /judging/);
});

folderTest(
  "Runs finds the runs of a folder, new ones too, and names them fit for a URL",
  async (folder) => {
    await Deno.mkdir(`${folder}/other`);
    const runs = new Runs([folder]);
    await runs.refresh();
    assert.equal(runs.entries.length, 0);
    await writeRun(folder, { name: "b <b>x" });
    await writeRun(folder, { name: "a" });
    await runs.refresh();
    assert.deepEqual(runs.entries.map(({ data }) => data.name), ["a", "b <b>x"]);
    for (const { id } of runs.entries) assert.match(id, /^[\w-]+$/);
    const [{ version }] = runs.entries;
    await runs.refresh(Date.now() + 60_000);
    assert.equal(runs.entries[0].version, version); // nothing has changed
    await Deno.writeTextFile(`${folder}/a/metrics.jsonl`, '{"step":61,"loss":1}\n', {
      append: true,
    });
    await Deno.remove(`${folder}/b <b>x`, { recursive: true });
    await runs.refresh(Date.now() + 60_000);
    assert.deepEqual(runs.entries.map(({ data }) => data.lines.at(-1)!.step), [61]);
    await assert.rejects(
      () => new Runs([`${folder}/none`]).check(),
      /none does not exist: name one/,
    );
    await assert.rejects(
      () => new Runs([`${folder}/a/metrics.jsonl`]).check(),
      /is a file: name one/,
    );
  },
);

folderTest(
  "charts show every metric that there is, over each other, and values for the pointer",
  async (folder) => {
    await writeRun(folder, { name: "a" });
    await writeRun(folder, { name: "b & <b>", steps: 5000 });
    const runs = new Runs([folder]);
    const dashboard = new Dashboard({ runs, token: TOKEN });
    await dashboard.update();
    const query = runs.entries.map(({ id }) => `run=${id}`).join("&");
    const get = async () => {
      const response = await dashboard.handle(ask(`/charts?token=${TOKEN}&${query}`));
      return (await response.json()).charts;
    };
    const charts = await get();
    assert.deepEqual(charts.map(({ key }: { key: string }) => key), [
      "loss",
      "accuracy category k-NN (k 10)",
      "learning-rate",
      "images-per-second",
    ]);
    const [{ svg, series, frame }] = charts;
    assert.match(svg, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    assert.ok(!svg.includes("NaN") && !svg.includes("<b>"));
    assert.deepEqual(series.map(({ name }: { name: string }) => name), ["a", "b & <b>"]);
    assert.deepEqual(series[1].points[0], [1, 5]);
    assert.deepEqual(series[1].points.at(-1), [5000, 5 / 5000]);
    assert.ok(series[1].points.length <= 600);
    assert.deepEqual(frame.x, [0, 5000]);
    assert.deepEqual(
      (await (await dashboard.handle(ask(`/charts?token=${TOKEN}&run=none`))).json()).charts,
      [],
    );
  },
);

folderTest(
  "only known pictures and pages are served, and only commands that exist",
  async (folder) => {
    const run = await writeRun(folder);
    await Deno.writeTextFile(`${folder}/secret.png`, "secret");
    const commands: string[] = [];
    const runs = new Runs([run]);
    const live = {};
    const served = {
      runs,
      token: TOKEN,
      live,
      onCommand: (command: string) => void commands.push(command),
    };
    const dashboard = new Dashboard(served);
    await dashboard.update();
    const [{ id }] = runs.entries;
    const status = async (path: string, init: Parameters<typeof ask>[1] = {}) =>
      (await dashboard.handle(ask(path, { headers: { [TOKEN_HEADER]: TOKEN }, ...init }))).status;
    await Deno.mkdir(`${run}/attention`);
    await Deno.writeFile(
      `${run}/attention/step-00000050.png`,
      png({ width: 8, height: 8, sample: (x) => 9 * x }),
    );
    await Deno.writeTextFile(`${run}/attention/step-00000055.png`, "no picture");
    await Deno.symlink(`${folder}/secret.png`, `${run}/attention/step-00000060.png`);
    await runs.refresh(Date.now() + 60_000);
    assert.equal(await status(`/snapshot?run=${id}&step=50`), 200);
    for (const step of ["55", "60", "51", "", "../secret.png"]) {
      assert.equal(await status(`/snapshot?run=${id}&step=${step}`), 404, step);
    }
    assert.equal(await status("/metrics.jsonl"), 404);
    assert.equal(await status("/command"), 404); // GET
    const post = (body: string) => status("/command", { method: "POST", body });
    assert.equal(await post("reboot"), 400);
    assert.equal(await post("pause"), 202);
    assert.equal(await post("stop"), 202);
    assert.deepEqual(commands, ["pause", "stop"]);
    Object.assign(live, { end: { code: 0 } });
    assert.equal(await post("stop"), 409);
    const watching = new Dashboard({ runs, token: TOKEN });
    const request = ask("/command", {
      method: "POST",
      body: "stop",
      headers: { [TOKEN_HEADER]: TOKEN },
    });
    assert.equal((await watching.handle(request)).status, 409);
  },
);

Deno.test("the page may run its own program and styles, and load from nowhere else", async () => {
  const dashboard = new Dashboard({ runs: new Runs([]), token: TOKEN });
  const response = await dashboard.handle(ask(`/?token=${TOKEN}`));
  const text = await response.text();
  const policy = response.headers.get("content-security-policy")!;
  assert.ok(policy.startsWith("default-src 'none'; "));
  assert.ok(!policy.includes("unsafe"));
  for (const [tag, name] of [["script", "script-src"], ["style", "style-src"]]) {
    const inner = text.match(new RegExp(`<${tag}>([^]*?)</${tag}>`))![1];
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(inner));
    assert.ok(policy.includes(`${name} 'sha256-${new Uint8Array(digest).toBase64()}'`), name);
  }
  assert.ok(!/\b(src|href)="(?!data:,")/.test(text));
  assert.ok(!/innerHTML|insertAdjacentHTML|document\.write|https?:/.test(text));
  assert.ok(!text.includes(TOKEN));
});

permissionTest(
  ["net"],
  "listen() takes the next free port, or says that the given one is taken",
  async () => {
    const make = () => new Dashboard({ runs: new Runs([]), token: TOKEN });
    const [first, second, third] = [make(), make(), make()];
    try {
      const one = new URL(await first.listen({ host: "127.0.0.1" }));
      const two = new URL(await second.listen({ host: "127.0.0.1" }));
      assert.equal(one.hostname, "127.0.0.1");
      assert.ok(Number(two.port) > Number(one.port));
      assert.equal(one.searchParams.get("token"), TOKEN);
      const response = await fetch(two);
      assert.equal(response.status, 200);
      await response.body?.cancel();
      const port = Number(one.port);
      await assert.rejects(
        () => third.listen({ host: "127.0.0.1", port }),
        new RegExp(`Expected a free port at 127.0.0.1 but port ${port} is taken: name another one`),
      );
    } finally {
      await Promise.all([first.close(), second.close()]);
    }
  },
);

permissionTest(
  ["run", "read", "write", "net"],
  "the dashboard of a run may listen and read that run, and no more",
  () =>
    withFolder(async (folder) => {
      const run = await writeRun(folder, { name: "a,b" });
      const probe = `
        const tries = {
          own: () => Deno.readTextFile(${JSON.stringify(`${run}/metrics.jsonl`)}),
          other: () => Deno.readTextFile(${JSON.stringify(`${folder}/probe.ts`)}),
          write: () => Deno.writeTextFile(${JSON.stringify(`${run}/x`)}, ""),
          connect: () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
          world: () => fetch("http://192.0.2.1/"),
          everywhere: async () => Deno.listen({ hostname: "0.0.0.0", port: 8642 }),
          env: async () => Deno.env.get("HOME"),
          program: async () => await new Deno.Command("true").output(),
        };
        const found = {};
        for (const [name, run] of Object.entries(tries)) {
          found[name] = await run().then(() => "allowed", (error) => error.name);
        }
        console.log(JSON.stringify(found));`;
      await Deno.writeTextFile(`${folder}/probe.ts`, probe);
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--quiet",
          ...permissionsOf({ host: "127.0.0.1" }),
          `${folder}/probe.ts`,
        ],
        cwd: run,
        stdin: "null",
      }).output();
      const { own, ...others } = JSON.parse(new TextDecoder().decode(stdout));
      assert.equal(own, "allowed");
      for (const [what, result] of Object.entries(others)) assert.equal(result, "NotCapable", what);
    }),
);
