/**
 * CIFAR-10 and CIFAR-100 in their binary version.
 *
 * Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009). A file is records of
 * equal length: one label byte (CIFAR-100 two: coarse, fine), then 32 × 32 red levels row by row, then
 * green, then blue.
 *
 * @module
 */

import { join } from "node:path";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { fileError, readFile } from "../io/files.ts";
import { decodeText } from "../io/text_file.ts";
import type { Dataset, Labels } from "./dataset.ts";
import { functionDataset } from "./function_dataset.ts";
import { type Picture, withChannels } from "./image.ts";
import { locate, type PartsOptions, sidesOf } from "./parts.ts";

const SIDE = 32, PIXELS = SIDE * SIDE;

/** One of the two sets. */
interface Variant {
  /** Its folder within the archive. */
  folder: string;
  /** Archives, as published. */
  archive: string;
  train: readonly string[];
  test: readonly string[];
  /** Labels, a byte each in this order: kind, classes, file of names. */
  labels: readonly { kind: string; classes: number; names: string }[];
}

const VARIANTS: Record<"cifar10" | "cifar100", Variant> = {
  cifar10: {
    folder: "cifar-10-batches-bin",
    archive: "cifar-10-binary.tar.gz",
    train: [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`),
    test: ["test_batch.bin"],
    labels: [{ kind: "class", classes: 10, names: "batches.meta.txt" }],
  },
  cifar100: {
    folder: "cifar-100-binary",
    archive: "cifar-100-binary.tar.gz",
    train: ["train.bin"],
    test: ["test.bin"],
    labels: [
      { kind: "coarse", classes: 20, names: "coarse_label_names.txt" },
      { kind: "fine", classes: 100, names: "fine_label_names.txt" },
    ],
  },
};

/** Largest file of pictures, ten times what is published, and of names: all are in memory. */
const MAX_BATCH_BYTES = 2 ** 30, MAX_NAMES_BYTES = 2 ** 20;

/** A file of records. */
interface Batch {
  /** Its name without ".bin". */
  name: string;
  /** Number of records. */
  length: number;
  bytes: Uint8Array;
}

/**
 * Opens CIFAR-10 (`data_batch_1.bin` … `data_batch_5.bin`, `test_batch.bin`) or CIFAR-100 (`train.bin`,
 * `test.bin`). Files that are missing are left out, as long as there is one of the split.
 *
 * All pictures, of 32 × 32 pixels, are in memory: the training files, then the test file. Ids are file and
 * record ("test_batch/17"). Labels: `class` of CIFAR-10, `coarse` and `fine` of CIFAR-100, named as in
 * `batches.meta.txt`, `coarse_label_names.txt` and `fine_label_names.txt`; by numbers where these are missing.
 *
 * @param path Folder of the files, or the folder that holds it as unpacked.
 * @throws {HatchlingError} naming file and record when there is no file, or one is damaged.
 *
 * @example
 * ```ts ignore
 * import { openCifar } from "./cifar.ts";
 *
 * const cifar = await openCifar("cifar10", "data/cifar-10-batches-bin", { split: "train" });
 * console.log(cifar.length, cifar.labels!.class.names); // 50000, airplane …
 * ```
 */
export async function openCifar(
  variant: "cifar10" | "cifar100",
  path: string,
  options: PartsOptions = {},
): Promise<Dataset> {
  const { split = "all", channels = 3, maxPixels = Infinity, onProgress } = options;
  const { labels, ...set } = VARIANTS[variant];
  const wanted = sidesOf(split).flatMap((side) => set[side]);
  const { folder, present } = await findFolder(path, VARIANTS[variant]);
  const files = wanted.filter((name) => present.has(name));
  if (files.length === 0) {
    throw new HatchlingError(
      `Expected ${wanted.join(", ")} in ${
        shown(folder)
      } for data.split "${split}" but found only ` +
        `${
          [...set.train, ...set.test].filter((name) => present.has(name)).join(", ")
        }: add what is ` +
        `missing, or set data.split to "all"`,
    );
  }
  // Its message about channels, before anything is read.
  withChannels({ width: 1, height: 1, data: new Uint8Array(4) }, channels);
  const record = labels.length + 3 * PIXELS;
  const batches: Batch[] = [];
  for (const name of files) {
    batches.push(await readBatch(join(folder, name), name, labels));
    onProgress?.(batches.length, files.length, "reading files");
  }
  const named = await Promise.all(labels.map(async ({ kind, classes, names }, byte) => {
    const values = batches.flatMap(({ length, bytes }) =>
      Array.from({ length }, (_, r) => bytes[r * record + byte])
    );
    const file = present.has(names) ? join(folder, names) : undefined;
    const list: Labels = {
      values: Int32Array.from(values),
      names: await readNames(file, classes),
    };
    return [kind, list] as const;
  }));
  return functionDataset({
    name: folder,
    length: batches.reduce((n, { length }) => n + length, 0),
    channels,
    maxPixels: Math.min(maxPixels, PIXELS),
    picture: (i) => {
      const [{ bytes }, r] = locate(batches, i);
      return planar(bytes.subarray(r * record + labels.length, (r + 1) * record));
    },
    id: (i) =>
      locate(batches, i).map((part) => typeof part === "number" ? part : part.name).join("/"),
    labels: Object.fromEntries(named),
  });
}

/** Levels of one colour after another. */
function planar(levels: Uint8Array): Picture {
  const data = new Uint8Array(4 * PIXELS).fill(255);
  for (let i = 0; i < PIXELS; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = levels[c * PIXELS + i];
  }
  return { width: SIDE, height: SIDE, channels: 3, data };
}

async function readBatch(path: string, name: string, labels: Variant["labels"]): Promise<Batch> {
  const bytes = await readFile(path, { maxBytes: MAX_BATCH_BYTES });
  const record = labels.length + 3 * PIXELS;
  const length = Math.floor(bytes.length / record);
  if (bytes.length === 0 || bytes.length % record) {
    throw new HatchlingError(
      `Expected whole records of ${record} bytes in ${
        shown(path)
      } but found ${bytes.length} bytes, ` +
        `${bytes.length % record} beyond record ${length}: copy or unpack it again`,
    );
  }
  for (let r = 0; r < length; r++) {
    for (const [byte, { kind, classes }] of labels.entries()) {
      const found = bytes[r * record + byte];
      if (found < classes) continue;
      throw new HatchlingError(
        `Expected a ${kind} label from 0 to ${classes - 1} in record ${r} (byte ${
          r * record + byte
        }) of ` +
          `${
            shown(path)
          } but found ${found}: is it the file of another set? If not, unpack it again`,
      );
    }
  }
  return { name: name.replace(/\.bin$/, ""), length, bytes };
}

/** A name per line; numbers where there is no file. */
async function readNames(path: string | undefined, classes: number): Promise<string[]> {
  if (!path) return Array.from({ length: classes }, (_, i) => String(i));
  const names = decodeText(await readFile(path, { maxBytes: MAX_NAMES_BYTES }), path).split(/\r?\n/)
    .map((line) => line.trim()).filter(Boolean);
  if (names.length === classes) return names;
  throw new HatchlingError(
    `Expected ${classes} names in ${
      shown(path)
    }, one per line, but found ${names.length}: unpack it again, or ` +
      `remove it to have numbers as names`,
  );
}

/** The folder that holds the files: the given one, or the one in it that unpacking makes. */
async function findFolder(
  path: string,
  { folder, archive, train, test }: Variant,
): Promise<{ folder: string; present: Set<string> }> {
  const inPath = await list(path);
  for (const candidate of [path, ...(inPath.has(folder) ? [join(path, folder)] : [])]) {
    const present = candidate === path ? inPath : await list(candidate);
    if ([...train, ...test].some((name) => present.has(name))) {
      return { folder: candidate, present };
    }
  }
  const python = ["data_batch_1", "train", "cifar-10-batches-py", "cifar-100-python"];
  const other = python.find((name) => inPath.has(name));
  throw new HatchlingError(
    `Expected ${[...train, ...test].join(", ")} in ${shown(path)} but found ` +
      (other ? `${other}, which looks like the Python version` : "none of them") +
      `: unpack the binary version, ${archive}, and set data.path to its folder`,
  );
}

async function list(folder: string): Promise<Set<string>> {
  try {
    return new Set(await Array.fromAsync(Deno.readDir(folder), ({ name }) => name));
  } catch (error) {
    if (error instanceof Deno.errors.NotADirectory) {
      throw new HatchlingError(
        `Expected a folder at ${
          shown(folder)
        } but found a file: unpack the archive, and set data.path to its folder`,
      );
    }
    throw fileError("read", folder, error);
  }
}
