/** All commands in one program, run by Deno as the compiled one runs. */
import assert from "node:assert/strict";
import deno from "../../deno.json" with { type: "json" };
import { asCalled, calledAs, commandArgs, commandName } from "../../scripts/common/called.ts";
import { messages, type Reply } from "../../scripts/common/dashboard/protocol.ts";
import { ownProcess } from "../../scripts/common/own_process.ts";
import { COMMANDS, NAMES } from "../../scripts/hatchling/commands.ts";
import { freePort, TOKEN } from "../support/dashboard.ts";
import { folderTest, permissionTest } from "../support/permissions.ts";
import { flags, path, runTest } from "../support/runs.ts";
import { script } from "../support/scripts.ts";
import { HANG_MS } from "../support/hang.ts";

const TASKS: Record<string, string> = deno.tasks;

Deno.test("a command of the program may do what its task may, by whole permissions", () => {
  for (const name of NAMES) {
    const task = TASKS[name];
    assert.match(task, new RegExp(` scripts/${name}\\.ts$`));
    const allowed = [...task.matchAll(/--allow-(\w+)/g)].map(([, one]) => one).sort();
    const { keeps } = COMMANDS[name];
    if (/ -A /.test(task)) assert.equal(keeps, undefined, name);
    else assert.deepEqual([...keeps!].sort(), allowed, name);
  }
});

Deno.test("texts name commands as they were called", () => {
  const text = "deno task train CONFIG, or deno task build:npm, `deno task doctor`";
  assert.equal(asCalled(text), text);
  assert.equal(commandName("train"), "deno task train");
  try {
    calledAs({ program: "hatchling", commands: ["train", "doctor", "build"], args: ["a", "b"] });
    const expected = "hatchling train CONFIG, or deno task build:npm, `hatchling doctor`";
    assert.equal(asCalled(text), expected);
    assert.equal(commandName("train"), "hatchling train");
    assert.deepEqual(commandArgs(), ["a", "b"]);
  } finally {
    calledAs(undefined);
  }
});

permissionTest(["read"], "a process of the project's own is a module, or a command", () => {
  const module = new URL("file:///a/serve.ts");
  const program = { module, permissions: ["--allow-read=."], command: "serve-run" };
  assert.deepEqual(ownProcess(program, true), { program: Deno.execPath(), args: ["serve-run"] });
  const { args } = ownProcess(program, false);
  assert.deepEqual(args, ["run", "--quiet", "--allow-read=.", "/a/serve.ts"]);
  const far = new URL("https://example.com/serve.ts");
  assert.equal(ownProcess({ ...program, module: far }, false).args.at(-1), far.href);
});

permissionTest(
  ["read", "run"],
  "the program shows its help and its version, and knows no other names",
  async () => {
    const said = await Promise.all([
      script("hatchling", ".", []),
      script("hatchling", ".", ["--help"]),
      script("hatchling", ".", ["--version"]),
      script("hatchling", ".", ["trian", "a.yaml"]),
      script("hatchling", ".", ["constructor"]),
    ]);
    const [nothing, help, version, near, odd] = said;
    assert.deepEqual(said.map(({ code }) => code), [1, 0, 0, 1, 1]);
    assert.equal(nothing.stderr, help.stdout);
    for (const name of NAMES) assert.match(help.stdout, new RegExp(`^  ${name} +\\w`, "m"));
    assert.doesNotMatch(help.stdout, /serve-run/);
    assert.match(
      version.stdout,
      new RegExp(`^hatchling ${RegExp.escape(deno.version)}\\b.*\nDeno `),
    );
    assert.match(
      near.stderr,
      /^error: Expected one of .* but found "trian": did you mean train\?\n$/,
    );
    assert.match(odd.stderr, /but found "constructor"\n$/);
  },
);

permissionTest(["read", "run"], "every command shows its help under its name", async () => {
  const names = [...NAMES];
  const work = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const { code, stdout, stderr } = await script("hatchling", ".", [name, "--help"]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`^Usage: hatchling ${name}\\b`), name);
      assert.doesNotMatch(stdout, /deno task/);
    }
  };
  await Promise.all([work(), work()]);
  const { stdout } = await script("hatchling", ".", ["help", "train"]);
  assert.match(stdout, /^Usage: hatchling train /);
});

