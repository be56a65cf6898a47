/**
 * The files of a run that hold its weights, and what happens where one of them is damaged.
 *
 * @module
 */
import { join } from "node:path";
import { DamagedFileError, HatchlingError } from "../errors.ts";
import { hasTeacher } from "../from_config.ts";
import { listCheckpoints } from "../io/checkpoint.ts";
import { readConfig } from "../io/config_file.ts";
import { shown } from "../text.ts";

/** Whether there is something at a path. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/**
 * Files of a run's folder with the weights of one network, the one to take first: its result, the best
 * checkpoint, then the others from the newest on. Of a run without a teacher, the student is asked for.
 *
 * @throws {HatchlingError} When there is none.
 */
export async function weightFiles(folder: string, who: "student" | "teacher"): Promise<string[]> {
  if (who === "teacher" && !await hasTeacherIn(folder)) who = "student";
  const names = [`${who}.safetensors`, "best.safetensors"];
  const files: string[] = [];
  for (const name of names) {
    const path = join(folder, name);
    if (await exists(path)) files.push(path);
  }
  files.push(...(await listCheckpoints(folder)).map(({ path }) => path));
  if (files.length) return files;
  throw new HatchlingError(
    `Expected ${names[0]} or a checkpoint in ${shown(folder)} but found neither: ` +
      "name the folder of a run, or a file",
  );
}

/** Whether the run in a folder has a teacher, as its configuration says; one that cannot be read has one. */
async function hasTeacherIn(folder: string): Promise<boolean> {
  try {
    return hasTeacher((await readConfig(join(folder, "config.yaml"))).config);
  } catch (error) {
    if (error instanceof HatchlingError) return true;
    throw error;
  }
}

/**
 * What the first sound one of some files holds. Damaged ones are passed over, and said.
 *
 * @param load Throws a `DamagedFileError` where the file is damaged; what else it throws ends the search.
 * @param onWarning Told what is passed over.
 * @throws {HatchlingError} When all are damaged.
 */
export async function firstSound<T>(
  files: readonly string[],
  load: (file: string) => Promise<T>,
  onWarning: (message: string) => void,
): Promise<T> {
  const damaged: string[] = [];
  for (const file of files) {
    try {
      const loaded = await load(file);
      for (const message of damaged) onWarning(message);
      if (damaged.length) onWarning(`${shown(file)} is used instead`);
      return loaded;
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error;
      damaged.push(error.message);
    }
  }
  if (damaged.length === 1) throw new HatchlingError(damaged[0]);
  throw new HatchlingError(
    `Expected a sound file of weights but all ${files.length} are damaged:\n  ${
      damaged.join("\n  ")
    }`,
  );
}
