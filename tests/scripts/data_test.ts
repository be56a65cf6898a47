/** `deno task data` as users start it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { augmentationOptions, MultiCrop } from "../../lib/augmentation.ts";
import { parseConfig } from "../../lib/config.ts";
import { packPictures, type Picture } from "../../lib/data/image.ts";
import type { Check } from "../../scripts/data/check.ts";
import { renderEpochs } from "../../lib/draw/render_views.ts";
import { chunk, concat, paint, plain, png, put } from "../data/support.ts";
import { gpuTest, lacksAdapter } from "../support/gpu.ts";
import { lacks, testUnless, withFolder } from "../support/permissions.ts";
import { HANG_MS } from "../support/hang.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Starts a command, with what it keeps in a folder of its own. */
async function data(cache: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", `${ROOT}scripts/data.ts`, ...args],
    env: { NO_COLOR: "1", HATCHLING_CACHE: cache },
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** A test that starts commands on files of its own. */
function commandTest(
  name: string,
  fn: (folder: string, cache: string) => Promise<void>,
  reasons: string[] = [],
): void {
  testUnless(
    [lacks("run", "read", "write", "env"), ...reasons],
    name,
    () => withFolder((all) => fn(`${all}/pictures`, `${all}/cache`)),
  );
}

const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const noise = (width: number, height: number, seed = 0) =>
  png({ width, height, sample: (x, y, c) => (x * 31 + y * 57 + c * 101 + x * y * 7 + seed) & 255 });

/** The same PNG with EXIF orientation 6. */
function turned(file: Uint8Array): Uint8Array {
  const tiff = latin1("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0");
  return concat([file.subarray(0, 33), chunk("eXIf", tiff), file.subarray(33)]);
}

commandTest("data check names all that is wrong, in text and as JSON", async (folder, cache) => {
  const first = noise(40, 30);
  await put(folder, "cats/a.png", first);
  await put(folder, "cats/copy.png", first);
  await put(folder, "cats/named.jpg", noise(40, 30, 9));
  await put(folder, "cats/up.png", turned(noise(50, 20)));
  await put(folder, "dogs/flat.png", plain(300, 300, [9, 9, 9]));
  // The same pixels in other bytes: a chunk that says nothing.
  await put(
    folder,
    "dogs/same.png",
    concat([
      first.subarray(0, 33),
      chunk("tEXt", latin1("a\0b")),
      first.subarray(33),
    ]),
  );
  await put(folder, "dogs/old.bmp", latin1("BM"));
  await put(folder, "@eaDir/a.png", first);
  await put(folder, "notes.txt", latin1("hello"));
  await put(folder, "bad/\x1b[31mcut.png", first.subarray(0, first.length - 30));
  for (let i = 0; i < 24; i++) await put(folder, `bad/${i}.png`, latin1("no picture"));
  await Deno.symlink("../cats", `${folder}/bad/cats`);

  const small = [
    "--data.batch_size",
    "6",
    "--augmentation.global_crop_size",
    "64",
    "--augmentation.local_crop_size",
    "32",
  ];
  const [text, json] = await Promise.all([
    data(cache, "check", folder, ...small),
    data(cache, "check", folder, "--deep", "--json", ...small),
  ]);
  assert.equal(text.code, 1, text.stderr);
  assert.equal(json.code, 1, json.stderr);
  const found: Check & { sound: boolean; advice: string[] } = JSON.parse(json.stdout);
  assert.equal(found.sound, false);
  assert.equal(found.pictures, 6);
  assert.deepEqual(found.formats, [{ name: "PNG", count: 6 }]);
  assert.deepEqual(found.kinds, [{ name: "PNG colour", count: 6 }]);
  assert.deepEqual(found.width, { min: 20, median: 40, max: 300 }); // upright
  assert.deepEqual(found.height, { min: 30, median: 30, max: 300 });
  assert.deepEqual(found.folders, [{ name: "cats", count: 4 }, { name: "dogs", count: 2 }]);
  assert.deepEqual(found.duplicates, [["cats/a.png", "cats/copy.png"]]);
  assert.equal(found.duplicateBytes, first.length);
  assert.deepEqual(found.samePixels, [["cats/a.png", "dogs/same.png"]]);
  assert.deepEqual(found.flat, ["dogs/flat.png"]);
  assert.deepEqual(found.misnamed, [{ file: "cats/named.jpg", format: "PNG" }]);
  assert.deepEqual(found.foreign.map(({ file }) => file), [`${folder}/dogs/old.bmp`]);
  const { turned: upright, gray, others, linked, reduced, decodedBytes } = found;
  assert.deepEqual([upright, gray, others, linked, reduced], [1, 1, 1, 1, 0]);
  assert.equal(decodedBytes, 4 * (4 * 40 * 30 + 50 * 20 + 300 * 300));
  assert.equal(found.damaged.length, 25);
  assert.ok(found.damaged.every(({ file, reason }) => file.includes("/bad/") && reason));

  assert.match(text.stdout, /pictures: 6 pictures, /);
  assert.match(
    text.stdout,
    /^note: left out: 1 picture in formats that are not read \(1 BMP\): convert it, `magick .*bmp`$/m,
  );
  assert.match(text.stdout, /^note: left out as never data: thumbnails of a NAS \(.*\/@eaDir\)$/m);
  assert.match(text.stdout, /^damaged: 25\n( {2}.*\n){20} {2}and 5 more: --json lists all$/m);
  assert.ok(text.stdout.includes("bad/\\x1b[31mcut.png: damaged"), text.stdout);
  assert.ok(!text.stdout.includes("\x1b"), "a name reaches the terminal");
  assert.match(text.stdout, /^same bytes: 1\n {2}cats\/a\.png, cats\/copy\.png$/m);
  assert.ok(!text.stdout.includes("same pixels"));
  assert.match(
    text.stdout,
    /^advice: 83 % of the pictures are smaller than a global view \(64 px\)/m,
  );
  assert.match(text.stdout, /25 damaged files: training leaves them out\n$/);
});

commandTest(
  "data check and stats of sound pictures, whatever the number of workers",
  async (folder, cache) => {
    const levels = (i: number) => (x: number, y: number, c: number) =>
      (x * x + 7 * y + 60 * c + 90 * i) & 255;
    const sizes = [[8, 5], [3, 4], [16, 1], [1, 1]];
    for (const [i, [width, height]] of sizes.entries()) {
      await put(folder, `${i}.png`, png({ width, height, sample: levels(i) }));
    }
    const [check, one, many, yaml] = await Promise.all([
      data(cache, "check", folder, "--data.batch_size", "4"),
      data(cache, "stats", folder, "--json", "--data.num_workers", "1"),
      data(cache, "stats", folder, "--json", "--data.num_workers", "8"),
      data(cache, "stats", folder, "--channels", "1"),
    ]);
    assert.equal(check.code, 0, check.stdout + check.stderr);
    assert.match(check.stdout, /sound: all 4 pictures can be decoded\n$/);
    assert.equal(one.code, 0, one.stderr);
    assert.equal(many.stdout, one.stdout);
    const found = JSON.parse(one.stdout);
    assert.deepEqual([found.pictures, found.damaged], [4, 0]);
    for (let c = 0; c < 3; c++) {
      // E[x] and E[x²] over pictures and their pixels, each picture with weight 1.
      let mean = 0, square = 0;
      for (const [i, [width, height]] of sizes.entries()) {
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const level = levels(i)(x, y, c) / 255;
            mean += level / (4 * width * height);
            square += level * level / (4 * width * height);
          }
        }
      }
      assert.ok(Math.abs(found.mean[c] - mean) < 1e-12);
      assert.ok(Math.abs(found.std[c] - Math.sqrt(square - mean * mean)) < 1e-12);
    }
    assert.equal(yaml.code, 0, yaml.stderr);
    const { augmentation } = parseConfig(yaml.stdout, {
      overrides: [{ key: "model.in_chans", value: "1" }],
    });
    assert.equal(augmentation.normalize_mean.length, 1);
    assert.ok(augmentation.normalize_std[0] > 0.1);
  },
);

