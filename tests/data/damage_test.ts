import assert from "node:assert/strict";
import { MAX_FILE_BYTES } from "../../lib/data/picture_file.ts";
import { Decoder } from "../../lib/data/decoder.ts";
import type { Picture } from "../../lib/data/image.ts";
import { Rng } from "../../lib/rng.ts";
import { lacks } from "../support/permissions.ts";
import { type Damage, SOUND } from "./damage/files.ts";
import { gifDamage } from "./damage/gif.ts";
import { jpegDamage } from "./damage/jpeg.ts";
import { cutOff, foreign } from "./damage/other.ts";
import { pngDamage } from "./damage/png.ts";
import { webpDamage } from "./damage/webp.ts";
import { decodeTest, difference, filesTest, plain, put } from "./support.ts";

/** One worker for a whole list, so that what a bad file leaves behind would show in the next good one. */
const one = () => new Decoder({ workers: 1, timeoutMs: 20_000 });

async function picture(decoder: Decoder, name: string, bytes: Uint8Array): Promise<Picture> {
  const { picture, reason } = await decoder.decode({ name, bytes });
  assert.ok(picture, `${name}: ${reason}`);
  return picture;
}

const LISTS: [what: string, list: () => Damage[], fewest: number][] = [
  ["damaged PNG", pngDamage, 25],
  ["damaged JPEG", jpegDamage, 25],
  ["damaged GIF", gifDamage, 12],
  ["damaged WebP", webpDamage, 15],
  ["files that are cut off", cutOff, 20],
  ["files that are no pictures", foreign, 15],
];

for (const [what, list, fewest] of LISTS) {
  decodeTest(
    `Decoder says what is wrong with ${what}, and decodes the next file right`,
    async () => {
      using decoder = one();
      const sound: Picture[] = [];
      for (const file of SOUND) sound.push(await picture(decoder, "sound", file));
      const kinds = list();
      assert.ok(kinds.length >= fewest, `${kinds.length} kinds`);
      for (const [i, [kind, bytes, outcome]] of kinds.entries()) {
        // The name says another format: the contents decide.
        const result = await decoder.decode({ name: "odd.jpg", bytes });
        if (outcome instanceof RegExp) assert.match(result.reason ?? "decoded", outcome, kind);
        else if (outcome) {
          assert.ok(result.picture, `${kind}: ${result.reason}`);
          assert.equal(difference(result.picture, await picture(decoder, kind, outcome)), 0, kind);
        } else assert.ok(result.picture ?? result.reason);
        const next = i % SOUND.length;
        const after = await picture(decoder, `after ${kind}`, SOUND[next]);
        assert.equal(difference(after, sound[next]), 0, `after ${kind}`);
      }
    },
  );
}

decodeTest("Decoder survives any change of bytes, and decodes the next file right", async () => {
  using decoder = one();
  const rng = new Rng(11);
  const sound: Picture[] = [];
  for (const file of SOUND) sound.push(await picture(decoder, "sound", file));
  let refused = 0;
  for (let n = 0; n < 40 * SOUND.length; n++) {
    const k = n % SOUND.length;
    let file = SOUND[k].slice();
    for (let changes = 1 + rng.int(3); changes > 0; changes--) {
      const at = rng.int(rng.int(2) ? file.length : Math.min(file.length, 100));
      const kind = rng.int(4);
      if (kind === 0) file[at] ^= 1 << rng.int(8);
      else if (kind === 1) file.fill(255 * rng.int(2), at, at + rng.int(20));
      else if (kind === 2) file.copyWithin(at, rng.int(file.length), rng.int(file.length));
      else file = file.slice(0, at + 1);
    }
    const result = await decoder.decode({ name: `change ${n}`, bytes: file });
    if (result.picture) {
      const { width, height, data } = result.picture;
      assert.equal(data.length, 4 * width * height);
    } else {
      refused++;
      assert.ok(
        !/undefined|is not a function|out of bounds|took longer/.test(result.reason),
        result.reason,
      );
    }
    const after = await picture(decoder, `after change ${n}`, SOUND[k]);
    assert.equal(difference(after, sound[k]), 0, `after change ${n}`);
  }
  assert.ok(refused > 40, `${refused} were refused`);
});

filesTest("Decoder reads nothing but files, and none that are too large", async (folder) => {
  using decoder = one();
  const reason = async (path: string) => (await decoder.decode(path)).reason ?? "decoded";
  await Deno.mkdir(`${folder}/x.png`);
  assert.equal(await reason(`${folder}/x.png`), "a folder, not a file");
  assert.match(await reason(`${folder}/none.png`), /^cannot be read \(NotFound/);
  const large = await put(folder, "large.png", plain(2, 2, [1, 2, 3]));
  await Deno.truncate(large, MAX_FILE_BYTES + 1); // takes no room on the disk
  assert.match(await reason(large), /has 536870913 bytes, more than the limit of 536870912: make/);
  if (Deno.build.os !== "windows") {
    assert.equal(await reason("/dev/zero"), "a device, not a file");
    await Deno.symlink("/dev/zero", `${folder}/zero.png`);
    assert.equal(await reason(`${folder}/zero.png`), "a device, not a file");
  }
  if (Deno.build.os !== "windows" && !lacks("run")) {
    const { success } = await new Deno.Command("mkfifo", { args: [`${folder}/pipe.png`] }).output();
    if (success) assert.equal(await reason(`${folder}/pipe.png`), "a pipe, not a file");
  }
  const good = await put(folder, "good.jpg", plain(2, 2, [1, 2, 3])); // a PNG by its contents
  assert.equal((await decoder.decode(good)).picture?.width, 2);
});
