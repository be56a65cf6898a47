/**
 * Who is judged by whom: pictures by all others of their set, or the pictures of a test set by another set.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { Gpu } from "../gpu.ts";
import { Rng } from "../rng.ts";
import { type EncodedPictures, type EncodeOptions, encodePictures } from "./encode.ts";
import type { Encoder } from "./encoder.ts";

/** Pictures with their features. */
export interface Side {
  /** The pictures. */
  dataset: Dataset;
  /** Their features, by one encoder. */
  encoded: EncodedPictures;
}

/** Both sides, by one encoder. */
export interface Sides {
  /** What answers: neighbours come from here, and linear probes are fitted to it. */
  gallery: Side;
  /** What is judged. Without it the gallery is, every picture by all others. */
  test?: Side;
}

/** Options of {@linkcode encodeSides}. */
export interface SidesOptions extends EncodeOptions {
  /** The test set. */
  test?: Dataset;
  /** Take this many pictures of each set at most, drawn by the seed; null takes all. */
  maxImages: number | null;
}

/**
 * Features of the pictures of a data set, and of a test set where there is one, by every encoder; views only of
 * those that are judged. Of several ranks (`comm`) each encodes a share.
 *
 * @returns By encoder; of several ranks on rank 0 alone, elsewhere nothing.
 * @throws {HatchlingError} As {@linkcode encodePictures}.
 */
export async function encodeSides(
  gpu: Gpu,
  dataset: Dataset,
  encoders: readonly Encoder[],
  options: SidesOptions,
): Promise<Sides[]> {
  const encode = async (set: Dataset, views: boolean) => {
    const all = new Rng(options.seed, 0xe7a1).permutation(set.length);
    const asked = all.subarray(0, options.maxImages ?? set.length).slice().sort();
    return await encodePictures(gpu, set, asked, encoders, { ...options, views });
  };
  const { test, views } = options;
  const gallery = await encode(dataset, views && !test);
  const judged = test && await encode(test, views);
  if (options.comm?.rank) return [];
  return encoders.map((_, e) => ({
    gallery: { dataset, encoded: gallery[e] },
    test: test && { dataset: test, encoded: judged![e] },
  }));
}

/** A kind of label that classes can be told by. */
export interface Classes {
  /** What the label says: "category" for instance. */
  kind: string;
  /** Class of every row of the gallery, from 0 to `count` − 1. */
  gallery: Int32Array;
  /** Class of every row that is judged; from `count` on those that the gallery lacks. */
  judged: Int32Array;
  /** Classes of the gallery, by their highest number. */
  count: number;
}

/** Labels that name single pictures or their origin; no classes to be recognised. */
const NOT_CLASSES: readonly string[] = ["identity", "vendor"];

/**
 * The kinds of label that classes can be told by. The test set's classes are found by their names.
 *
 * @param onNote Gets why others are left out, in words.
 */
export function classesOf({ gallery, test }: Sides, onNote: (text: string) => void): Classes[] {
  const { labels = {}, name } = gallery.dataset;
  if (!Object.keys(labels).length) {
    onNote(`${name} has no labels: only what needs none is measured`);
  }
  return Object.entries(labels).flatMap(([kind, { values, names }]) => {
    if (NOT_CLASSES.includes(kind)) return [];
    const own = Int32Array.from(gallery.encoded.indices, (i) => values[i]);
    const found = new Set(own).size;
    if (found < 2) {
      onNote(`${kind}: all pictures are of one class, so nothing is to be told apart`);
      return [];
    }
    if (!test) {
      if (found === own.length) {
        onNote(`${kind}: every picture has a class of its own, so no other can tell it`);
        return [];
      }
      return [{ kind, gallery: own, judged: own, count: names.length }];
    }
    const theirs = test.dataset.labels?.[kind];
    if (!theirs) {
      onNote(`${kind}: ${test.dataset.name} lacks such labels`);
      return [];
    }
    const numbers = new Map(names.map((text, i) => [text, i]));
    let count = names.length;
    for (const text of theirs.names) if (!numbers.has(text)) numbers.set(text, count++);
    const judged = Int32Array.from(test.encoded.indices, (i) => {
      return numbers.get(theirs.names[theirs.values[i]])!;
    });
    const known = new Set(own);
    const strange = judged.filter((c) => !known.has(c)).length;
    if (strange) {
      onNote(
        `${kind}: ${strange} of ${judged.length} test pictures are of classes that ${name} lacks here; ` +
          "k-NN and probes count them as wrong, retrieval leaves them out",
      );
    }
    if (strange === judged.length) return [];
    return [{ kind, gallery: own, judged, count: names.length }];
  });
}
