/**
 * Looks at every picture of a folder: the work behind `deno task data check`.
 *
 * @module
 */
import type { SkippedFile } from "../../lib/data/dataset.ts";
import { Decoder } from "../../lib/data/decoder.ts";
import { listPictures, type PictureFile } from "../../lib/data/files.ts";
import { planesOf } from "../../lib/data/image.ts";
import { sortLeftOut } from "../../lib/data/left_out.ts";
import { fitWithin } from "../../lib/data/resample.ts";
import type { Progress } from "../common/progress.ts";
import { durationText } from "../../lib/preset/duration.ts";
import { bytes, count, many } from "../../lib/words.ts";
import type { Examined } from "./examine.ts";
import { isMisnamed } from "./facts.ts";
import { opening } from "../../lib/from_config/pictures.ts";
import { type Bin, counted, groupsOf, histogram, type Spread, spread } from "./tally.ts";

/** What to check, and with which settings of a training in mind. */
export interface CheckOptions {
  /** Also find files with other bytes but the same pixels. */
  deep: boolean;
  /** Decoding workers. Default 2. */
  numWorkers?: number;
  /** `data.max_pixels`. Default: none are reduced. */
  maxPixels?: number;
  /** `model.in_chans`. Default 3. */
  channels?: number;
}

/** What a check finds. All lists are in the order of the files' names. */
export interface Check {
  /** The folder, as it was given. */
  folder: string;
  /** Number of sound pictures. */
  pictures: number;
  /** Bytes of their files. */
  bytes: number;
  /** How many there are of each format, and of each format and way to store pixels. */
  formats: { name: string; count: number }[];
  kinds: { name: string; count: number }[];
  /** Sizes, upright. */
  width: Spread;
  height: Spread;
  /** Width over height. */
  aspect: Spread;
  megapixels: Spread;
  shorterSide: Spread;
  /** Counts of the shorter side by ranges. */
  shorterSides: Bin[];
  /** Number of pictures that EXIF turns or mirrors. */
  turned: number;
  /** Number of files with more than one frame, of which the first is read. */
  animated: number;
  /** Number of pictures without any colour. */
  gray: number;
  /** Pictures that are one single colour. */
  flat: string[];
  /** Files whose name announces another format than the one that they have. */
  misnamed: { file: string; format: string }[];
  /** Files that cannot be used, and why. */
  damaged: SkippedFile[];
  /** Pictures in formats that are not decoded. */
  foreign: SkippedFile[];
  /** Folders and files that are never data, and why. */
  never: SkippedFile[];
  /** One line for each of these two kinds, with what to do. */
  notes: string[];
  /** Number of files of other kinds. */
  others: number;
  /** Number of links left out, as what they lead to is there already. */
  linked: number;
  /** Groups of files with the same bytes. */
  duplicates: string[][];
  /** Bytes of all but one of each group. */
  duplicateBytes: number;
  /** Groups of files with other bytes but the same pixels; absent unless asked for. */
  samePixels?: string[][];
  /** Pictures by first-level sub-folder, which are labels; "." stands for the folder itself. */
  folders: { name: string; count: number }[];
  /** Number of pictures above `data.max_pixels`, and above four times as many. */
  reduced: number;
  muchReduced: number;
  /** Bytes of all pictures when decoded and reduced, as the cache keeps them. */
  decodedBytes: number;
}

/**
 * Decodes every picture below a folder, at full size, in workers.
 *
 * @throws {HatchlingError} when there is no such folder, or nothing can be decoded at all.
 */