permissionTest(
  ["read", "run"],
  "what a command gives away, its threads do not have either",
  async () => {
    const code = `
    const { COMMANDS, giveAway } = await import(${
      JSON.stringify(import.meta.resolve("../../scripts/hatchling/commands.ts"))
    });
    await giveAway(COMMANDS.train);
    const query = 'const { state } = await Deno.permissions.query({ name: "net" }); postMessage(state)';
    const worker = new Worker("data:text/javascript," + encodeURIComponent(query), { type: "module" });
    const inside = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
    worker.terminate();
    const states = {};
    for (const name of ["read", "write", "net", "env", "sys", "run", "ffi", "import"]) {
      states[name] = (await Deno.permissions.query({ name })).state;
    }
    const refused = await fetch("http://127.0.0.1:12345/").catch((error) => error.name);
    console.log(JSON.stringify({ inside, states, refused }));`;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "-A",
        "--no-prompt",
        `data:text/javascript,${encodeURIComponent(code)}`,
      ],
      signal: AbortSignal.timeout(HANG_MS),
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.ok(text, new TextDecoder().decode(stderr));
    const { inside, states, refused } = JSON.parse(text);
    const granted = Object.keys(states).filter((name) => states[name] === "granted").sort();
    assert.deepEqual(granted, [...COMMANDS.train.keeps!].sort());
    assert.notEqual(inside, "granted");
    assert.equal(refused, "NotCapable");
  },
);

folderTest("a configuration that comes along says how to call it here", async (folder) => {
  for (const name of ["photos", "resnet18", "dino-small"]) {
    const { stdout: own } = await script("hatchling", folder, ["config", name]);
    assert.doesNotMatch(own, /configs\//);
    assert.match(own, new RegExp(`hatchling train ${name}\\.yaml`));
    const { stdout: task } = await script("config", folder, [name]);
    assert.match(task, new RegExp(`deno task train configs/${name}\\.yaml`));
  }
  const { stdout: help } = await script("hatchling", folder, ["train", "--help"]);
  assert.match(help, /YAML file, small\.yaml for instance/);
}, ["run", "env"]);

runTest("a run, its features and a search, by the program alone", async (folder, small) => {
  const config = await script("hatchling", folder, ["config", "tiny"]);
  assert.match(config.stdout, /^# .*\n#\n# Command: +hatchling train tiny\.yaml$/m);
  await Deno.writeTextFile(`${folder}/tiny.yaml`, config.stdout);
  const steps = ["train", "tiny.yaml", ...small, ...flags({ "training.max_steps": 1 })];
  const run = await script("hatchling", folder, [
    ...steps,
    "--out",
    "run",
    "--dashboard",
    `${freePort()}`,
  ]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /^dashboard: http:\/\/127\.0\.0\.1:/m); // a process that has the network
  const [part] = JSON.parse(await Deno.readTextFile(`${folder}/run/run.json`)).parts;
  assert.equal(part.command[0], "tiny.yaml");

  const embed = ["embed", "pictures", "--weights", "run", "--out", "f.csv"];
  const embedded = await script("hatchling", folder, embed);
  assert.equal(embedded.code, 0, embedded.stderr);
  const rows = (await Deno.readTextFile(`${folder}/f.csv`)).trim().split("\n");
  assert.equal(rows.length, 1 + 8);

  const search = ["search", "pictures", "pictures/odd/1.png", "--weights", "run", "--json"];
  const found = await script("hatchling", folder, search, { HATCHLING_CACHE: `${folder}/cache` });
  assert.equal(found.code, 0, found.stderr);
  assert.match(found.stdout, /odd\/1\.png/);
});

folderTest("the program serves a run's dashboard, as a run asks it to", async (folder) => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-prompt", path("scripts/hatchling.ts"), "serve-run"],
    cwd: folder,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), HANG_MS);
  try {
    const writer = child.stdin.getWriter();
    const settings = { host: "127.0.0.1", port: freePort(), token: TOKEN };
    await writer.write(new TextEncoder().encode(JSON.stringify(settings) + "\n"));
    const replies = messages<Reply>(child.stdout);
    const { value } = await replies.next();
    assert.match(
      (value as { url: string }).url,
      new RegExp(`^http://127\\.0\\.0\\.1:${settings.port}/`),
    );
    await writer.close(); // the run has ended
    for await (const _ of replies);
    assert.equal((await child.status).code, 0);
  } finally {
    clearTimeout(timer);
  }
}, ["run", "net"]);
