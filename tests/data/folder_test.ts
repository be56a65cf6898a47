import assert from "node:assert/strict";
import { DamagedPictureError, type Dataset } from "../../lib/data/dataset.ts";
import { openFolder } from "../../lib/data/folder.ts";
import { openDataset } from "../../lib/data/open.ts";
import { HatchlingError } from "../../lib/errors.ts";
import gif from "./fixtures/animated.gif" with { type: "bytes" };
import jpeg from "./fixtures/rgb.jpg" with { type: "bytes" };
import { filesTest, plain, put, rgbAt } from "./support.ts";

const text = (content: string) => new TextEncoder().encode(content);
const ids = (data: Dataset) => Array.from({ length: data.length }, (_, i) => data.id(i));

filesTest("openFolder() finds pictures recursively, in one order, with labels", async (folder) => {
  await put(folder, "zebra/1.png", plain(4, 4, [1, 1, 1]));
  await put(folder, "ant/b/deep.JPG", jpeg);
  await put(folder, "ant/a.gif", gif);
  await put(folder, "ant/noextension", plain(2, 2, [2, 2, 2]));
  await put(folder, "Top.jpeg", plain(5, 3, [3, 3, 3])); // a PNG: contents decide
  await put(folder, "ant/labels.csv", text("a,b"));
  await put(folder, "ant/LICENSE", text("no picture, and claims to be none"));
  await put(folder, ".hidden/x.png", plain(1, 1, [0, 0, 0]));
  await put(folder, "ant/._a.gif", text("resource fork"));
  const data = await openFolder(folder);
  assert.deepEqual(ids(data), [
    "Top.jpeg",
    "ant/a.gif",
    "ant/b/deep.JPG",
    "ant/noextension",
    "zebra/1.png",
  ]);
  assert.deepEqual(data.labels!.folder.names, [".", "ant", "zebra"]);
  assert.deepEqual([...data.labels!.folder.values], [0, 1, 1, 1, 2]);
  assert.deepEqual(data.skipped, []);
  assert.equal(data.largestPixels, 16 * 24);
  assert.deepEqual(rgbAt(await data.picture(4), 3, 3), [1, 1, 1]);
  assert.throws(() => data.picture(5), HatchlingError);
  data.close?.();
});

filesTest("openFolder() has no labels when there are no sub-folders", async (folder) => {
  await put(folder, "a.png", plain(1, 1, [0, 0, 0]));
  assert.equal((await openFolder(folder)).labels, undefined);
});

filesTest(
  "openFolder() names each damaged file with its reason",
  async (folder) => {
    const good = plain(30, 30, [7, 8, 9]);
    const bomb = plain(1, 1, [0, 0, 0]);
    new DataView(bomb.buffer).setUint32(16, 50000);
    new DataView(bomb.buffer).setUint32(20, 50000);
    await put(folder, "x/good.png", good);
    await put(folder, "x/bomb.png", bomb);
    await put(folder, "x/empty.jpg", new Uint8Array());
    await put(folder, "x/text.png", text("I was renamed"));
    await put(folder, "x/truncated.png", good.subarray(0, good.length - 30));
    await put(folder, "x/truncated.jpg", jpeg.subarray(0, 600));
    await put(folder, "x/new.bmp", text("BM"));
    const data = await openFolder(folder);
    // Sound headers keep their index, whatever their data turns out to be.
    assert.deepEqual(ids(data), ["x/good.png", "x/truncated.jpg", "x/truncated.png"]);
    assert.equal(data.skipped.length, 4);
    for (const i of [1, 2]) {
      await assert.rejects(async () => await data.picture(i), DamagedPictureError);
    }
    data.close?.();
    const reasons = new Map(
      data.skipped.map(({ file, reason }) => [file.split(/[\\/]/).at(-1), reason]),
    );
    assert.equal(data.skipped.length, 6);
    assert.match(reasons.get("bomb.png")!, /50000 × 50000 pixels, more than the limit/);
    assert.match(reasons.get("empty.jpg")!, /empty/);
    assert.match(reasons.get("text.png")!, /starts with "I was rename"/);
    assert.match(reasons.get("truncated.png")!, /damaged or truncated PNG/);
    assert.match(reasons.get("truncated.jpg")!, /damaged or truncated JPEG of 600 bytes/);
    assert.match(reasons.get("new.bmp")!, /convert it to PNG or JPEG/);
  },
);

filesTest(
  "openFolder() gives indices that do not depend on cacheBytes or on damage",
  async (folder) => {
    for (let i = 0; i < 6; i++) await put(folder, `${i}.png`, plain(8, 8, [i, i, i]));
    const flipped = plain(8, 8, [9, 9, 9]);
    flipped[flipped.length - 20] ^= 1;
    await put(folder, "3.png", flipped);
    for (const cacheBytes of [2 ** 30, 3 * 256, 0]) {
      const data = await openFolder(folder, { cacheBytes, numWorkers: 1, maxPixels: 64 });
      try {
        assert.deepEqual([data.length, data.skipped.length, data.largestPixels], [6, 0, 64]);
        for (const i of [0, 1, 2, 5, 4, 0, 0]) {
          assert.deepEqual(rgbAt(await data.picture(i), 7, 7), [i, i, i]);
        }
        for (let again = 0; again < 2; again++) {
          await assert.rejects(async () => await data.picture(3), DamagedPictureError);
        }
        assert.equal(data.skipped.length, 1); // named once
        assert.match(data.skipped[0].file, /3\.png$/);
        assert.equal(data.length, 6);
      } finally {
        data.close?.();
      }
    }
  },
);

filesTest("openFolder() takes a file that grew since it was listed as damaged", async (folder) => {
  await put(folder, "a.png", plain(4, 4, [1, 1, 1]));
  await put(folder, "b.png", plain(9, 9, [2, 2, 2]));
  const data = await openFolder(folder, { numWorkers: 1 });
  try {
    await put(folder, "a.png", plain(5, 4, [3, 3, 3])); // smaller than the largest, but another picture
    await assert.rejects(async () => await data.picture(0), (error: Error) => {
      assert.ok(error instanceof DamagedPictureError);
      assert.match(error.message, /a\.png: it is 5 × 4 now, larger than when it was listed/);
      return true;
    });
    assert.deepEqual(rgbAt(await data.picture(1), 8, 8), [2, 2, 2]);
  } finally {
    data.close?.();
  }
});

filesTest("openDataset() says what to do when there is nothing to open", async (folder) => {
  const fails = (path: string | undefined, pattern: RegExp) =>
    assert.rejects(openDataset({ dataset: "folder", path }), (error: Error) => {
      assert.ok(error instanceof HatchlingError);
      assert.match(error.message, pattern);
      return true;
    });
  await fails(undefined, /Expected data\.path for data\.dataset "folder"/);
  await fails(`${folder}/missing`, /at ".*missing" but there is none: check data\.path/);
  await fails(
    await put(folder, "archive.zip", text("PK")),
    /found a file: set data\.path to the folder/,
  );
  await fails(folder, /found none \(0 left out, 1 other files\)/);
  await put(folder, "broken.png", text("no"));
  await fails(folder, /found none \(1 left out, 1 other files\).*\n.*broken\.png: not a PNG/);
  const dataset = "cifar" as "folder";
  await assert.rejects(
    openDataset({ dataset }),
    /data\.dataset to be .*folder.* but found "cifar"/,
  );
});
