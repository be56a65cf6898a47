import assert from "node:assert/strict";
import { openCifar } from "../../lib/data/cifar.ts";
import { luma } from "../../lib/data/image.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { folderTest } from "../support/permissions.ts";
import { concat, put, rgbAt } from "./support.ts";

const text = (lines: string[]) => new TextEncoder().encode(lines.join("\n") + "\n\n");

/** A record whose red is x + 3y + seed, green twice that, blue its complement. */
function record(labels: number[], seed: number): Uint8Array {
  const levels = new Uint8Array(3072);
  for (let i = 0; i < 1024; i++) {
    const v = i % 32 + 3 * Math.floor(i / 32) + seed;
    levels.set([v], i);
    levels.set([2 * v], 1024 + i);
    levels.set([255 - v], 2048 + i);
  }
  return concat([Uint8Array.from(labels), levels]);
}

function fails(promise: Promise<unknown>, pattern: RegExp): Promise<void> {
  return assert.rejects(promise, (error: Error) => {
    assert.ok(error instanceof HatchlingError, String(error));
    assert.match(error.message, pattern);
    return true;
  });
}

const NAMES = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

folderTest(
  "openCifar() opens CIFAR-10, by side, and from the parent of its folder",
  async (folder) => {
    const inner = `${folder}/cifar-10-batches-bin`;
    for (let b = 1; b <= 5; b++) {
      await put(inner, `data_batch_${b}.bin`, concat([record([b], b), record([9], 10 + b)]));
    }
    await put(inner, "test_batch.bin", record([0], 100));
    await put(inner, "batches.meta.txt", text(NAMES));
    for (const path of [inner, folder]) {
      const all = await openCifar("cifar10", path);
      assert.deepEqual([all.length, all.largestPixels, all.channels], [11, 1024, 3]);
      assert.deepEqual(all.labels!.class.names, NAMES);
      assert.deepEqual([...all.labels!.class.values], [1, 9, 2, 9, 3, 9, 4, 9, 5, 9, 0]);
      const ids = [0, 3, 10].map((i) => all.id(i));
      assert.deepEqual(ids, ["data_batch_1/0", "data_batch_2/1", "test_batch/0"]);
      const picture = await all.picture(3);
      assert.deepEqual([picture.width, picture.height], [32, 32]);
      for (const [x, y] of [[0, 0], [31, 0], [0, 31], [17, 5]]) {
        const v = x + 3 * y + 12;
        assert.deepEqual(rgbAt(picture, x, y), [v, 2 * v % 256, 255 - v]);
      }
      const [train, val] = [
        await openCifar("cifar10", path, { split: "train" }),
        await openCifar("cifar10", path, { split: "val", channels: 1 }),
      ];
      assert.deepEqual([train.length, val.length, val.id(0)], [10, 1, "test_batch/0"]);
      assert.deepEqual(rgbAt(await val.picture(0), 0, 0), Array(3).fill(luma(100, 200, 155)));
      const small = await openCifar("cifar10", path, { maxPixels: 256 });
      assert.deepEqual([(await small.picture(0)).width, small.largestPixels], [16, 256]);
    }
  },
);

folderTest("openCifar() opens CIFAR-100 with coarse and fine labels", async (folder) => {
  const progress: string[] = [];
  await put(folder, "train.bin", concat([record([19, 99], 1), record([0, 3], 2)]));
  await put(folder, "test.bin", record([7, 42], 3));
  const numbers = await openCifar("cifar100", folder, {
    onProgress: (done, total, doing) => progress.push(`${doing} ${done}/${total}`),
  });
  assert.deepEqual(progress, ["reading files 1/2", "reading files 2/2"]);
  const { coarse, fine } = numbers.labels!;
  assert.deepEqual([[...coarse.values], [...fine.values]], [[19, 0, 7], [99, 3, 42]]);
  assert.deepEqual([coarse.names.length, fine.names.length, fine.names[42]], [20, 100, "42"]);
  assert.deepEqual(rgbAt(await numbers.picture(2), 1, 0), [4, 8, 251]);
  const names = Array.from({ length: 100 }, (_, i) => `fine ${i}`);
  await put(folder, "fine_label_names.txt", text(names));
  const named = await openCifar("cifar100", folder);
  assert.deepEqual(named.labels!.fine.names, names);
  assert.equal(named.labels!.coarse.names[7], "7");
});

folderTest("openCifar() uses the files that are there, and says when none is", async (folder) => {
  await put(folder, "data_batch_4.bin", record([1], 0));
  const one = await openCifar("cifar10", folder);
  assert.deepEqual([one.length, one.id(0), one.labels!.class.names[9]], [1, "data_batch_4/0", "9"]);
  await fails(
    openCifar("cifar10", folder, { split: "val" }),
    /Expected test_batch\.bin in .* "val" but found only data_batch_4\.bin/,
  );
  await fails(
    openCifar("cifar100", folder),
    /Expected train\.bin, test\.bin in .* none of them: .*cifar-100-binary\.tar\.gz/,
  );
  await fails(openCifar("cifar10", `${folder}/none`), /Cannot read .*none: it does not exist/);
  await put(folder, "python/data_batch_1", new Uint8Array());
  await fails(
    openCifar("cifar10", `${folder}/python`),
    /data_batch_1, which looks like the Python version: unpack the binary/,
  );
  await fails(
    openCifar("cifar10", `${folder}/data_batch_4.bin`),
    /a folder at .* but found a file: unpack/,
  );
});

folderTest("openCifar() names file and record of every damage", async (folder) => {
  const good = concat([record([1], 0), record([2], 1)]);
  const put10 = (bytes: Uint8Array) => put(folder, "data_batch_1.bin", bytes);
  const open10 = () => openCifar("cifar10", folder);
  await put10(good.subarray(0, good.length - 1));
  await fails(
    open10(),
    /whole records of 3073 bytes in .*data_batch_1\.bin but found 6145 bytes, 3072 beyond record 1/,
  );
  await put10(new Uint8Array());
  await fails(open10(), /found 0 bytes/);
  await put10(concat([good, record([10], 2)]));
  await fails(
    open10(),
    /a class label from 0 to 9 in record 2 \(byte 6146\) of .*data_batch_1\.bin but found 10/,
  );
  await put10(good);
  await put(folder, "batches.meta.txt", text(NAMES.slice(1)));
  await fails(open10(), /10 names in .*batches\.meta\.txt, one per line, but found 9/);
  await fails(openCifar("cifar10", folder, { channels: 4 }), /4 channels but found 3/);
  await fails(
    openCifar("cifar10", folder, { split: "test" as "val" }),
    /data\.split .* found "test"/,
  );
  await put(folder, "train.bin", record([3, 100], 0));
  await fails(
    openCifar("cifar100", folder),
    /a fine label from 0 to 99 in record 0 \(byte 1\) .* found 100/,
  );
  await put(folder, "train.bin", record([20, 0], 0));
  await fails(
    openCifar("cifar100", folder),
    /a coarse label from 0 to 19 in record 0 \(byte 0\) .* found 20/,
  );
});