commandTest(
  "data ends with 2 for wrong arguments, with 1 where nothing can be used",
  async (folder, cache) => {
    await Deno.mkdir(folder);
    await Deno.mkdir(`${folder}/__MACOSX/a`, { recursive: true });
    await put(folder, "../latin1.yaml", latin1("data:\n  path: b\xe4r\n"));
    const [unknown, missing, file, config, empty, none, thumbnails, yaml] = await Promise.all([
      data(cache, "chek", folder),
      data(cache, "check", `${folder}/no`),
      data(cache, "check", `${ROOT}deno.json`),
      data(cache, "stats", folder, "--data.max_pixel", "9"),
      data(cache, "check", folder),
      data(cache, "stats", folder),
      data(cache, "stats", `${folder}/__MACOSX/a`),
      data(cache, "preview", `${folder}/../latin1.yaml`),
    ]);
    const expected: [typeof unknown, number, RegExp][] = [
      [unknown, 2, /unknown command 'chek'\n\(Did you mean check\?\)/],
      [missing, 2, /^error: Expected pictures at .*\/no but there is nothing: check the path$/m],
      [file, 2, /^error: Expected a folder of pictures but found the file .*deno\.json/m],
      [config, 2, /^error: --data\.max_pixel: unknown key .*max_pixels/m],
      [none, 1, /^error: Expected pictures .*found none/m],
      [thumbnails, 1, /^error: Expected .* at ".*" but .*__MACOSX holds notes of macOS/m],
      [yaml, 2, /^error: Expected text in UTF-8 .*0xe4 at byte 15, line 2: likely Latin-1.*iconv/m],
    ];
    for (const [{ code, stdout, stderr }, status, message] of expected) {
      assert.equal(code, status, stderr);
      assert.match(stderr, message);
      assert.equal(stdout, "");
    }
    assert.equal(empty.code, 1);
    assert.match(empty.stdout, /^nothing usable: no picture was found$/m);
  },
);

