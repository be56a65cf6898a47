/** scripts/train/side_files.ts: files that a run can do without. */
import assert from "node:assert/strict";
import { SideFiles } from "../../lib/run/side_files.ts";
import { folderTest } from "../support/permissions.ts";

/** Lets writes fail after two bytes, as on a full disk, until it is disposed of. */
function fillDisk(): DisposableStack {
  const { write } = Deno.FsFile.prototype;
  let calls = 0;
  Deno.FsFile.prototype.write = function (bytes) {
    if (calls++ % 2) return Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }));
    return write.call(this, bytes.subarray(0, 2));
  };
  const stack = new DisposableStack();
  stack.defer(() => void (Deno.FsFile.prototype.write = write));
  return stack;
}

const read = (folder: string, name: string) => Deno.readTextFileSync(`${folder}/${name}`);

/** What a test looks at: the files, what was said, and a clock. */
function open(folder: string, most?: number) {
  const said: string[] = [], clock = { now: 0 };
  const say = (message: string) => void said.push(message);
  return { files: new SideFiles(folder, { say, most, now: () => clock.now }), said, clock };
}

folderTest("SideFiles keeps what a full disk does not take, and says so once", async (folder) => {
  const { files, said, clock } = open(folder);
  await files.add("lines.jsonl", "one\n");
  await files.put("a/whole.json", "old");
  await files.put("a/other.json", "other");
  using full = fillDisk();
  for (const line of ["two", "three"]) {
    await files.add("lines.jsonl", `${line}\n`);
    assert.equal(read(folder, "lines.jsonl"), "one\n", "half a line is left");
  }
  await files.put("a/whole.json", "new");
  await files.put("a/other.json", "newer");
  assert.equal(read(folder, "a/whole.json"), "old");
  full.dispose();
  await files.add("lines.jsonl", "four\n");
  assert.equal(read(folder, "lines.jsonl"), "one\ntwo\nthree\nfour\n");
  assert.equal(read(folder, "a/whole.json"), "old", "it was tried a moment ago");
  clock.now = 6000;
  await files.add("lines.jsonl", "five\n");
  assert.equal(read(folder, "a/whole.json"), "new");
  assert.equal(read(folder, "a/other.json"), "newer");
  await files.close();
  assert.deepEqual([...Deno.readDirSync(`${folder}/a`)].length, 2, "temporary files are left");
  assert.equal(said.length, 4, said.join("\n"));
  assert.match(said[0], /^warning: Cannot write .*lines\.jsonl: no space.*; training goes on, and/);
  assert.match(said[1], /^warning: Cannot write .*whole\.json/);
  assert.match(said[2], /^note: .*lines\.jsonl is written again, and nothing is lost$/);
});

folderTest("SideFiles holds no more than it may, and says what is lost", async (folder) => {
  const { files, said } = open(folder, 100);
  using full = fillDisk();
  await files.add("lines", `${"a".repeat(60)}\n`);
  await files.put("whole", "b".repeat(60)); // no room
  await files.add("lines", "c\n");
  full.dispose();
  await files.close();
  assert.equal(read(folder, "lines"), `${"a".repeat(60)}\nc\n`);
  assert.throws(() => read(folder, "whole"));
  assert.match(said.join("\n"), /whole: no space/);
});

folderTest("SideFiles names what was never written, and rejects nothing", async (folder) => {
  const { files, said } = open(`${folder}/gone`);
  const name = "x\u001b[2J\n\u202e";
  await Promise.all([files.add(name, "1"), files.put("b/c", "2"), files.remove("d")]);
  assert.equal(await files.edit("e", () => "text"), "text");
  await files.close();
  const all = said.join("|");
  // deno-lint-ignore no-control-regex
  assert.ok(!/[\x00-\x1f\u202e]/.test(all), JSON.stringify(all));
  assert.match(
    all,
    /warning: never written, .*gone\/x\\x1b\[2J\\x0a\\u202e, .*gone\/b\/c, .*gone\/e$/,
  );
  assert.ok(!all.includes("gone/d"), "what is not there need not be deleted");
});

folderTest("SideFiles refuses what is no file, without waiting for it", async (folder) => {
  await Deno.mkdir(`${folder}/metrics.jsonl`);
  if (Deno.build.os === "windows") await Deno.mkdir(`${folder}/device`);
  else await Deno.symlink("/dev/null", `${folder}/device`);
  const { files, said } = open(folder);
  await files.add("metrics.jsonl", "line\n");
  await files.add("device", "line\n");
  assert.equal(said.length, 2, said.join("\n"));
  for (const text of said) assert.match(text, /expected a regular file/);
  await Deno.remove(`${folder}/metrics.jsonl`);
  await files.close();
  assert.equal(read(folder, "metrics.jsonl"), "line\n");
});

folderTest("SideFiles edits in order with what waits, and once it can be read", async (folder) => {
  await Deno.mkdir(`${folder}/run.json`);
  const { files } = open(folder);
  assert.equal(await files.edit("run.json", (text) => `${text}1`), "");
  await files.add("run.json", "2");
  await files.edit("run.json", (text) => `${text}3`);
  await Deno.remove(`${folder}/run.json`);
  await files.add("run.json", "4");
  assert.equal(read(folder, "run.json"), "1234");
  assert.equal(await files.edit("none", (text) => text), "");
  await files.close();
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["run.json"]);
  assert.deepEqual(files.names, ["run.json", "none"]);
});