export async function check(
  folder: string,
  options: CheckOptions,
  progress: Progress,
): Promise<Check> {
  const { maxPixels = Infinity, channels = 3 } = options;
  const listing = await listPictures(
    folder,
    (done, total, doing) => progress.show(opening(done, total, doing)),
  );
  const { files, others, linked } = listing;
  const found = new Array<Found | undefined>(files.length);
  const { damaged, foreign, never, notes } = sortLeftOut(listing.skipped);
  const reasons = await examineAll(files, found, options, progress);
  damaged.push(...reasons);
  damaged.sort((a, b) => (a.file < b.file ? -1 : 1));

  const sound = files.flatMap((file, i) => found[i] ? [{ ...found[i]!, file }] : []);
  const numbers = (of: (one: typeof sound[number]) => number) => Float64Array.from(sound, of);
  const idsOf = (groups: number[][]) => groups.map((group) => group.map((i) => files[i].id));
  const duplicates = groupsOf(found.map((one) => one?.sha256));
  const copies = new Set(duplicates.flatMap((group) => group.slice(1)));
  const samePixels = options.deep
    ? groupsOf(found.map((one, i) => copies.has(i) ? undefined : one?.pixels))
    : undefined;
  const shorterSides = numbers(({ width, height }) => Math.min(width, height));
  return {
    folder,
    pictures: sound.length,
    bytes: sound.reduce((sum, { file }) => sum + file.state.size, 0),
    formats: counted(sound.map(({ format }) => format)),
    kinds: counted(sound.map(({ format, kind }) => `${format} ${kind}`)),
    width: spread(numbers(({ width }) => width)),
    height: spread(numbers(({ height }) => height)),
    aspect: spread(numbers(({ width, height }) => width / height)),
    megapixels: spread(numbers(({ width, height }) => width * height / 1e6)),
    shorterSide: spread(shorterSides),
    shorterSides: histogram(shorterSides),
    turned: sound.filter(({ turned }) => turned).length,
    animated: sound.filter(({ animated }) => animated).length,
    gray: sound.filter(({ gray }) => gray).length,
    flat: sound.filter(({ flat }) => flat).map(({ file }) => file.id),
    misnamed: sound.filter(({ file, format }) => isMisnamed(file.path, format))
      .map(({ file, format }) => ({ file: file.id, format })),
    damaged,
    foreign,
    never,
    notes,
    others,
    linked,
    duplicates: idsOf(duplicates),
    duplicateBytes: [...copies].reduce((sum, i) => sum + files[i].state.size, 0),
    samePixels: samePixels && idsOf(samePixels),
    folders: counted(sound.map(({ file: { id } }) => id.includes("/") ? id.split("/", 1)[0] : ".")),
    reduced: sound.filter(({ width, height }) => width * height > maxPixels).length,
    muchReduced: sound.filter(({ width, height }) => width * height > 4 * maxPixels).length,
    decodedBytes: sound.reduce((sum, { width, height }) => {
      const fit = fitWithin(width, height, maxPixels);
      return sum + 4 * fit.width * fit.height * planesOf(channels);
    }, 0),
  };
}

/** What is kept of a file: of hashes, only those that another file may share. */
type Found =
  & Pick<
    Examined,
    "width" | "height" | "format" | "kind" | "animated" | "turned" | "gray" | "flat" | "pixels"
  >
  & { sha256?: string };

/**
 * How far decoding is. The time that is left goes by the bytes of the files, as large pictures take longer than small
 * ones, so bytes are what is shown with it.
 *
 * @param seconds Since the first file.
 */
export function progressText(
  { done, files, damaged, doneBytes, allBytes, seconds }: Record<
    "done" | "files" | "damaged" | "doneBytes" | "allBytes" | "seconds",
    number
  >,
): string {
  const left = durationText(seconds * (allBytes / doneBytes - 1));
  return `decoding: ${count(done)} of ${many(files, "picture")} (${bytes(doneBytes)} of ${
    bytes(allBytes)
  }), ${count(damaged)} damaged, about ${left} left`;
}

/** Fills `found`, and gives the files that are damaged. A few files are on their way at a time. */
async function examineAll(
  files: readonly PictureFile[],
  found: (Found | undefined)[],
  { deep, numWorkers: workers = 2 }: CheckOptions,
  progress: Progress,
): Promise<SkippedFile[]> {
  const sizes = new Map<number, number>();
  let allBytes = 0;
  for (const { state: { size } } of files) {
    sizes.set(size, (sizes.get(size) ?? 0) + 1);
    allBytes += size;
  }
  const module = new URL("./examine_worker.ts", import.meta.url);
  if (deep) module.search = "?deep";
  using decoder = new Decoder({ workers, workerUrl: module });
  const damaged: SkippedFile[] = [], started = performance.now();
  let next = 0, done = 0, doneBytes = 0;
  const work = async () => {
    while (next < files.length) {
      const i = next++, { path, state: { size } } = files[i];
      const { picture, reason } = await decoder.decode(path);
      if (picture) {
        const { data: _, channels: __, sha256, ...facts } = picture as Examined;
        found[i] = { ...facts, sha256: sizes.get(size)! > 1 ? sha256 : undefined };
      } else damaged.push({ file: path, reason: reason! });
      done++;
      doneBytes += size;
      progress.show(progressText({
        ...{ done, files: files.length, damaged: damaged.length, doneBytes, allBytes },
        seconds: (performance.now() - started) / 1000,
      }));
    }
  };
  await Promise.all(Array.from({ length: 2 * workers }, work));
  progress.end();
  return damaged;
}
