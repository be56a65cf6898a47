import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DamagedPictureError, type Dataset } from "../../lib/data/dataset.ts";
import { openFiles } from "../../lib/data/file_dataset.ts";
import { FileIndex } from "../../lib/data/file_index.ts";
import { datasetFingerprint } from "../../lib/data/fingerprint.ts";
import { openFolder } from "../../lib/data/folder.ts";
import { fingerprint, placeOf } from "../../lib/data/inspect.ts";
import { splitDataset, splitOf, subset } from "../../lib/data/split.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { concat, filesTest, indexTest, plain, put } from "./support.ts";

const ids = (data: Dataset) => Array.from({ length: data.length }, (_, i) => data.id(i));

/** Pictures of one pixel in memory: picture i has the colour of key(i). */
const dots = (n: number, key: (i: number) => number = (i) => i): Dataset => ({
  name: "dots",
  length: n,
  largestPixels: 1,
  picture: (i) => ({ width: 1, height: 1, data: Uint8Array.of(key(i), key(i) >> 8, 0, 255) }),
  id: (i) => `dot ${i}`,
  labels: {
    parity: { values: Int32Array.from({ length: n }, (_, i) => i % 2), names: ["even", "odd"] },
  },
  skipped: [],
});

const sides = async (data: Dataset, fraction = 0.1) => ({
  train: await splitDataset(data, "train", fraction),
  val: await splitDataset(data, "val", fraction),
});

Deno.test("placeOf() reads 6 bytes as a number in [0, 1), and splitOf() compares it", () => {
  const hash = (...bytes: number[]) => Uint8Array.of(...bytes, 255, 255);
  assert.equal(placeOf(hash(0, 0, 0, 0, 0, 0)), 0);
  assert.equal(placeOf(hash(255, 255, 255, 255, 255, 255)), 1 - 2 ** -48);
  assert.equal(placeOf(hash(1, 2, 3, 4, 5, 6)), 0x010203040506 / 2 ** 48);
  assert.equal(splitOf(0.25, 0.25), "train");
  assert.equal(splitOf(0.25 - 2 ** -48, 0.25), "val");
});

filesTest(
  "fingerprint() is the hash of the size and of both ends, no byte twice",
  async (folder) => {
    const KiB = 1024;
    for (
      const size of [0, 1, 64 * KiB, 64 * KiB + 1, 128 * KiB - 1, 128 * KiB, 128 * KiB + 1, 500_000]
    ) {
      const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 2654435761) >>> 24);
      const path = await put(folder, `${size}.bin`, bytes);
      const stated = new Uint8Array(8);
      new DataView(stated.buffer).setUint32(0, size, true);
      const ends = size <= 128 * KiB
        ? bytes
        : concat([bytes.subarray(0, 64 * KiB), bytes.subarray(size - 64 * KiB)]);
      const expected = createHash("sha256").update(concat([stated, ends])).digest();
      assert.deepEqual([...fingerprint(path)], [...expected], `${size} bytes`);
    }
  },
);

Deno.test("splitDataset() gives every picture to one side, near the fraction", async () => {
  const data = dots(4000);
  for (const fraction of [0.02, 0.1, 0.5]) {
    const { train, val } = await sides(data, fraction);
    assert.deepEqual([...ids(train), ...ids(val)].sort(), ids(data).sort());
    const sigma = Math.sqrt(fraction * (1 - fraction) / 4000);
    assert.ok(Math.abs(val.length / 4000 - fraction) < 4 * sigma, `${val.length} for ${fraction}`);
  }
  assert.equal(await splitDataset(data, "all", 0.1), data);
});

Deno.test("splitDataset() keeps order, ids, pictures, labels and class numbers", async () => {
  const data = { ...dots(200), channels: 1, closed: 0, close: () => void data.closed++ };
  const { train, val } = await sides(data, 0.3);
  for (const side of [train, val]) {
    const numbers = ids(side).map((id) => Number(id.slice(4)));
    assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
    for (let i = 0; i < side.length; i++) {
      assert.equal((await side.picture(i)).data[0], numbers[i] & 255);
      assert.equal(side.labels!.parity.values[i], numbers[i] % 2);
    }
    assert.deepEqual(side.labels!.parity.names, ["even", "odd"]);
    assert.deepEqual([side.channels, side.largestPixels], [1, 1]);
    assert.equal(side.skipped, data.skipped);
    assert.throws(() => side.picture(side.length), /index in \[0, \d+\)/);
    assert.throws(() => side.id(-1), HatchlingError);
  }
  assert.notEqual(train.name, val.name);
  train.close?.();
  assert.equal(data.closed, 1);
  const even = subset(data, [0, 2, 4]);
  assert.deepEqual([...even.labels!.parity.values], [0, 0, 0]);
  assert.deepEqual(even.labels!.parity.names, ["even", "odd"]); // numbers of the whole set
  // A side of a side goes by the same places: nothing of "train" is below 0.3.
  await assert.rejects(splitDataset(train, "val", 0.3), /pictures on the val side/);
});

