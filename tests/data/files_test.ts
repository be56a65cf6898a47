import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { listPictures } from "../../lib/data/files.ts";
import jpeg from "./fixtures/rgb.jpg" with { type: "bytes" };
import { indexTest, plain, put } from "./support.ts";

const ids = ({ files }: { files: { id: string }[] }) => files.map(({ id }) => id);

/** Reasons by file name. */
const reasons = ({ skipped }: { skipped: { file: string; reason: string }[] }) =>
  Object.fromEntries(skipped.map(({ file, reason }) => [file.split(/[\\/]/).at(-1), reason]));

indexTest("listPictures() follows links to folders once, and in no circle", async (root) => {
  const folder = `${root}/set`;
  await put(folder, "real/1.png", plain(1, 1, [1, 1, 1]));
  await put(folder, "real/deep/2.png", plain(1, 1, [1, 1, 1]));
  await put(root, "out/3.png", plain(1, 1, [1, 1, 1]));
  await put(root, "out/sub/4.png", plain(1, 1, [1, 1, 1]));
  symlinkSync(folder, `${folder}/real/loop`);
  symlinkSync(`${folder}/real`, `${folder}/a_link_to_real`);
  symlinkSync("..", `${folder}/up`); // holds the folder itself
  symlinkSync(`${root}/out`, `${folder}/z`);
  symlinkSync(`${root}/out/sub`, `${folder}/m`); // before "z", which leads there too
  symlinkSync(`${root}/out`, `${root}/out/sub/back`);
  symlinkSync(`${root}/out`, `${folder}/real/y`); // "real/y" comes before "z"
  const listing = await listPictures(folder);
  assert.deepEqual(ids(listing), ["m/4.png", "real/1.png", "real/deep/2.png", "real/y/3.png"]);
  assert.deepEqual(listing.skipped, []);
  // loop, a_link_to_real, up, back, z, and "sub" met again below real/y.
  assert.equal(listing.linked, 6);
});

indexTest(
  "listPictures() lists a file once, under its real entry or its first link",
  async (root) => {
    const folder = `${root}/set`;
    await put(folder, "m/real.png", plain(1, 1, [1, 1, 1]));
    await put(folder, ".hidden/h.png", plain(1, 1, [1, 1, 1]));
    await put(folder, "notes.txt", plain(1, 1, [1, 1, 1]));
    await put(root, "out/x.png", plain(1, 1, [1, 1, 1]));
    symlinkSync(`${folder}/m/real.png`, `${folder}/a.png`);
    symlinkSync(`${folder}/a.png`, `${folder}/b.png`); // a link to a link
    symlinkSync(`${folder}/.hidden/h.png`, `${folder}/h2.png`);
    symlinkSync(`${folder}/.hidden/h.png`, `${folder}/h1.png`);
    symlinkSync(`${folder}/notes.txt`, `${folder}/text.png`);
    symlinkSync(`${root}/out/x.png`, `${folder}/p.png`);
    symlinkSync(`${root}/out`, `${folder}/o`); // "o/x.png" comes before "p.png"
    const listing = await listPictures(folder);
    assert.deepEqual(ids(listing), ["h1.png", "m/real.png", "o/x.png", "text.png"]);
    assert.equal(listing.linked, 4);
    assert.equal(listing.others, 1);
    // Whatever is known from before, the answer is the same.
    assert.deepEqual(ids(await listPictures(folder)), ids(listing));
    await Deno.remove(`${folder}/m/real.png`);
    const later = await listPictures(folder);
    assert.match(reasons(later)["a.png"], /symbolic link to nowhere/);
  },
);

indexTest("listPictures() keeps hard links: they are entries of their own", async (folder) => {
  const path = await put(folder, "a/1.png", plain(1, 1, [1, 1, 1]));
  await Deno.mkdir(`${folder}/b`);
  await Deno.link(path, `${folder}/b/1.png`);
  assert.deepEqual(ids(await listPictures(folder)), ["a/1.png", "b/1.png"]);
});

indexTest("listPictures() names links to nowhere and in circles", async (folder) => {
  await put(folder, "1.png", plain(1, 1, [1, 1, 1]));
  symlinkSync(`${folder}/gone.png`, `${folder}/dangling.png`);
  symlinkSync(`${folder}/y.png`, `${folder}/x.png`);
  symlinkSync(`${folder}/x.png`, `${folder}/y.png`);
  const listing = await listPictures(folder);
  assert.deepEqual(ids(listing), ["1.png"]);
  assert.match(reasons(listing)["dangling.png"], /symbolic link to nowhere/);
  assert.match(reasons(listing)["x.png"], /cannot be read/);
  assert.equal(listing.skipped.length, 3);
});

