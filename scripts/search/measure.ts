/**
 * What the search for duplicates finds and what it takes for one wrongly, on the pictures of a folder:
 * `deno run -A scripts/search/measure.ts DIR [--take 400] [--threshold 0.8]`. Copies are planted beside the
 * pictures, one kind of change after the other; nothing is written into the folder.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Command } from "commander";
import jpeg from "jpeg-js";
import { decodePicture } from "../../lib/data/decode.ts";
import { listPictures } from "../../lib/data/files.ts";
import type { Picture } from "../../lib/data/image.ts";
import { resizeBicubic } from "../../lib/data/resample.ts";
import { Rng } from "../../lib/rng.ts";
import { within } from "../../lib/data/walk.ts";
import { shown } from "../../lib/text.ts";
import { positive, share } from "../common/numbers.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import { Progress } from "../common/progress.ts";
import { findGroups, THRESHOLD } from "../../lib/search/duplicates.ts";
import { type SignedPicture, signFolder } from "../../lib/search/sign.ts";
import { signatureOf } from "../../lib/search/signature.ts";

type Change = (picture: Picture, rng: Rng) => Picture;

const scaled = (by: number): Change => (p) =>
  resizeBicubic(p, Math.max(1, Math.round(p.width * by)), Math.max(1, Math.round(p.height * by)));

const recompressed = (quality: number): Change => ({ width, height, data }) => {
  const file = jpeg.encode({ width, height, data: Buffer.from(data) }, quality).data;
  return jpeg.decode(file, { useTArray: true });
};

const levels = (of: (level: number) => number): Change => (p) => ({
  ...p,
  data: p.data.map((x, i) => i % 4 === 3 ? x : Math.max(0, Math.min(255, Math.round(of(x))))),
});

/** Takes away up to a share of width or height at each side. */
const cropped = (most: number): Change => ({ width, height, data }, rng) => {
  const [l, t, r, b] = Array.from({ length: 4 }, () => rng.uniform() * most);
  const left = Math.round(l * width), top = Math.round(t * height);
  const w = Math.max(1, Math.round((1 - r) * width) - left);
  const h = Math.max(1, Math.round((1 - b) * height) - top);
  const out = new Uint8Array(4 * w * h);
  for (let y = 0; y < h; y++) {
    const from = 4 * ((top + y) * width + left);
    out.set(data.subarray(from, from + 4 * w), 4 * w * y);
  }
  return { width: w, height: h, data: out };
};

const mirrored: Change = ({ width, height, data }) => {
  const from = new Uint32Array(data.slice().buffer);
  const to = from.map((_, i) => from[i - i % width + width - 1 - i % width]);
  return { width, height, data: new Uint8Array(to.buffer) };
};

const CHANGES: [name: string, ...changes: Change[]][] = [
  ["recompressed, JPEG 85", recompressed(85)],
  ["recompressed, JPEG 40", recompressed(40)],
  ["half the size", scaled(0.5)],
  ["1.5 times the size", scaled(1.5)],
  ["15 % brighter", levels((x) => 1.15 * x)],
  ["15 % darker", levels((x) => 0.85 * x)],
  ["more contrast (× 1.2)", levels((x) => (x - 128) * 1.2 + 128)],
  ["cropped, up to 4 % a side", cropped(0.04)],
  ["cropped, up to 8 % a side", cropped(0.08)],
  ["4 % crop, 0.6 × size, JPEG 60", cropped(0.04), scaled(0.6), recompressed(60)],
  ["mirrored (--mirrored)", mirrored],
];

async function main(): Promise<void> {
  const command = new Command("measure").argument("<dir>")
    .option("--take <n>", "pictures to plant copies of", positive, 400)
    .option("--threshold <t>", "similarity", share, THRESHOLD)
    .parse();
  const [folder] = command.args;
  const { take, threshold } = command.opts<{ take: number; threshold: number }>();
  const progress = new Progress();
  const base = (await signFolder(folder, await listPictures(folder), progress)).pictures;
  const chosen = [...new Rng(0).permutation(base.length)].slice(0, take);
  const decoded = await Promise.all(chosen.map(async (i) => {
    return await decodePicture(await Deno.readFile(within(folder, base[i].id)), Infinity);
  }));

  print(
    `${base.length} pictures of ${
      shown(folder)
    }, copies of ${chosen.length}, threshold ${threshold}\n`,
  );
  print("| copies that are | found | with another picture |\n| --- | --- | --- |");
  let found = 0, wrong = 0, all = 0;
  for (const [name, ...changes] of CHANGES) {
    const rng = new Rng(1);
    const copies = decoded.map((picture, k): SignedPicture => {
      const { width, height, data } = changes.reduce((p, change) => change(p, rng), picture);
      return {
        id: `copy ${k}`,
        width,
        height,
        bytes: 1,
        sha256: `copy ${k}`,
        signature: signatureOf({ width, height, data }),
      };
    });
    const mirror = name.startsWith("mirrored");
    const groups = await findGroups([...base, ...copies], { threshold, mirrored: mirror });
    let right = 0, other = 0;
    for (const group of groups) {
      const ids = new Set(group.map(({ picture }) => picture.id));
      for (const [k, i] of chosen.entries()) {
        if (!ids.has(`copy ${k}`)) continue;
        if (ids.has(base[i].id)) right++;
        else other++;
      }
    }
    if (!mirror) [found, wrong, all] = [found + right, wrong + other, all + copies.length];
    const percent = (n: number) => `${(100 * n / copies.length).toFixed(1)} %`;
    print(`| ${name} | ${percent(right)} | ${percent(other)} |`);
  }
  const own = await findGroups(base, { threshold, mirrored: false });
  const pairs = own.flatMap(([first, ...others]) => others.map((other) => [first, other]));
  print(
    `\nWithout mirror images: recall ${(100 * found / all).toFixed(1)} %, precision ` +
      `${(100 * found / (found + wrong)).toFixed(1)} %.`,
  );
  print(`Among the pictures themselves: ${pairs.length} pairs.`);
  for (const [a, b] of pairs.sort(([, x], [, y]) => x.similarity - y.similarity).slice(0, 200)) {
    say(`${b.similarity.toFixed(3)} ${b.how} ${shown(a.picture.id)} ${shown(b.picture.id)}`);
  }
}

await runCommand(main);
