import assert from "node:assert/strict";
import type { Dataset } from "../../lib/data/dataset.ts";
import { openEmoji } from "../../lib/data/emoji.ts";
import { compositeOnWhite, withChannels } from "../../lib/data/image.ts";
import { Loader } from "../../lib/data/loader.ts";
import { openDataset } from "../../lib/data/open.ts";
import { permissionTest } from "../support/permissions.ts";
import { rgbAt } from "./support.ts";

// And the network, on first use.
permissionTest(
  ["read", "env", "run"],
  "openEmoji() gives 7,572 pictures on white with four kinds of labels",
  async () => {
    const data: Dataset = await openDataset({ dataset: "emoji" });
    assert.equal(data.length, 7572);
    const { category, subcategory, identity, vendor } = data.labels!;
    const sizes = [category, subcategory, identity, vendor].map(({ names }) => names.length);
    assert.deepEqual(sizes, [10, 99, 3786, 2]);
    for (const { values, names } of Object.values(data.labels!)) {
      assert.equal(values.length, data.length);
      assert.ok(values.every((v) => v >= 0 && v < names.length));
    }
    const ids = Array.from({ length: data.length }, (_, i) => data.id(i));
    assert.equal(new Set(ids).size, data.length);
    // The same emoji of both vendors: same identity and category, other vendor, other picture.
    const [a, b] = ["google/1f600", "twitter/1f600"].map((id) => ids.indexOf(id));
    assert.equal(identity.values[a], identity.values[b]);
    assert.equal(category.names[category.values[a]], "Smileys & Emotion");
    assert.deepEqual([a, b].map((i) => vendor.names[vendor.values[i]]), ["google", "twitter"]);
    for (const i of [a, b]) {
      const face = await data.picture(i);
      assert.deepEqual([face.width, face.height, face.data.length], [32, 32, 4096]);
      assert.deepEqual(rgbAt(face, 0, 0), [255, 255, 255]); // transparent corner
      const [red, green, blue] = rgbAt(face, 16, 7); // yellow forehead
      assert.ok(red > 230 && green > 170 && blue < 120, `${red} ${green} ${blue}`);
    }
    // No picture is empty, so no cell of the grid was missed.
    for (let i = 0; i < data.length; i++) {
      assert.ok((await data.picture(i)).data.some((v) => v < 235), ids[i]);
    }
    const loader = new Loader(data, { batchSize: 64, seed: 0 });
    assert.deepEqual([loader.stepsPerEpoch, loader.capacityPixels], [118, 64 * 1024]);
    assert.equal((await loader.batch(0)).usedPixels, 64 * 1024);
    loader.close();
    data.close?.();
    const base = await openDataset({ dataset: "emoji_base" });
    assert.equal(base.labels!.category.names.length, 10);
    const wanted = ids.filter((id) => !/-1f3f[b-f]/.test(id));
    assert.deepEqual(Array.from({ length: base.length }, (_, i) => base.id(i)), wanted);
    const small = await openDataset({ dataset: "emoji", maxPixels: 256 });
    assert.deepEqual([(await small.picture(0)).width, small.largestPixels], [16, 256]);
  },
);

permissionTest(
  ["read", "env", "run"],
  "openEmoji() gives gray, colour, or colour and alpha",
  async () => {
    const [gray, colour, alpha] = await Promise.all(
      ([1, 3, 4] as const).map((channels) => openEmoji({ channels })),
    );
    assert.deepEqual([gray.channels, colour.channels, alpha.channels], [1, 3, 4]);
    let partly = 0;
    for (let i = 0; i < 7572; i += 97) {
      const [one, three, four] = await Promise.all([gray, colour, alpha].map((d) => d.picture(i)));
      assert.deepEqual([one.channels, four.channels, four.data.length], [1, 4, 8192]);
      assert.deepEqual(one.data, withChannels(three, 1).data);
      // Colour is what alpha makes of its four channels on white.
      const rgba = four.data.slice(0, 4096).map((v, k) =>
        k % 4 === 3 ? four.data[4096 + k - 3] : v
      );
      partly += rgba.filter((a, k) => k % 4 === 3 && a > 0 && a < 255).length;
      compositeOnWhite(rgba);
      assert.deepEqual(rgba, three.data);
    }
    assert.ok(partly > 1000, `${partly} pixels are partly transparent`);
    await assert.rejects(openDataset({ dataset: "emoji", channels: 5 }), /found 5.*in_chans/);
    await assert.rejects(
      openDataset({ dataset: "emoji", path: "x" }),
      /no data\.path beside .*emoji/,
    );
  },
);