if (Deno.build.os === "linux") {
  const run = async (command: string, ...args: string[]) => {
    const { success } = await new Deno.Command(command, { args }).output();
    assert.ok(success, `${command} failed`);
  };
  indexTest("listPictures() never opens a pipe", async (folder) => {
    await put(folder, "1.png", plain(1, 1, [1, 1, 1]));
    await run("mkfifo", `${folder}/pipe.png`, `${folder}/pipe`, `${folder}/pipe.heic`);
    symlinkSync(`${folder}/pipe.png`, `${folder}/link.png`);
    symlinkSync("/dev/zero", `${folder}/zero.jpg`);
    const listing = await listPictures(folder);
    assert.deepEqual(ids(listing), ["1.png"]);
    for (const name of ["pipe.png", "link.png", "zero.jpg"]) {
      assert.match(reasons(listing)[name], /a pipe, a socket or a device/, name);
    }
    assert.match(reasons(listing)["pipe.heic"], /a pipe, a socket or a device/); // not to be converted
    assert.equal(listing.skipped.length, 4);
    assert.equal(listing.others, 1);
  }, ["run"]);

  indexTest(
    "listPictures() works with any name, and skips what has no UTF-8 name",
    async (folder) => {
      const names = [
        "new\nline.png",
        "tab\t.png",
        "日本/é.png",
        "e\u0301.png",
        'quo"te.png',
        "a\\b.png",
        "100%.png",
        "😀.png", // before the next in UTF-16, after it in UTF-8
        "\uff5e.png",
        "-rf.png",
        " .png",
      ];
      for (const name of names) await put(folder, name, plain(1, 1, [1, 1, 1]));
      // printf makes the bytes that no string of ours holds.
      const script = `printf x > "$1/$(printf 'bad\\377.png')" && mkdir "$1/$(printf 'dir\\376')"`;
      await run("sh", "-c", script, "sh", folder);
      const listing = await listPictures(folder);
      assert.deepEqual(ids(listing), names.toSorted((a, b) => (a < b ? -1 : 1)));
      assert.equal(listing.skipped.length, 2);
      for (const { reason } of listing.skipped) assert.match(reason, /not valid UTF-8: rename it/);
    },
    ["run"],
  );

  indexTest("listPictures() goes as deep as paths may be long, and no deeper", async (folder) => {
    await put(folder, "1.png", plain(1, 1, [1, 1, 1]));
    const deeper = "d/".repeat(900); // three times: beyond the longest path that Linux and macOS take
    for (let level = 0, cwd = folder; level < 3; level++, cwd += `/${deeper}`.slice(0, -1)) {
      try {
        const { success } = await new Deno.Command("mkdir", { args: ["-p", deeper], cwd }).output();
        assert.ok(success);
      } catch {
        assert.ok(level > 0, "macOS takes a quarter of what Linux does");
      }
    }
    await put(folder, `${"d/".repeat(400)}2.png`, plain(1, 1, [1, 1, 1]));
    const listing = await listPictures(folder);
    assert.deepEqual(ids(listing), ["1.png", `${"d/".repeat(400)}2.png`]);
    assert.equal(listing.skipped.length, 1);
    assert.match(listing.skipped[0].reason, /cannot be read.*long/);
  }, ["run"]);
}

indexTest("listPictures() reads on where a JPEG states its size late", async (folder) => {
  // Segments of an unknown application before the frame header, as cameras write previews.
  const segment = (bytes: number) => {
    const out = new Uint8Array(bytes + 4);
    out.set([0xff, 0xef, (bytes + 2) >> 8, (bytes + 2) & 255]);
    return out;
  };
  for (const segments of [1, 3, 20]) {
    const parts = [jpeg.subarray(0, 2), ...Array(segments).fill(segment(60_000)), jpeg.subarray(2)];
    await put(folder, `${segments}.jpg`, new Uint8Array(await new Blob(parts).arrayBuffer()));
  }
  await put(folder, "cut.jpg", (await Deno.readFile(`${folder}/3.jpg`)).subarray(0, 100_000));
  const listing = await listPictures(folder);
  assert.deepEqual(ids(listing), ["1.jpg", "20.jpg", "3.jpg"]);
  for (const { state: { header } } of listing.files) {
    assert.deepEqual([header.width, header.height], [16, 24]);
  }
  assert.match(reasons(listing)["cut.jpg"], /ends before its size is stated \(100000 bytes\)/);
});

indexTest(
  "listPictures() finds the same with workers, and reports how far it is",
  async (folder) => {
    const n = 700;
    for (let i = 0; i < n; i++) {
      await put(
        folder,
        `${i % 7}/${i}.png`,
        i % 50 ? plain(1 + i % 9, 2, [1, 1, 1]) : jpeg.subarray(0, 20),
      );
    }
    const calls: [number, number, string][] = [];
    const listing = await listPictures(folder, (...call) => calls.push(call));
    assert.equal(listing.files.length, n - 14);
    assert.equal(listing.skipped.length, 14);
    for (const { id, state: { header } } of listing.files) {
      assert.equal(header.width, 1 + Number(id.slice(2, -4)) % 9, id);
    }
    assert.deepEqual(calls.at(-1), [n, n, "reading headers"]);
  },
);

indexTest("listPictures() does without workers where they may not start", async (folder) => {
  const n = 1100; // several chunks for each
  for (let i = 0; i < n; i++) await put(folder, `${i}.png`, plain(1, 1, [1, 1, 1]));
  const files = new URL("../../lib/data/files.ts", import.meta.url).href;
  const code = `import { listPictures } from ${JSON.stringify(files)};
    console.log((await listPictures(${JSON.stringify(folder)})).files.length);`;
  const script = await put(folder, "list.ts", new TextEncoder().encode(code));
  const args = ["run", "--no-prompt", "--no-check", "--no-lock", `--allow-read=${folder}`, script];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const said = new TextDecoder().decode(stderr);
  assert.match(said, /in worker.*read access/, "the workers did start");
  assert.equal(new TextDecoder().decode(stdout).trim(), `${n}`, said);
}, ["run"]);
