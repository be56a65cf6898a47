/** What a search keeps: whatever becomes of the files, rows are right or not there. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeSegment, encodeSegment } from "../../lib/search/segment.ts";
import { StoreChanged } from "../../lib/search/segment_files.ts";
import { retried, RowStore } from "../../lib/search/store.ts";
import { folderTest } from "../support/permissions.ts";

const ROW = 16;
const stamp = (i: number) => ({ size: 100 + i, mtime: 1e12 + i, ctime: 1e12 });
const rowOf = (i: number) => Uint8Array.from({ length: ROW }, (_, k) => (31 * i + k) % 256);
const idOf = (i: number) => `a/${i}.png`;
const all = (n: number) => Array.from({ length: n }, (_, i) => i);

/** A store with n rows in as many segments, and a file without one. */
async function filled(root: string, n: number): Promise<RowStore> {
  const store = await RowStore.open("rows of p", ROW, [root]);
  for (const i of all(n)) {
    await store.add(idOf(i), stamp(i), { row: rowOf(i), meta: { width: i } });
    await store.flush();
  }
  await store.add("torn.png", stamp(99), { reason: "torn" });
  await store.flush();
  return store;
}

/** What a store has of those rows; each must be as it was. */
async function present(store: RowStore, n: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { ids, data } of store.read()) {
    ids.forEach((id, row) => {
      const i = all(n).find((i) => idOf(i) === id)!;
      assert.deepEqual(data.slice(row * ROW, (row + 1) * ROW), rowOf(i));
      assert.equal(store.meta(id)?.width, i);
      found.push(i);
    });
  }
  const rows = await store.rows(new Set(all(n).map(idOf)));
  assert.deepEqual([...rows.keys()].sort(), found.map(idOf).sort());
  for (const i of found) assert.deepEqual(rows.get(idOf(i)), rowOf(i));
  assert.deepEqual(all(n).filter((i) => store.get(idOf(i), stamp(i))), found.sort());
  return found;
}

async function segments(root: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name: folder } of Deno.readDir(`${root}/search`)) {
    for await (const { name } of Deno.readDir(`${root}/search/${folder}`)) {
      if (name.endsWith(".rows")) paths.push(`${root}/search/${folder}/${name}`);
    }
  }
  return paths.sort();
}

folderTest("rows are there the next time, by the state of their files", async (root) => {
  await filled(root, 3);
  const store = await RowStore.open("rows of p", ROW, [root]);
  assert.deepEqual(await present(store, 3), [0, 1, 2]);
  assert.equal(store.reason("torn.png"), "torn");
  assert.deepEqual(store.remarks, []);
  assert.equal(store.get(idOf(1), stamp(2)), undefined);
  assert.deepEqual(await present(await RowStore.open("rows of q", ROW, [root]), 3), []);
  await store.keep(new Set([idOf(2)]));
  assert.deepEqual(await present(store, 3), [2]);
  assert.equal((await segments(root)).length, 1, "merged");
});

const DAMAGES: Record<string, (path: string, bytes: Uint8Array) => Promise<void>> = {
  "a bit of its rows is another": (path, bytes) => Deno.writeFile(path, flipped(bytes, -3)),
  "a bit of its JSON is another": (path, bytes) => Deno.writeFile(path, flipped(bytes, 150)),
  "it is cut off": (path, bytes) => Deno.writeFile(path, bytes.subarray(0, bytes.length - ROW)),
  "it has grown": (path, bytes) => Deno.writeFile(path, bytes.slice(0, 1), { append: true }),
  "it is empty": (path) => Deno.writeFile(path, new Uint8Array()),
  "it is of another version": async (path, bytes) => {
    const text = new TextDecoder("latin1").decode(bytes.subarray(0, 16));
    assert.equal(text, "hatchling-rows 2");
    await Deno.writeFile(path, bytes.with(15, 0x31));
  },
  "a folder is in its place": async (path) => {
    await Deno.remove(path);
    await Deno.mkdir(`${path}/inner`, { recursive: true });
  },
  "a link to nowhere is in its place": async (path) => {
    await Deno.remove(path);
    await Deno.symlink(`${path}.gone`, path);
  },
};

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const i = (at + bytes.length) % bytes.length;
  return bytes.with(i, bytes[i] ^ 1);
}

