/**
 * A data set from a module of your own.
 *
 * @module
 */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { statFile } from "../io/files.ts";
import type { Dataset } from "./dataset.ts";
import { describe, functionDataset } from "./function_dataset.ts";
import { withChannels } from "./image.ts";

/** What the function that a module exports is told. */
export interface ModuleOptions {
  /** Channels that the model takes. */
  channels: number;
  /** No picture should have more pixels: larger ones are reduced. */
  maxPixels: number;
  /** Seed of the run, for data that are made up; undefined where there is no run. */
  seed?: number;
}

/** The default export of a module: a data set, or a function that gives one. */
export type DatasetModule = Dataset | ((options: ModuleOptions) => Dataset | Promise<Dataset>);

/**
 * Opens the data set that a TypeScript or JavaScript module exports by default. Its pictures are checked,
 * brought to `channels` (gray and colour turn into each other) and reduced to `maxPixels`.
 *
 * The module runs with all permissions of this program.
 *
 * @param path Path of the module, relative to the working directory.
 * @param options Passed on to an exported function.
 * @throws {HatchlingError} naming the file when it cannot be imported, throws, or exports no data set.
 *
 * @example
 * ```ts ignore
 * // stripes.ts
 * import { functionDataset } from "@hatchling/hatchling";
 * import type { ModuleOptions } from "@hatchling/hatchling/data";
 *
 * export default ({ channels }: ModuleOptions) =>
 *   functionDataset({ name: "stripes", length: 100, channels, maxPixels: 1024, picture: paint });
 *
 * // elsewhere
 * import { openModule } from "./module_dataset.ts";
 *
 * const stripes = await openModule("stripes.ts", { channels: 3, maxPixels: 65536 });
 * ```
 */
export async function openModule(path: string, options: ModuleOptions): Promise<Dataset> {
  const given = await exported(path, options);
  const wrong = problem(given);
  if (wrong) {
    throw new HatchlingError(
      `Expected the default export of ${
        shown(path)
      } to be a Dataset, or a function that returns one, but ${wrong}`,
    );
  }
  try {
    return checked(given, options);
  } catch (error) {
    throw inFile(path, error);
  }
}

/** The same data set with its pictures checked. */
function checked(given: Dataset, { channels, maxPixels }: ModuleOptions): Dataset {
  const { name, length, labels, largestPixels } = given;
  // Its message about channels, before anything is asked for.
  const own = given.channels ?? 3;
  withChannels({ width: 1, height: 1, channels: own, data: new Uint8Array(4) }, channels);
  const dataset = functionDataset({
    name,
    length,
    labels,
    channels,
    maxPixels: Math.min(maxPixels, largestPixels),
    picture: async (i) => {
      const picture = await given.picture(i);
      if (!(picture?.width * picture?.height > largestPixels)) return picture;
      throw new HatchlingError(
        `Expected pictures of at most ${largestPixels} pixels from ${
          shown(name)
        }, as its largestPixels says, but ` +
          `picture ${i} has ${picture.width} × ${picture.height}: raise largestPixels`,
      );
    },
    id: (i) => given.id(i),
  });
  return {
    ...dataset,
    skipped: given.skipped,
    fingerprint: given.fingerprint?.bind(given),
    places: given.places?.bind(given),
    close: given.close?.bind(given),
  };
}

function inFile(path: string, error: unknown): unknown {
  if (!(error instanceof HatchlingError)) return error;
  return new HatchlingError(`In ${shown(path)}: ${error.message}`, { cause: error });
}

/** The default export, or what it returns. */
async function exported(path: string, options: ModuleOptions): Promise<Dataset> {
  await statFile(path); // an import would wait at a pipe without end
  let found: unknown;
  try {
    ({ default: found } = await import(pathToFileURL(resolve(path)).href));
    if (typeof found === "function") found = await found({ ...options });
  } catch (error) {
    if (error instanceof HatchlingError) throw inFile(path, error);
    throw new HatchlingError(
      `Expected a module at ${
        shown(path)
      } whose default export is a Dataset, or a function that returns one, but ` +
        `${typeof found === "function" ? "its function" : "importing it"} failed: ${
          (error as Error)?.message ?? error
        }`,
      { cause: error },
    );
  }
  return found as Dataset;
}

/** What keeps a value from being a data set. */
function problem(found: Dataset): string | undefined {
  if (found === null || typeof found !== "object") return `found ${describe(found)}`;
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1;
  const members: [keyof Dataset, string, (value: unknown) => boolean][] = [
    ["name", "a text", (value) => typeof value === "string" && value !== ""],
    ["length", "an integer from 1 on", isCount],
    ["largestPixels", "an integer from 1 on", isCount],
    ["picture", "a function", (value) => typeof value === "function"],
    ["id", "a function", (value) => typeof value === "function"],
    ["skipped", "a list", Array.isArray],
    ["channels", "an integer from 1 on", (value) => value === undefined || isCount(value)],
    ["labels", "an object", (value) => value === undefined || typeof value === "object"],
  ];
  for (const [member, expected, fits] of members) {
    const value = found[member];
    if (!fits(value)) return `its "${member}" is ${describe(value)} instead of ${expected}`;
  }
}