Deno.test("splitDataset() never has copies on both sides", async () => {
  const { train, val } = await sides(dots(3000, (i) => i % 500), 0.3);
  const colours = async (data: Dataset) => {
    const found = new Set<number>();
    for (let i = 0; i < data.length; i++) {
      const { data: [low, high] } = await data.picture(i);
      found.add(low + 256 * high);
    }
    return found;
  };
  const [a, b] = [await colours(train), await colours(val)];
  assert.ok(a.size > 300 && b.size > 100);
  assert.equal(a.intersection(b).size, 0);
  assert.equal(train.length, 6 * a.size);
});

Deno.test("splitDataset() tells sizes and channels apart where the bytes are the same", async () => {
  const shapes = [[4, 1, 3], [1, 4, 3], [2, 2, 3], [4, 1, 1]];
  const data = {
    ...dots(4),
    labels: undefined,
    picture: (i: number) => {
      const [width, height, channels] = shapes[i];
      return { width, height, channels, data: new Uint8Array(16).fill(255) };
    },
  };
  const places = await subset(data, [0, 1, 2, 3]).places!();
  assert.equal(new Set(places).size, 4);
});

Deno.test("splitDataset() refuses what is no side, no fraction, or empty", async () => {
  const fails = (split: string, fraction: number, pattern: RegExp, data = dots(50)) =>
    assert.rejects(splitDataset(data, split as "val", fraction), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, pattern);
      return true;
    });
  await fails("test", 0.1, /data\.split to be "all", "train" or "val" but found "test"/);
  for (const fraction of [0, 1, -1, NaN, Infinity]) await fails("val", fraction, /between 0 and 1/);
  const copies = dots(50, () => 7);
  const empty = placeOf(
    createHash("sha256").update(new Uint8Array([1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 255]))
      .digest(),
  );
  await fails("val", empty / 2, /pictures on the val side of dots but all 50 .*: raise it/, copies);
  await fails("train", (1 + empty) / 2, /pictures on the train side of dots.*: lower it/, copies);
});

Deno.test("splitDataset() goes on past damaged pictures and reports how far it is", async () => {
  const data = dots(150);
  const picture = data.picture;
  data.picture = (i) => {
    if (i === 3) throw new DamagedPictureError("dot 3");
    return picture(i);
  };
  const calls: number[][] = [];
  const train = await splitDataset(data, "train", 0.1, {
    onProgress: (n, all) => calls.push([n, all]),
  });
  assert.deepEqual(calls, [[64, 150], [128, 150], [150, 150]]);
  assert.ok(train.length > 100);
  data.picture = () => Promise.reject(new Error("the disk is gone"));
  await assert.rejects(splitDataset(data, "train", 0.1), /the disk is gone/);
});

indexTest(
  "splitDataset() of a folder goes by the files' bytes, copies together",
  async (folder) => {
    const n = 400;
    for (let i = 0; i < n; i++) {
      await put(folder, `a/${i}.png`, plain(1, 1, [i & 255, i >> 8, 0]));
      if (i % 2) await put(folder, `b/copy ${i}.png`, plain(1, 1, [i & 255, i >> 8, 0]));
    }
    const data = await openFolder(folder);
    const calls: [number, number, string][] = [];
    const val = await splitDataset(data, "val", 0.25, {
      onProgress: (...call) => calls.push(call),
    });
    assert.deepEqual(calls.at(-1), [600, 600, "comparing contents"]);
    const train = await splitDataset(data, "train", 0.25);
    assert.equal(train.length + val.length, 600);
    const numbers = (side: Dataset) => new Set(ids(side).map((id) => Number(id.match(/\d+/)![0])));
    const before = { train: numbers(train), val: numbers(val) };
    assert.equal(before.train.intersection(before.val).size, 0);
    const sigma = Math.sqrt(n * 0.25 * 0.75);
    assert.ok(Math.abs(before.val.size - n * 0.25) < 4 * sigma, `${before.val.size} of ${n}`);
    assert.deepEqual(val.labels!.folder.names, ["a", "b"]);
    for (const id of ids(val)) {
      assert.equal(splitOf(placeOf(fingerprint(`${folder}/${id}`)), 0.25), "val");
    }
    // More files, others renamed, a few gone: those that stay keep their side.
    for (let i = n; i < n + 50; i++) {
      await put(
        folder,
        `a/${i}.png`,
        plain(1, 1, [i & 255, i >> 8, 0]),
      );
    }
    await Deno.rename(`${folder}/b`, `${folder}/c`);
    for (let i = 0; i < 40; i += 2) await Deno.remove(`${folder}/a/${i}.png`);
    const after = await sides(await openFolder(folder), 0.25);
    for (const number of numbers(after.train)) {
      assert.ok(
        !before.val.has(number),
        `${number} moved`,
      );
    }
    for (const number of numbers(after.val)) {
      assert.ok(
        !before.train.has(number),
        `${number} moved`,
      );
    }
    assert.equal(after.train.length + after.val.length, 630);
  },
);

