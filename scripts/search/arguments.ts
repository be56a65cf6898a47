/**
 * What a search is asked for, checked before any work.
 *
 * @module
 */
import type { Override } from "../../lib/config.ts";
import { inspect } from "../../lib/data/inspect.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { statFile } from "../../lib/io/files.ts";
import { shown } from "../../lib/text.ts";
import { requirePictures } from "../../lib/embed/pictures.ts";

/** Pictures that are found for each, at most: a page and a person have to take them in. */
export const MOST_FOUND = 1000;

/** Options of the command line. */
export interface SearchOptions {
  weights?: string;
  k: number;
  feature?: string;
  whiten?: boolean;
  whitenAlpha?: number;
  duplicates?: boolean;
  threshold?: number;
  mirrored?: boolean;
  out?: string;
  json?: boolean;
  config?: string;
  checkpoint?: string;
  student?: boolean;
}

/** A command line. */
export interface Arguments {
  /** Of pictures. */
  folder: string;
  /** Paths of pictures. */
  queries: readonly string[];
  overrides: Override[];
  options: SearchOptions;
}

/**
 * Checks what fits together, and that folder and queries are what they should be.
 *
 * @throws {HatchlingError} Saying what was expected, and what to do.
 */
export async function checkArguments({ folder, queries, options }: Arguments): Promise<void> {
  const { weights, duplicates, feature, whiten, threshold, mirrored, k } = options;
  const fail = (message: string): never => {
    throw new HatchlingError(message);
  };
  if (duplicates && queries.length) {
    fail(
      `Expected no picture beside --duplicates but found ${
        shown(queries[0])
      }: search for one of them`,
    );
  }
  if (!duplicates && !queries.length) {
    fail(
      "Expected a picture to search for, or --duplicates, but found neither: name one after the folder",
    );
  }
  if (!duplicates && weights === undefined) {
    fail(
      "Expected --weights beside a picture to search for but found none: name a run's folder or a " +
        "file of weights; --duplicates alone needs none",
    );
  }
  if (!duplicates && (threshold !== undefined || mirrored)) {
    fail(
      "Expected --threshold and --mirrored beside --duplicates but found no such: leave them out",
    );
  }
  if (duplicates && feature !== undefined) {
    fail(
      `Expected no --feature beside --duplicates but found ${feature}: copies are compared by what lies ` +
        "where, as the feature grid",
    );
  }
  if (duplicates && whiten) {
    fail(
      "Expected no --whiten beside --duplicates but found it: copies are compared by plain features",
    );
  }
  if (k > MOST_FOUND) {
    fail(
      `Expected -k of at most ${MOST_FOUND} but found ${k}: a page shows them all; deno task embed gives the ` +
        `features of every picture`,
    );
  }
  await requirePictures(folder);
  if (!(await Deno.stat(folder)).isDirectory) {
    fail(`Expected a folder of pictures at ${shown(folder)} but found a file: name its folder`);
  }
  for (const query of queries) await requirePicture(query);
}

/** By its first bytes; what lies behind them shows when it is decoded. */
async function requirePicture(path: string): Promise<void> {
  await statFile(path);
  const { header, reason = "no picture by its first bytes" } = inspect(path);
  if (header) return;
  throw new HatchlingError(
    `Expected a picture (PNG, JPEG, GIF, WebP) but found ${shown(path)}: ${shown(reason)}`,
  );
}
