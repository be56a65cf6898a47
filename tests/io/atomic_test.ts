import assert from "node:assert/strict";
import { HatchlingError } from "../../lib/errors.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { fileError } from "../../lib/io/files.ts";
import { folderTest } from "../support/permissions.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

folderTest("writeFileAtomic() replaces a file and leaves nothing else behind", async (folder) => {
  await writeFileAtomic(`${folder}/a`, bytes("old"));
  await writeFileAtomic(`${folder}/a`, bytes("newer"));
  assert.equal(await Deno.readTextFile(`${folder}/a`), "newer");
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["a"]);
});

folderTest("writeFileAtomic() keeps the old file when it fails", async (folder) => {
  await Deno.mkdir(`${folder}/a`);
  await Deno.writeTextFile(`${folder}/a/b`, "old");
  // a folder that is not empty cannot be replaced by a file
  await assert.rejects(writeFileAtomic(`${folder}/a`, bytes("new")), HatchlingError);
  assert.equal(await Deno.readTextFile(`${folder}/a/b`), "old");
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["a"]);
});

folderTest("writeFileAtomic() never shows a reader half a file", async (folder) => {
  const path = `${folder}/a`;
  const texts = ["a", "b"].map((c) => c.repeat(1 << 20));
  await writeFileAtomic(path, bytes(texts[0]));
  const writes = (async () => {
    for (let i = 1; i <= 10; i++) await writeFileAtomic(path, bytes(texts[i % 2]));
  })();
  for (let i = 0; i < 10; i++) assert(texts.includes(await Deno.readTextFile(path)));
  await writes;
});

Deno.test("fileError() tells missing, forbidden and full apart", () => {
  const message = (error: Error) => fileError("write", "a/b", error).message;
  assert.match(message(new Deno.errors.NotFound("x")), /^Cannot write a\/b: it does not exist/);
  assert.match(message(new Deno.errors.PermissionDenied("x")), /permission denied/);
  const full = Object.assign(new Error("x"), { code: "ENOSPC" });
  assert.match(message(full), /no space left on the disk of a\/b/);
  assert.match(message(new Error("strange")), /Cannot write a\/b: strange/);
});
