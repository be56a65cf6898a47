/**
 * `deno task data stats`: what normalisation needs to know of the pictures.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { sortLeftOut } from "../../lib/data/left_out.ts";
import { shown } from "../../lib/text.ts";
import { print, printJson } from "../common/terminal.ts";
import { Progress } from "../common/progress.ts";
import { datasetOptionsOf } from "../../lib/from_config.ts";
import type { StatsArguments } from "./arguments.ts";
import { combine, type Moments, momentsOf } from "./moments.ts";
import { openConfigured, soundPicture, spreadIndices } from "../../lib/from_config/pictures.ts";
import { durationText } from "../../lib/preset/duration.ts";
import { count, many } from "../../lib/words.ts";

/** Least standard deviation that is written: nothing can be divided by 0. */
const LEAST_STD = 1e-4;

/** What `--json` prints. */
interface Stats {
  /** Name of the data set. */
  dataset: string;
  /** Pictures that were read, and those that were left out because they are damaged. */
  pictures: number;
  damaged: number;
  /** Limit of pixels to which larger pictures were reduced. */
  max_pixels: number;
  /** Per channel, levels from 0 to 1. */
  mean: number[];
  std: number[];
}

/** Prints mean and standard deviation per channel. */
export async function stats({ config, maxImages = Infinity, json }: StatsArguments): Promise<void> {
  const found = await measure(config, maxImages, new Progress());
  if (json) return printJson(found);
  const { dataset, pictures, damaged, max_pixels, mean, std } = found;
  const row = (numbers: number[]) => `[${numbers.map((x) => x.toFixed(4)).join(", ")}]`;
  print(
    `# ${many(pictures, "picture")} of ${shown(dataset)}${
      damaged ? ` (${count(damaged)} damaged)` : ""
    }, each ` +
      `with the same weight,\n# after the reduction to data.max_pixels ${max_pixels}; all pixels, ` +
      `levels 0 to 255 as 0 to 1\naugmentation:\n  normalize_mean: ${row(mean)}\n` +
      `  normalize_std: ${row(std.map((x) => Math.max(x, LEAST_STD)))}`,
  );
  std.forEach((x, c) => {
    if (x >= LEAST_STD) return;
    print(`# channel ${c} is the same everywhere: its deviation would be ${x.toFixed(6)}`);
  });
}

/** Reads all pictures once, a few at a time; the result does not depend on how many. */
async function measure(
  config: StatsArguments["config"],
  most: number,
  progress: Progress,
): Promise<Stats> {
  const { maxPixels = Infinity, numWorkers: workers = 1 } = datasetOptionsOf(config);
  const dataset = await openConfigured(config, progress);
  for (const note of sortLeftOut(dataset.skipped).notes) progress.say(`note: ${note}`);
  const indices = spreadIndices(dataset.length, most), started = performance.now();
  const found = new Array<Moments | undefined>(indices.length);
  let next = 0, done = 0;
  const work = async () => {
    while (next < indices.length) {
      const k = next++;
      const picture = await soundPicture(dataset, indices[k]);
      if (picture) found[k] = momentsOf(picture);
      const rest = (performance.now() - started) / 1000 * (indices.length / ++done - 1);
      progress.show(
        `reading: ${done} of ${many(indices.length, "picture")}, about ${durationText(rest)} left`,
      );
    }
  };
  try {
    await Promise.all(Array.from({ length: 2 * workers }, work));
  } finally {
    dataset.close?.();
    progress.end();
  }
  const sound = found.filter((one) => one !== undefined);
  if (sound.length === 0) {
    throw new HatchlingError(
      `Expected at least one sound picture in ${
        shown(dataset.name)
      } but all ${found.length} are damaged: ` +
        `"deno task data check" tells why`,
    );
  }
  const { mean, variance } = combine(sound);
  return {
    dataset: dataset.name,
    pictures: sound.length,
    damaged: found.length - sound.length,
    max_pixels: maxPixels,
    mean: mean.map((x) => x / 255),
    std: variance.map((x) => Math.sqrt(x) / 255),
  };
}