commandTest(
  "data preview writes a page that loads nothing and trusts no name",
  async (folder, cache) => {
    const name = `<img src=x onerror="alert(1)">&'.png`;
    await put(folder, name, noise(24, 18));
    await put(folder, "0.png", noise(16, 30));
    await put(folder, "cut.png", noise(16, 30).subarray(0, 99));
    const out = `${folder}/../page.html`;
    const { code, stdout, stderr } = await data(
      cache,
      ...["preview", "--data.path", folder, "--out", out, "--images", "3", "--epochs", "2"],
      ...["--augmentation.global_crop_size", "32", "--augmentation.local_crop_size", "16"],
      ...["--augmentation.num_local_views", "3", "--model.patch_size", "8"],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /page\.html: 2 pictures, 2 epochs, 5 views of each/);
    const page = await Deno.readTextFile(out);
    assert.ok(!page.includes("<img src=x"), "a name is markup");
    assert.ok(page.includes("&#60;img src=x onerror=&#34;alert(1)&#34;&#62;&#38;&#39;.png"));
    assert.match(page, /Content-Security-Policy" content="default-src 'none';/);
    const urls = [...page.matchAll(/\b(?:src|href)="([^"]{0,22})/g)].map(([, url]) => url);
    assert.equal(urls.length, 2 * 2 * 5 + 2 + 2 * 2); // views, originals, and where those are used
    assert.ok(urls.every((url) => url.startsWith("data:image/png;base64,") || url.startsWith("#")));
    const alts = [...page.matchAll(/<img [^>]*alt="([^"]*)"/g)].map(([, alt]) => alt);
    assert.equal(alts.length, 20);
    for (const alt of alts) {
      assert.match(
        alt,
        /epoch \d, (global|local) view \d: crop of \d+ × \d+ px/,
      );
    }
    assert.equal(
      [...page.matchAll(/<svg class="original[^>]*role="img" aria-label="[^"]+"/g)].length,
      4,
    );
    // A page of before is replaced, a file of others is not.
    const again = (...more: string[]) =>
      data(cache, "preview", "--data.path", folder, "--out", out, "--images", "1", ...more);
    const small = ["--augmentation.global_crop_size", "16", "--augmentation.local_crop_size", "8"];
    const replaced = await again(...small, "--model.patch_size", "8");
    assert.equal(replaced.code, 0, replaced.stderr);
    await Deno.writeTextFile(out, "<p>a page of others");
    const refused = await again();
    assert.equal(refused.code, 1, refused.stdout);
    assert.match(refused.stderr, /that this command did not make is there: .*--overwrite/);
    assert.equal(await Deno.readTextFile(out), "<p>a page of others");
  },
  [lacksAdapter],
);

