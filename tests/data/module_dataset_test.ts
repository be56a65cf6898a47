import assert from "node:assert/strict";
import { relative } from "node:path";
import { luma } from "../../lib/data/image.ts";
import { DamagedPictureError } from "../../lib/data/dataset.ts";
import { openModule } from "../../lib/data/module_dataset.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { folderTest, lacks as cannot } from "../support/permissions.ts";
import { put, rgbAt } from "./support.ts";

const LIB = new URL("../../lib/data/", import.meta.url);
const code = (text: string) => new TextEncoder().encode(text);
const OPTIONS = { channels: 3, maxPixels: 64 };

/** A data set literal with some members exchanged. */
const literal = (members: string) =>
  code(`const data = new Uint8Array(16).fill(255);
export default {
  name: "own", length: 2, largestPixels: 4, skipped: [], id: (i) => "picture " + i,
  picture: (i) => ({ width: 2, height: 2, data: data.with(0, i) }),
  ${members}
};`);

function fails(promise: Promise<unknown>, ...patterns: RegExp[]): Promise<void> {
  return assert.rejects(promise, (error: Error) => {
    assert.ok(error instanceof HatchlingError, String(error));
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  });
}

folderTest("openModule() opens a data set that a script exports", async (folder) => {
  const path = await put(folder, "own.js", literal(`closed: 0, close() { this.closed++; }`));
  const data = await openModule(relative(Deno.cwd(), path), OPTIONS);
  assert.deepEqual([data.name, data.length, data.channels, data.largestPixels], ["own", 2, 3, 4]);
  assert.deepEqual([data.id(1), rgbAt(await data.picture(1), 0, 0)], ["picture 1", [1, 255, 255]]);
  const { default: own } = await import(`file://${path}`);
  data.close!();
  assert.equal(own.closed, 1);
  const gray = await openModule(path, { channels: 1, maxPixels: 1 });
  assert.deepEqual([gray.channels, gray.largestPixels], [1, 1]);
  const one = await gray.picture(0); // the mean of four, one of them without red
  assert.deepEqual([one.width, rgbAt(one, 0, 0)[0]], [1, luma(191, 255, 255)]);
});

folderTest("openModule() calls an exported function with the options", async (folder) => {
  const path = await put(
    folder,
    "made.ts",
    code(`import { functionDataset } from "${new URL("function_dataset.ts", LIB)}";
import { DamagedPictureError } from "${new URL("dataset.ts", LIB)}";
import type { ModuleOptions } from "${new URL("module_dataset.ts", LIB)}";
export default async ({ channels, maxPixels, seed = 0 }: ModuleOptions) =>
  await functionDataset({
    name: "made", length: 3, channels, maxPixels,
    picture: (i) => {
      if (i === 2) throw new DamagedPictureError("broken");
      return { width: 8, height: 8, channels, data: new Uint8Array(64 * channels).fill(seed + i) };
    },
    labels: { kind: ["a", "b", "a"] },
  });`),
  );
  const data = await openModule(path, { channels: 5, maxPixels: 100, seed: 40 });
  assert.deepEqual([data.channels, data.largestPixels], [5, 100]);
  assert.deepEqual([...data.labels!.kind.values], [0, 1, 0]);
  const { data: bytes } = await data.picture(1);
  assert.deepEqual([...bytes.subarray(252, 260)], [41, 41, 41, 255, 41, 41, 0, 255]);
  for (let again = 0; again < 2; again++) {
    await assert.rejects(async () => await data.picture(2), DamagedPictureError);
  }
  assert.deepEqual(data.skipped, [{ file: "2", reason: "broken" }]);
});

folderTest("openModule() names the file and what its export lacks", async (folder) => {
  let n = 0; // a module is imported once per path
  const given = async (bytes: Uint8Array) =>
    openModule(await put(folder, `m${n++}.ts`, bytes), OPTIONS);
  const lacks = async (source: string, pattern: RegExp) =>
    await fails(given(code(source)), pattern, new RegExp(`m${n - 1}\\.ts`));
  await lacks("export const x = 1;", /default export of .* Dataset, .* found undefined/);
  await lacks("export default 7;", /found 7/);
  await lacks("export default () => null;", /found null/);
  await lacks(
    "export default () => { throw new Error('no disk'); };",
    /its function failed: no disk/,
  );
  await lacks("throw new Error('early');", /importing it failed: early/);
  await lacks("export default {;", /importing it failed/);
  const member = (members: string, pattern: RegExp) => fails(given(literal(members)), pattern);
  await member("name: 7", /its "name" is 7 instead of a text/);
  await member("length: 0", /its "length" is 0 instead of an integer from 1 on/);
  await member("length: NaN", /its "length" is NaN/);
  await member("largestPixels: undefined", /its "largestPixels" is undefined/);
  await member("picture: []", /its "picture" is a value of type Array instead of a function/);
  await member("id: 'x'", /its "id" is "x" instead of a function/);
  await member("skipped: {}", /its "skipped" is a value of type Object instead of a list/);
  await member("labels: 3", /its "labels" is 3/);
  await member(
    "labels: { kind: ['a'] }",
    /In .*m\d+\.ts: .*"kind" of own for 2 pictures but found 1/,
  );
  await member("channels: 4", /In .*m\d+\.ts: .* 3 channels but found 4/);
  await fails(
    openModule(`${folder}/none.ts`, OPTIONS),
    /^Cannot read .*none\.ts: it does not exist: check the path$/,
  );
  if (Deno.build.os === "windows" || cannot("run")) return;
  const { success } = await new Deno.Command("mkfifo", { args: [`${folder}/pipe.ts`] }).output();
  if (!success) return;
  await fails(openModule(`${folder}/pipe.ts`, OPTIONS), /regular file but found a device, pipe/);
});

folderTest("openModule() checks the pictures themselves", async (folder) => {
  const picture = (given: string) => literal(`picture: () => (${given})`);
  const open = async (name: string, given: string) =>
    await openModule(await put(folder, name, picture(given)), OPTIONS);
  const large = await open("large.ts", "{ width: 3, height: 2, data: new Uint8Array(24) }");
  await fails(
    Promise.resolve(large.picture(1)),
    /at most 4 pixels from own, .* picture 1 has 3 × 2/,
  );
  const short = await open("short.ts", "{ width: 2, height: 2, data: new Uint8Array(15) }");
  await fails(Promise.resolve(short.picture(0)), /Picture 0 of own: .*16 bytes for 2 × 2/);
  const nothing = await open("nothing.ts", "undefined");
  await fails(Promise.resolve(nothing.picture(0)), /Picture 0 of own: .*found undefined/);
});
