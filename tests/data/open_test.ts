import assert from "node:assert/strict";
import type { Dataset } from "../../lib/data/dataset.ts";
import { type DatasetKind, openDataset } from "../../lib/data/open.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { concat, filesTest, plain, png, put, rgbAt } from "./support.ts";

const text = (content: string) => new TextEncoder().encode(content);
const ids = (data: Dataset) => Array.from({ length: data.length }, (_, i) => data.id(i));

function fails(promise: Promise<unknown>, pattern: RegExp): Promise<void> {
  return assert.rejects(promise, (error: Error) => {
    assert.ok(error instanceof HatchlingError, String(error));
    assert.match(error.message, pattern);
    return true;
  });
}

const MODULE = text(`const data = Uint8Array.of(1, 2, 3, 255);
const picture = (i) => ({ width: 1, height: 1, data: data.with(0, i) });
export default ({ seed }) =>
  ({ name: "own", length: 40, largestPixels: 1, skipped: [], id: (i) => seed + "/" + i, picture });
`);

filesTest("openDataset() tells by the path what to open", async (folder) => {
  await put(folder, "pictures/x/a.png", plain(2, 2, [1, 1, 1]));
  const list = text("pictures/x/a.png 7\n");
  for (
    const [name, bytes] of [["l.txt", list], ["l.CSV", text("pictures/x/a.png,7")], [
      "l.tsv",
      text("pictures/x/a.png\t7"),
    ]] as const
  ) {
    const data = await openDataset({ path: await put(folder, name, bytes) });
    assert.deepEqual([ids(data), data.labels!.label.names], [["pictures/x/a.png"], ["7"]]);
    data.close?.();
  }
  const data = await openDataset({ path: `${folder}/pictures` });
  assert.deepEqual([ids(data), data.labels!.folder.names], [["x/a.png"], ["x"]]);
  data.close?.();
  for (const name of ["m.ts", "m.mjs"]) {
    const own = await openDataset({ path: await put(folder, name, MODULE), seed: 5 });
    assert.deepEqual([own.name, own.length, own.id(3)], ["own", 40, "5/3"]);
  }
  await fails(
    openDataset({ path: await put(folder, "set.zip", text("PK")) }),
    /folder of pictures, a list .* found the file .*set\.zip/,
  );
  await fails(
    openDataset({ path: `${folder}/none` }),
    /Cannot open data\.path .*none: it does not exist/,
  );
});

filesTest("openDataset() says which kinds there are and what they need", async () => {
  const kinds: DatasetKind[] = ["folder", "list", "module", "cifar10", "cifar100"];
  for (const dataset of kinds) {
    await fails(
      openDataset({ dataset }),
      new RegExp(`data\\.path for data\\.dataset "${dataset}"`),
    );
  }
  await fails(
    openDataset({ dataset: "toString" as DatasetKind }),
    /one of folder, list, emoji, emoji_base, mnist, cifar10, cifar100, module but found "toString"/,
  );
});

/** Files of every kind that need no download. */
async function everyKind(folder: string): Promise<[DatasetKind, string][]> {
  for (let i = 0; i < 30; i++) await put(folder, `pictures/${i}.png`, plain(2, 2, [i, 2 * i, 9]));
  const rows = Array.from({ length: 30 }, (_, i) => `pictures/${i}.png`).join("\n");
  const image = concat([
    Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1),
    Uint8Array.of(77),
  ]);
  for (const side of ["train", "t10k"]) await put(folder, `idx/${side}-images-idx3-ubyte`, image);
  for (const name of ["data_batch_1", "test_batch"]) {
    await put(folder, `c10/${name}.bin`, new Uint8Array(3073));
  }
  for (const name of ["train", "test"]) await put(folder, `c100/${name}.bin`, new Uint8Array(3074));
  return [
    ["folder", `${folder}/pictures`],
    ["list", await put(folder, "l.txt", text(rows))],
    ["module", await put(folder, "m.js", MODULE)],
    ["mnist", `${folder}/idx`],
    ["cifar10", `${folder}/c10`],
    ["cifar100", `${folder}/c100`],
  ];
}

filesTest("openDataset() gives each kind in the channels that are asked for", async (folder) => {
  for (const [dataset, path] of await everyKind(folder)) {
    for (const channels of [undefined, 1, 3]) {
      const data = await openDataset({ dataset, path, channels, numWorkers: 1 });
      try {
        assert.equal(data.channels ?? 3, channels ?? 3, dataset);
        const picture = await data.picture(0);
        assert.equal(picture.channels ?? 3, channels ?? 3, dataset);
        if (channels === 1) assert.equal(new Set(rgbAt(picture, 0, 0)).size, 1, dataset);
      } finally {
        data.close?.();
      }
    }
    const open = async () => {
      const data = await openDataset({ dataset, path, channels: 7, numWorkers: 1 });
      data.close?.();
    };
    await fails(open(), /model\.in_chans/);
  }
});

filesTest("openDataset() keeps a file's alpha as the fourth channel", async (folder) => {
  const rgba = png({ width: 1, height: 1, colour: 6, sample: (_x, _y, c) => [200, 100, 0, 51][c] });
  await put(folder, "pictures/a.png", rgba);
  await put(folder, "l.txt", text("pictures/a.png\n"));
  for (const path of [`${folder}/pictures`, `${folder}/l.txt`]) {
    const data = await openDataset({ path, channels: 4, numWorkers: 1 });
    assert.deepEqual([...(await data.picture(0)).data], [200, 100, 0, 255, 51, 0, 0, 255]);
    data.close?.();
  }
});

filesTest("openDataset() splits every kind into sides that make up the whole", async (folder) => {
  for (const [dataset, path] of await everyKind(folder)) {
    const open = async (split?: "all" | "train" | "val") => {
      const data = await openDataset({ dataset, path, split, valFraction: 0.4, numWorkers: 1 });
      data.close?.();
      return ids(data);
    };
    const [all, train, val] = [await open(), await open("train"), await open("val")];
    assert.ok(train.length > 0 && val.length > 0, dataset);
    assert.deepEqual([...train, ...val].sort(), [...all].sort(), dataset);
    assert.deepEqual(await open("all"), all);
    await fails(open("test" as "val"), /data\.split .*"all", "train" or "val" but found "test"/);
    if (dataset !== "mnist" && !dataset.startsWith("cifar")) {
      await fails(openDataset({ dataset, path, split: "val", valFraction: 1 }), /val_fraction/);
    } else assert.match(val[0], /^test/);
  }
});