commandTest(
  "data preview shows the views that preset: auto and a budget choose, and why",
  async (folder, cache) => {
    for (const i of [0, 1, 2]) await put(folder, `${i}.png`, noise(40 + i, 36));
    const file = `${folder}/../auto.yaml`, out = `${folder}/../page.html`;
    await Deno.writeTextFile(
      file,
      `preset: auto\ndata: {path: "${folder}"}\nmodel: {backbone: custom, dim: 32, depth: 1}\n`,
    );
    const args = ["preview", file, "--out", out, "--images", "1", "--epochs", "1"];
    const { code, stdout, stderr } = await data(cache, ...args, "--budget", "10m");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /1 picture, 1 epoch, 6 views of each/); // not DINO's 10
    assert.match(stderr, /^augmentation\.num_local_views 4: views of \d+ px hold little$/m);
    const page = await Deno.readTextFile(out);
    assert.match(page, /Chosen for these pictures/);
    assert.match(page, /<th scope="row">data\.batch_size<\/th><td>3<\/td>/);
    assert.match(
      page,
      /<th scope="row">training\.num_epochs<\/th><td>\d+<\/td><td>.* within the budget</,
    );
    const wrong = await data(cache, ...args, "--budget", "soon");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /Expected a duration such as 90s/);
  },
  [lacksAdapter],
);

gpuTest("renderEpochs() gives what training gives, before normalisation", async (gpu) => {
  for (const channels of [3, 1]) {
    const options = augmentationOptions({
      globalCropSize: 24,
      localCropSize: 16,
      numLocalViews: 3,
      channels,
    });
    const picture: Picture = {
      ...paint(37, 29, (x, y, c) => (x * 13 + y * 29 + (channels === 1 ? 0 : c * 50)) & 255),
      channels,
    };
    const [seed, image, epochs] = [7, 5, 2];
    const rendered = await renderEpochs(gpu, options, picture, { seed, image, epochs });
    const crops = new MultiCrop(gpu, options, 1);
    const packed = packPictures([picture]);
    const pixels = gpu.tensor(packed.pixels, [packed.usedPixels]);
    const table = gpu.tensor(packed.table, [1, 4]);
    for (let epoch = 0; epoch < epochs; epoch++) {
      crops.update({ seed, epoch, indices: [image], table: packed.table });
      const views = crops.forward(pixels, table);
      const values = await Promise.all(views.map((view) => view.read()));
      assert.deepEqual(
        rendered[epoch].map(({ parameters }) => parameters),
        crops.describe({ seed, epoch, image, width: 37, height: 29 }),
      );
      rendered[epoch].forEach(({ picture: { width, data } }, v) => {
        const [group, at] = v < 2 ? [0, v] : [1, v - 2], area = width * width;
        for (let i = 0; i < area * channels; i++) {
          const c = Math.floor(i / area);
          const { normalizeMean: mean, normalizeStd: std } = options;
          const level = (values[group][at * area * channels + i] * std[c] + mean[c]) * 255;
          const shown = data[4 * (i % area) + c];
          assert.ok(Math.abs(level - shown) < 1e-2, `view ${v}: ${level} is shown as ${shown}`);
        }
      });
      for (const view of views) view.destroy();
    }
    for (const part of [crops, pixels, table]) part.destroy();
  }
});
