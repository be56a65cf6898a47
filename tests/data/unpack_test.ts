import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { HatchlingError } from "../../lib/errors.ts";
import { type ExpectedFile, readExpected, untar, verifiedFolder } from "../../lib/data/unpack.ts";
import { folderTest } from "../support/permissions.ts";
import { tar } from "../support/tar.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const content = new Map([["a.bin", encode("alpha")], ["b.bin", encode("beta".repeat(1000))]]);
const expected: Record<string, ExpectedFile> = Object.fromEntries(
  Array.from(content, ([name, data]) => {
    return [name, { bytes: data.length, sha256: createHash("sha256").update(data).digest("hex") }];
  }),
);

/** The private folder among the temporary files takes env and sys permission to find. */
function fileTest(name: string, body: (root: string) => Promise<void>): void {
  folderTest(name, body, ["env", "sys"]);
}

async function assertComplete(folder: string): Promise<void> {
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  assert.deepEqual(names, [...content.keys()]);
  for (const [name, data] of content) {
    assert.deepEqual(await Deno.readFile(`${folder}/${name}`), data);
  }
}

Deno.test("untar() returns the content of every plain file", () => {
  assert.deepEqual(
    [...untar(tar(content))].map(([name, data]) => [name, [...data]]),
    [
      ...content,
    ].map(([name, data]) => [name, [...data]]),
  );
  assert.equal(untar(new Uint8Array(1024)).size, 0);
});

Deno.test("untar() throws when the archive is cut off or is none", () => {
  const archive = tar(content);
  assert.throws(() => untar(archive.subarray(0, 2000)), HatchlingError);
  assert.throws(() => untar(encode("x".repeat(600))), HatchlingError);
});

fileTest("verifiedFolder() unpacks once when called again", async (root) => {
  let calls = 0;
  const produce = () => (calls++, Promise.resolve(content));
  const folder = await verifiedFolder("set-1", expected, produce, [root]);
  assert.equal(await verifiedFolder("set-1", expected, produce, [root]), folder);
  assert.equal(calls, 1);
  await assertComplete(folder);
});

fileTest("verifiedFolder() repairs when a file is torn, changed or missing", async (root) => {
  const produce = () => Promise.resolve(content);
  const folder = await verifiedFolder("set-1", expected, produce, [root]);
  for (const damage of ["alph", "alphA", "", undefined]) {
    if (damage === undefined) await Deno.remove(`${folder}/a.bin`);
    else await Deno.writeTextFile(`${folder}/a.bin`, damage);
    await verifiedFolder("set-1", expected, produce, [root]);
    await assertComplete(folder);
  }
});

fileTest("verifiedFolder() serves everybody when many unpack at once", async (root) => {
  const calls = Array.from({ length: 8 }, () => {
    return verifiedFolder("set-1", expected, () => Promise.resolve(content), [root]);
  });
  assert.equal(new Set(await Promise.all(calls)).size, 1);
  await assertComplete(`${root}/set-1`);
});

fileTest("verifiedFolder() takes the next root when one cannot be written", async (root) => {
  // A plain file where the cache folder should be: not writable for root, either.
  await Deno.writeTextFile(`${root}/blocked`, "");
  const roots = [`${root}/blocked`, `${root}/free`];
  const folder = await verifiedFolder("set-1", expected, () => Promise.resolve(content), roots);
  assert.equal(folder, `${root}/free/set-1`);
  await assert.rejects(
    verifiedFolder("set-1", expected, () => Promise.resolve(content), roots.slice(0, 1)),
    (error: Error) => error instanceof HatchlingError && error.message.includes("HATCHLING_CACHE"),
  );
});

fileTest("verifiedFolder() throws when what it gets is not what it expects", async (root) => {
  const other = new Map([...content, ["a.bin", encode("omega")]]);
  await assert.rejects(
    verifiedFolder("set-1", expected, () => Promise.resolve(other), [root]),
    (error: Error) => error instanceof HatchlingError && error.message.includes("a.bin"),
  );
});

fileTest("readExpected() gives what is as it should be, and nothing else", async (root) => {
  await Deno.mkdir(`${root}/in`);
  const read = (name: string) => readExpected(root, name, expected["a.bin"]);
  await Deno.writeTextFile(`${root}/in/a.bin`, "alpha");
  assert.deepEqual(await read("in/a.bin"), content.get("a.bin"));
  for (
    const [damage, found] of [["alphA", "another content"], ["alpha and more", "no such file"]]
  ) {
    await Deno.writeTextFile(`${root}/in/a.bin`, damage);
    await assert.rejects(read("in/a.bin"), (error: Error) => {
      return error instanceof HatchlingError && error.message.includes(found);
    });
  }
  await assert.rejects(read("in"), /found no such file.*delete that folder/);
});