for (const [what, damage] of Object.entries(DAMAGES)) {
  folderTest(`a kept file is made again when ${what}`, async (root) => {
    await filled(root, 3);
    const [, path] = await segments(root);
    await damage(path, await Deno.readFile(path));
    const store = await RowStore.open("rows of p", ROW, [root]);
    assert.deepEqual(await present(store, 3), [0, 2]);
    assert.match(store.remarks.join(), /^1 of the files kept in .* damaged or of another version/);
    await store.add(idOf(1), stamp(1), { row: rowOf(1), meta: { width: 1 } });
    await store.flush();
    const next = await RowStore.open("rows of p", ROW, [root]);
    assert.deepEqual(await present(next, 3), [0, 1, 2]);
    assert.deepEqual(next.remarks, []);
  });
}

folderTest(
  "a kept file is made again when a pipe is in its place",
  async (root) => {
    await filled(root, 2);
    const [path] = await segments(root);
    await Deno.remove(path);
    const { code } = await new Deno.Command("mkfifo", { args: [path] }).output();
    assert.equal(code, 0);
    const store = await RowStore.open("rows of p", ROW, [root]);
    assert.deepEqual(await present(store, 2), [1]);
    assert.equal(store.remarks.length, 1);
  },
  ["run"],
);

Deno.test("no damage of a segment goes unseen", () => {
  const entries = all(5).map((i) => ({ id: idOf(i), stamp: stamp(i), meta: { width: i } }));
  const bytes = encodeSegment({ of: "x", rowBytes: ROW, entries }, all(5).map(rowOf));
  assert.deepEqual(decodeSegment(bytes, "x", ROW)?.head.entries.length, 5);
  assert.equal(decodeSegment(bytes, "y", ROW), undefined);
  assert.equal(decodeSegment(bytes, "x", 2 * ROW), undefined);
  const place = fc.nat(bytes.length - 1);
  fc.assert(fc.property(place, fc.integer({ min: 1, max: 255 }), (at, by) => {
    assert.equal(decodeSegment(bytes.with(at, bytes[at] ^ by), "x", ROW), undefined);
  }));
  fc.assert(fc.property(place, (length) => {
    assert.equal(decodeSegment(bytes.slice(0, length), "x", ROW), undefined);
  }));
  fc.assert(fc.property(fc.uint8Array({ minLength: 1 }), (more) => {
    assert.equal(decodeSegment(Uint8Array.of(...bytes, ...more), "x", ROW), undefined);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    assert.equal(decodeSegment(Uint8Array.from(bytes), "x", ROW), undefined);
  }));
});

folderTest("what is changed while it is used is opened again", async (root) => {
  await filled(root, 2);
  let calls = 0;
  const found = await retried(async () => {
    const store = await RowStore.open("rows of p", ROW, [root]);
    const [path] = await segments(root);
    if (calls++ === 0) await Deno.writeFile(path, flipped(await Deno.readFile(path), -1));
    return await present(store, 2);
  });
  assert.deepEqual([found, calls], [[1], 2]);
  const never = () => Promise.reject(new StoreChanged("gone"));
  await assert.rejects(retried(never), /gone/);
});

folderTest("where nothing can be kept, rows stay in memory and it is said", async (root) => {
  await Deno.writeTextFile(`${root}/file`, "");
  const roots = [`${root}/file/cache`, `${root}/file`];
  const store = await RowStore.open("rows of p", ROW, roots);
  for (const i of all(3)) {
    await store.add(idOf(i), stamp(i), { row: rowOf(i), meta: { width: i } });
  }
  assert.deepEqual(await present(store, 3), [0, 1, 2]);
  await store.keep(new Set(all(2).map(idOf)));
  assert.deepEqual(await present(store, 3), [0, 1]);
  assert.deepEqual(await present(store, 3), [0, 1], "read twice");
  assert.match(store.remarks.join(), /could not be kept, .* Set HATCHLING_CACHE to a folder/);

  const lost = await RowStore.open("rows of p", ROW, [`${root}/cache`]);
  await Deno.remove(`${root}/cache`, { recursive: true });
  await lost.add(idOf(0), stamp(0), { row: rowOf(0), meta: { width: 0 } });
  assert.deepEqual(await present(lost, 1), [0]);
  assert.match(lost.remarks.join(), /could not be kept/);
});
