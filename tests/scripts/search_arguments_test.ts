/** What a search is asked for is checked before it does anything. */
import assert from "node:assert/strict";
import { checkArguments, MOST_FOUND, type SearchOptions } from "../../scripts/search/arguments.ts";
import { plain, put } from "../data/support.ts";
import { folderTest } from "../support/permissions.ts";

const QUERY: SearchOptions = { weights: "run", k: 8 };

folderTest(
  "checkArguments() refuses what is no folder, no picture, or does not fit",
  async (root) => {
    await put(root, "p/a.png", plain(4, 4, [1, 2, 3]));
    await put(root, "photos.zip", new Uint8Array(4));
    await put(root, "name", new Uint8Array(4));
    await put(root, "text.png", new TextEncoder().encode("a text that is no picture"));
    const check = (folder: string, queries: string[], options: Partial<SearchOptions> = {}) =>
      checkArguments({
        folder: `${root}/${folder}`,
        queries: queries.map((name) => `${root}/${name}`),
        overrides: [],
        options: { ...QUERY, ...options },
      });
    await check("p", ["p/a.png"], { k: MOST_FOUND });
    await check("p", [], { duplicates: true, threshold: 0.5, mirrored: true });

    const cases: [RegExp, string, string[], Partial<SearchOptions>?][] = [
      [/Expected pictures at .*nowhere but cannot open it/, "nowhere", ["p/a.png"]],
      [/photos\.zip is a file, not a folder: unpack it/, "photos.zip/in", ["p/a.png"]],
      [/folder of pictures at .*a\.png but found a file: name its folder/, "p/a.png", ["p/a.png"]],
      [/Cannot read .*none\.png: it does not exist: check the path/, "p", ["p/a.png", "none.png"]],
      [/Cannot read .*\/p: expected a file but found a folder/, "p", ["p"]],
      [/but found .*name: no picture by its first bytes/, "p", ["name"]],
      [/but found .*text\.png: not a PNG/, "p", ["text.png"]],
      [/no picture beside --duplicates but found .*a\.png/, "p", ["p/a.png"], { duplicates: true }],
      [/a picture to search for, or --duplicates/, "p", []],
      [/--weights beside a picture to search for/, "p", ["p/a.png"], { weights: undefined }],
      [/no --feature beside --duplicates but found mean/, "p", [], {
        duplicates: true,
        feature: "mean",
      }],
      [/--threshold and --mirrored beside --dup/, "p", ["p/a.png"], { threshold: 0.5 }],
      [/-k of at most 1000 but found 1000000000: a page shows/, "p", ["p/a.png"], { k: 1e9 }],
    ];
    for (const [message, folder, queries, options] of cases) {
      await assert.rejects(check(folder, queries, options), { name: "HatchlingError", message });
    }
  },
);

folderTest("checkArguments() opens no pipe", async (root) => {
  await put(root, "p/a.png", plain(4, 4, [1, 2, 3]));
  const { success } = await new Deno.Command("mkfifo", { args: [`${root}/pipe.png`] }).output();
  assert.ok(success);
  const check = (folder: string, query: string) =>
    checkArguments({ folder, queries: [query], overrides: [], options: QUERY });
  await assert.rejects(
    check(`${root}/p`, `${root}/pipe.png`),
    /expected a regular file but found a/,
  );
  await assert.rejects(
    check(`${root}/pipe.png`, `${root}/p/a.png`),
    /Expected a folder of pictures/,
  );
}, ["run"]);
