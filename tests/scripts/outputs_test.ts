/** scripts/common/outputs.ts: what a command may write. */
import assert from "node:assert/strict";
import { pageMark } from "../../lib/draw/html.ts";
import ignored from "../../.gitignore" with { type: "text" };
import deno from "../../deno.json" with { type: "json" };
import {
  claimOutputs,
  defaultFolder,
  headOf,
  isPage,
  makeFolder,
  OUT,
  probeFolder,
  refuseAmong,
  tailOf,
} from "../../scripts/common/outputs.ts";
import { plain, put } from "../data/support.ts";
import { folderTest } from "../support/permissions.ts";

const remedy = "choose another --out";
const text = (words: string) => new TextEncoder().encode(words);
/** Files of "this command" begin with "mine". */
const own = (path: string) => headOf(path, 4) === "mine";

folderTest("claimOutputs() lets files be made, and made again by the same command", async (dir) => {
  await put(dir, "input.csv", text("a,b"));
  await put(dir, "again.csv", text("mine, from before"));
  const inputs = [`${dir}/input.csv`, dir, undefined, null, `${dir}/missing`];
  for (const name of ["new.csv", "again.csv", "no-folder/new.csv"]) {
    claimOutputs([{ path: `${dir}/${name}`, own }], { inputs, remedy });
  }
});

folderTest("claimOutputs() refuses an input by whatever name, also with overwrite", async (dir) => {
  await put(dir, "a/input.csv", text("mine by its look, but read"));
  await Deno.symlink(`${dir}/a/input.csv`, `${dir}/link.csv`);
  await Deno.symlink(`${dir}/a`, `${dir}/folder-link`);
  await Deno.link(`${dir}/a/input.csv`, `${dir}/hard.csv`);
  const names = [
    "a/input.csv",
    "a/../a/./input.csv",
    "link.csv",
    "folder-link/input.csv",
    "hard.csv",
  ];
  for (const name of names) {
    for (const [path, input] of [[name, "a/input.csv"], ["a/input.csv", name]]) {
      for (const overwrite of [undefined, false, true]) {
        assert.throws(
          () =>
            claimOutputs([{ path: `${dir}/${path}`, own }], {
              inputs: [`${dir}/${input}`],
              overwrite,
              remedy,
            }),
          /Cannot write .*\.csv: this command reads that file.*: choose another --out$/,
          `${path} over ${input}`,
        );
      }
    }
  }
});

folderTest(
  "claimOutputs() replaces others' files with overwrite only, but none among inputs",
  async (dir) => {
    await put(dir, "notes.csv", text("theirs"));
    await put(dir, "set/notes.csv", text("theirs"));
    await put(dir, "picture.csv", plain(3, 2, [1, 2, 3]));
    await Deno.symlink(`${dir}/nowhere`, `${dir}/dangling.csv`);
    await Deno.mkdir(`${dir}/folder.csv`);
    const claim = (name: string, overwrite?: boolean) => () =>
      claimOutputs([{ path: `${dir}/${name}`, own }], {
        inputs: [`${dir}/set`],
        overwrite,
        remedy,
      });
    assert.throws(
      claim("notes.csv"),
      /that this command did not make is there: choose another --out$/,
    );
    assert.throws(
      claim("notes.csv", false),
      /choose another --out, or add --overwrite to replace it$/,
    );
    assert.throws(claim("dangling.csv", false), /a link to nowhere is there/);
    claim("notes.csv", true)();
    claim("set/new.csv", true)();
    assert.throws(claim("set/notes.csv", true), /one of the files in .*set, an input/);
    assert.throws(claim("picture.csv", true), /it is a picture/);
    assert.throws(claim("folder.csv", true), /expected a file but found a folder/);
    if (Deno.build.os === "linux") {
      assert.throws(
        () => claimOutputs([{ path: "/dev/null", own: () => true }], { inputs: [], remedy }),
        /device, pipe or socket/,
      );
    }
  },
);

folderTest("claimOutputs() refuses two outputs in one file", async (dir) => {
  await put(dir, "a.csv", text("mine"));
  await Deno.link(`${dir}/a.csv`, `${dir}/b.csv`);
  for (const [a, b] of [["a.csv", "b.csv"], ["new.csv", "./new.csv"]]) {
    const files = [a, b].map((name) => ({ path: `${dir}/${name}`, own }));
    assert.throws(() => claimOutputs(files, { inputs: [], remedy }), /same file as .*written too/);
  }
});

folderTest(
  "refuseAmong() keeps pictures out of folders that pictures are read from",
  async (dir) => {
    await Deno.mkdir(`${dir}/photos/deep`, { recursive: true });
    await Deno.symlink(`${dir}/photos`, `${dir}/link`);
    const claim = { inputs: [`${dir}/photos`, undefined, `${dir}/nowhere`], remedy };
    for (const name of ["photos", "photos/deep/new", "link/new", "elsewhere/../photos/x"]) {
      assert.throws(
        () => refuseAmong(`${dir}/${name}`, claim),
        /pictures are read from: choose/,
        name,
      );
    }
    for (const name of ["photos-seen", ".", "new/photos"]) refuseAmong(`${dir}/${name}`, claim);
  },
);

folderTest(
  "pages are told by their mark; ends of files are read whatever they hold",
  async (dir) => {
    await put(dir, "a.html", text(`<head>${pageMark("look")}</head>`));
    await put(dir, "bytes", Uint8Array.of(0x93, 0, 255, 7));
    assert.ok(isPage("look")(`${dir}/a.html`) && !isPage("preview")(`${dir}/a.html`));
    assert.equal(headOf(`${dir}/bytes`, 3), "\x93\0\xff");
    assert.equal(tailOf(`${dir}/bytes`, 2), "\xff\x07");
    assert.equal(headOf(`${dir}/missing`, 2), "");
  },
);

folderTest(
  "makeFolder() and probeFolder() say at once that nothing can be written there",
  async (dir) => {
    makeFolder(`${dir}/a/b`, remedy);
    assert.deepEqual([...Deno.readDirSync(`${dir}/a/b`)], []);
    await put(dir, "file", text("x"));
    probeFolder(`${dir}/new/deep`, remedy);
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), ["a", "file"]);
    assert.throws(
      () => probeFolder(`${dir}/file/b`, remedy),
      /Cannot make files in .*choose another/,
    );
    assert.throws(
      () => makeFolder(`${dir}/file/b`, remedy),
      /Cannot make files in .*choose another/,
    );
  },
);

Deno.test("results go below the run, else into a folder that git and the formatter pass over", () => {
  assert.equal(defaultFolder("look", "runs/a"), "runs/a/look");
  assert.equal(defaultFolder("search"), "out/search");
  for (const folder of [OUT, "runs"]) {
    assert.ok(deno.fmt.exclude.includes(`${folder}/`) && deno.lint.exclude.includes(`${folder}/`));
    assert.match(ignored, new RegExp(`^${folder}/$`, "m"));
  }
});
