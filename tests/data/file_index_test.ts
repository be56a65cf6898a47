import assert from "node:assert/strict";
import { dirname } from "node:path";
import { FileIndex } from "../../lib/data/file_index.ts";
import { listPictures } from "../../lib/data/files.ts";
import type { Header } from "../../lib/data/header.ts";
import type { Inspected } from "../../lib/data/inspect.ts";
import { indexTest, plain, put } from "./support.ts";

const N = 300; // enough to be worth an index
const header: Header = { format: "PNG", width: 3, height: 2 };
const YEAR_2001 = new Date("2001-02-03T04:05:06.789Z");

/** What is found in N files that changed long ago. */
const many = () =>
  new Map<string, Inspected>(Array.from({ length: N }, (_, i) => {
    return [`${i}\n/é.png`, { stamp: { size: i, mtime: 1e12 + i, ctime: 1e12 }, header }];
  }));
const NOW = 2e12;

/** The one index file of a cache folder. */
async function indexFile(cache: string): Promise<string> {
  const names = (await Array.fromAsync(Deno.readDir(`${cache}/index`))).map(({ name }) => name);
  assert.equal(names.length, 1, `expected one file but found ${names}`);
  return `${cache}/index/${names[0]}`;
}

indexTest("FileIndex gives back what it was given", async (_, cache) => {
  const index = await FileIndex.open("here", [cache]);
  assert.equal(index.size, 0);
  const found = many();
  found.set("text", { stamp: { size: 9, mtime: 1, ctime: 2 } });
  found.set("bad", { stamp: { size: 8, mtime: 3, ctime: 4 }, reason: "damaged “PNG”" });
  found.set("gone", { reason: "cannot be read" });
  const states = index.update(found, NOW);
  assert.equal(states.size, N + 2);
  index.setPlace("text", states.get("text")!, 1 - 2 ** -48);
  await index.save();
  const again = await FileIndex.open("here", [cache]);
  assert.equal(again.size, N + 2);
  assert.deepEqual(again.get("7\n/é.png"), {
    size: 7,
    mtime: 1e12 + 7,
    ctime: 1e12,
    header,
    reason: undefined,
    place: undefined,
  });
  assert.equal(again.get("text")!.place, 1 - 2 ** -48);
  assert.equal(again.get("text")!.header, undefined);
  assert.equal(again.get("bad")!.reason, "damaged “PNG”");
  assert.equal(again.get("gone"), undefined);
  assert.equal((await FileIndex.open("there", [cache])).size, 0);
});

indexTest(
  "FileIndex does not keep files that changed just before they were read",
  async (_, cache) => {
    const index = await FileIndex.open("here", [cache]);
    const found = many();
    found.set("by contents", { stamp: { size: 1, mtime: NOW - 1999, ctime: 0 }, header });
    found.set("by name", { stamp: { size: 1, mtime: 0, ctime: NOW - 1999 }, header });
    found.set("tomorrow", { stamp: { size: 1, mtime: NOW + 1e8, ctime: 0 }, header });
    found.set("before", { stamp: { size: 1, mtime: NOW - 2000, ctime: 0 }, header });
    assert.equal(index.update(found, NOW).size, N + 4);
    assert.equal(index.size, N + 1);
    assert.ok(index.get("before"));
  },
);

indexTest("FileIndex writes only what has changed, and no small index", async (_, cache) => {
  const index = await FileIndex.open("here", [cache]);
  const few = [...many()].slice(0, 255);
  index.update(new Map(few), NOW);
  await index.save();
  await assert.rejects(Deno.stat(cache));
  index.update(many(), NOW);
  await index.save();
  const path = await indexFile(cache);
  const inode = async () => (await Deno.stat(path)).ino; // a new file with each write
  const first = await inode();
  const again = await FileIndex.open("here", [cache]);
  const same = new Map([...many()].map(([key, { stamp }]) => [key, { stamp, same: true }]));
  const states = again.update(same, NOW);
  await again.save();
  assert.equal(await inode(), first);
  again.setPlace("5\n/é.png", states.get("5\n/é.png")!, 0.5);
  await again.save();
  assert.equal((await FileIndex.open("here", [cache])).get("5\n/é.png")!.place, 0.5);
  const last = await FileIndex.open("here", [cache]);
  same.delete("6\n/é.png");
  last.update(same, NOW);
  await last.save();
  assert.equal((await FileIndex.open("here", [cache])).size, N - 1);
});

indexTest(
  "FileIndex is empty when its file is torn, changed, older or foreign",
  async (_, cache) => {
    const index = await FileIndex.open("here", [cache]);
    index.update(many(), NOW);
    await index.save();
    const path = await indexFile(cache);
    const whole = await Deno.readFile(path);
    const opened = async (bytes: Uint8Array) => {
      await Deno.writeFile(path, bytes);
      return (await FileIndex.open("here", [cache])).size;
    };
    assert.equal(await opened(whole), N);
    for (const length of [0, 1, 50, 100, whole.length >> 1, whole.length - 1]) {
      assert.equal(await opened(whole.subarray(0, length)), 0, `of ${length} bytes`);
    }
    for (const at of [0, 16, 30, 90, whole.length >> 1, whole.length - 2]) {
      const flipped = whole.slice();
      flipped[at] ^= 1;
      assert.equal(await opened(flipped), 0, `byte ${at}`);
    }
    assert.equal(await opened(crypto.getRandomValues(new Uint8Array(5000))), 0);
    assert.equal(await opened(new TextEncoder().encode(`{"keys":[]}${" ".repeat(200)}`)), 0);
    // A file of another folder under this one's name, whole as it is.
    const other = await FileIndex.open("there", [`${cache}2`]);
    other.update(many(), NOW);
    await other.save();
    assert.equal(await opened(await Deno.readFile(await indexFile(`${cache}2`))), 0);
    await Deno.remove(path);
    await Deno.mkdir(path); // nor does a folder in its place stop anything
    const blocked = await FileIndex.open("here", [cache]);
    blocked.update(many(), NOW);
    await blocked.save();
    assert.equal((await FileIndex.open("here", [cache])).size, 0);
  },
);