indexTest(
  "FileDataset.places() come from the index when nothing has changed",
  async (folder, cache) => {
    const n = 300;
    for (let i = 0; i < n; i++) await put(folder, `${i}.png`, plain(1, 1, [i & 255, i >> 8, 0]));
    const first = await openFolder(folder);
    const index = await FileIndex.open(folder, [cache]);
    const key = (i: number) => first.id(i);
    const found = new Map(Array.from({ length: n }, (_, i) => {
      const { size, mtime, ctime } = Deno.statSync(`${folder}/${key(i)}`);
      const stamp = { size, mtime: mtime!.getTime(), ctime: ctime?.getTime() ?? 0 };
      return [key(i), { stamp, header: { format: "PNG", width: 1, height: 1 } as const }];
    }));
    const states = index.update(found, Date.now() + 60_000); // as if the files were older
    index.setPlace(key(0), states.get(key(0))!, 0.125);
    await index.save();
    const second = await openFolder(folder);
    const calls: number[][] = [];
    const places = await second.places((done, total) => calls.push([done, total]));
    assert.equal(places[0], 0.125); // believed
    assert.deepEqual(calls.at(-1), [n - 1, n - 1]);
    const third = await openFolder(folder);
    assert.deepEqual(await third.places(() => assert.fail("nothing is left to read")), places);
    // A file that has changed since the listing is compared by what it is now, for this run only.
    await put(folder, key(0), plain(1, 1, [9, 9, 9]));
    const [place] = await (await openFolder(folder)).places();
    assert.equal(place, placeOf(fingerprint(`${folder}/${key(0)}`)));
  },
);

indexTest(
  "datasetFingerprint() changes with files added, removed, renamed and resized",
  async (folder) => {
    for (let i = 0; i < 20; i++) await put(folder, `${i}.png`, plain(1, 1 + i, [i, 0, 0]));
    const now = async () => await datasetFingerprint(await openFolder(folder));
    const first = await now();
    assert.match(first, /^[0-9a-f]{64}$/);
    assert.equal(await now(), first);
    const seen = new Set([first]);
    await put(folder, "more.png", plain(1, 1, [0, 0, 0]));
    seen.add(await now());
    await Deno.remove(`${folder}/more.png`);
    assert.equal(await now(), first);
    await Deno.rename(`${folder}/3.png`, `${folder}/three.png`);
    seen.add(await now());
    await Deno.remove(`${folder}/three.png`);
    seen.add(await now());
    await put(folder, "4.png", plain(50, 50, [0, 0, 0]));
    seen.add(await now());
    assert.equal(seen.size, 5);
  },
);

Deno.test("datasetFingerprint() of a side is that of its own pictures", async () => {
  const more = dots(300);
  const { train, val } = await sides(dots(299));
  const after = await sides(more);
  const grown = splitOf((await after.train.places!()).at(-1)!, 0.1) &&
    after.train.length > train.length;
  const same = async (a: Dataset, b: Dataset) =>
    await datasetFingerprint(a) === await datasetFingerprint(b);
  assert.equal(await same(train, after.train), !grown);
  assert.equal(await same(val, after.val), grown);
  assert.ok(!await same(train, val));
  assert.ok(!await same(dots(299), more));
});

filesTest("openFiles() keeps order, duplicates, labels and reasons of a list", async (folder) => {
  const a = await put(folder, "a.png", plain(2, 2, [1, 2, 3]));
  const b = await put(folder, "b", plain(3, 1, [4, 5, 6]));
  const bad = await put(folder, "bad.png", new TextEncoder().encode("no picture"));
  const text = await put(folder, "README", new TextEncoder().encode("no picture"));
  const entries = [b, bad, a, `${folder}/gone.png`, b, text, folder].map((path, i) => ({
    id: `#${i}`,
    path,
  }));
  const labels = {
    kind: { values: Int32Array.of(2, 1, 0, 1, 2, 1, 1), names: ["x", "y", "z"] },
  };
  const skipped = [{ file: "before", reason: "known" }];
  const data = await openFiles("list", entries, { labels, skipped, channels: 1, numWorkers: 1 });
  try {
    assert.deepEqual(ids(data), ["#0", "#2", "#4"]);
    assert.deepEqual([...data.labels!.kind.values], [2, 0, 2]);
    assert.deepEqual(data.labels!.kind.names, ["x", "y", "z"]);
    assert.deepEqual([data.largestPixels, data.channels], [4, 1]);
    assert.equal((await data.picture(1)).channels, 1);
    assert.equal((await data.picture(2)).width, 3);
    assert.deepEqual(skipped.map(({ file }) => file), [
      "before",
      bad,
      `${folder}/gone.png`,
      text,
      folder,
    ]);
    assert.match(skipped[2].reason, /there is no such file/);
    assert.match(skipped[3].reason, /not a picture/);
    assert.match(skipped[4].reason, /a folder/);
  } finally {
    data.close();
  }
  await assert.rejects(
    openFiles("list", entries.slice(1, 2)),
    /none of its 1 files can be used.*\n.*bad\.png/,
  );
  await assert.rejects(openFiles("list", [], { numWorkers: 0 }), /at least 1 decoding worker/);
});