indexTest("FileIndex opens no pipe in its place", async (folder, cache) => {
  const index = await FileIndex.open("here", [cache]);
  index.update(many(), NOW);
  await index.save();
  const path = await indexFile(cache);
  await Deno.remove(path);
  const { success } = await new Deno.Command("mkfifo", { args: [path], cwd: folder }).output();
  assert.ok(success);
  const blocked = await FileIndex.open("here", [cache]);
  assert.equal(blocked.size, 0);
  blocked.update(many(), NOW);
  await blocked.save();
  assert.equal((await FileIndex.open("here", [cache])).size, N, "a file is put in its place");
}, ["run"]);

indexTest(
  "FileIndex takes the next cache folder, or none, when one cannot be written",
  async (_, cache) => {
    await put(dirname(cache), "file", new Uint8Array(1));
    const blocked = `${dirname(cache)}/file/cache`; // below a file: nobody can write there
    const index = await FileIndex.open("here", [blocked, cache]);
    index.update(many(), NOW);
    await index.save();
    assert.equal((await FileIndex.open("here", [blocked, cache])).size, N);
    const none = await FileIndex.open("here", [blocked]);
    none.update(many(), NOW);
    await none.save();
    assert.equal((await FileIndex.open("here", [blocked])).size, 0);
  },
);

/** N + 4 files that changed long ago; 0.png, 1.png, … of width 1 + i % 5. */
async function old(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (let i = 0; i < N; i++) {
    paths.push(await put(folder, `${i}.png`, plain(1 + i % 5, 1, [0, 0, 0])));
  }
  paths.push(await put(folder, "text.png", new TextEncoder().encode("no")));
  for (const path of paths) await Deno.utime(path, YEAR_2001, YEAR_2001);
  return paths;
}

const widths = ({ files }: Awaited<ReturnType<typeof listPictures>>) =>
  new Map(files.map(({ id, state: { header } }) => [id, header.width]));

/** Lets `ctime` fall out of the time in which changes are not trusted: rewrites an index as if it had. */
async function settle(folder: string, cache: string): Promise<void> {
  const index = await FileIndex.open(folder, [cache]);
  const { files, skipped } = await listPictures(folder);
  const found = new Map<string, Inspected>(files.map(({ id, state }) => [id, {
    stamp: state,
    header: state.header,
  }]));
  for (const { file, reason } of skipped) {
    const { size, mtime, ctime } = await Deno.stat(file);
    const stamp = { size, mtime: mtime!.getTime(), ctime: ctime?.getTime() ?? 0 };
    found.set(file.slice(folder.length + 1), { stamp, reason });
  }
  index.update(found, Date.now() + 60_000);
  await index.save();
}

indexTest("listPictures() reads only files that are new or changed", async (folder, cache) => {
  await old(folder);
  const first = await listPictures(folder);
  assert.equal(first.files.length, N);
  await settle(folder, cache);
  // What the index says is believed of unchanged files: make it say something else.
  const index = await FileIndex.open(folder, [cache]);
  for (const id of ["10.png", "11.png", "12.png"]) assert.equal(index.get(id)!.header!.height, 1);
  const lie = { format: "PNG", width: 77, height: 1 } as const;
  const found = new Map<string, Inspected>();
  for (const { id, state } of first.files) found.set(id, { stamp: state, header: lie });
  index.update(found, Date.now() + 60_000);
  await index.save();
  // Same size, another time; another size at the same time; a new one; one that is gone.
  await put(folder, "10.png", plain(5, 1, [0, 0, 0]));
  const longer = await put(folder, "11.png", plain(9, 9, [1, 2, 3]));
  await Deno.utime(longer, YEAR_2001, YEAR_2001);
  await put(folder, "new.png", plain(8, 1, [0, 0, 0]));
  await Deno.remove(`${folder}/12.png`);
  const found2 = widths(await listPictures(folder));
  assert.equal(found2.get("10.png"), 5);
  assert.equal(found2.get("11.png"), 9);
  assert.equal(found2.get("new.png"), 8);
  assert.equal(found2.get("12.png"), undefined);
  assert.equal(found2.get("13.png"), 77);
  assert.equal(found2.size, N);
});

indexTest(
  "listPictures() finds the same with an index, without, and with a torn one",
  async (folder, cache) => {
    await old(folder);
    const facts = ({ files, skipped, others }: Awaited<ReturnType<typeof listPictures>>) => ({
      files: files.map(({ id, path, state: { size, header } }) => ({ id, path, size, header })),
      skipped,
      others,
    });
    const first = facts(await listPictures(folder));
    assert.equal(first.skipped.length, 1);
    await settle(folder, cache);
    assert.deepEqual(facts(await listPictures(folder)), first);
    await Deno.writeTextFile(await indexFile(cache), "hatchling-index 1 torn");
    assert.deepEqual(facts(await listPictures(folder)), first);
    // Nothing was put into the folder itself.
    const names = (await Array.fromAsync(Deno.readDir(folder))).length;
    assert.equal(names, N + 1);
  },
);
