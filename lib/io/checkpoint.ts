/**
 * Checkpoints in a folder: saving, finding the newest sound one, keeping only the last few.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { TEMPORARY_SUFFIX, writeFileAtomic } from "./atomic.ts";
import {
  type CheckpointGroup,
  type CheckpointState,
  encodeCheckpoint,
  readCheckpoint,
} from "./checkpoint_format.ts";
import { shown } from "../text.ts";
import { fileError } from "./files.ts";
import { openSafetensors } from "./open_safetensors.ts";

export type { CheckpointGroup, CheckpointState } from "./checkpoint_format.ts";
export {
  CHECKPOINT_VERSION,
  checkpointName,
  decodeCheckpoint,
  encodeCheckpoint,
  isCheckpoint,
  readCheckpoint,
} from "./checkpoint_format.ts";

const NAME = /^checkpoint-(\d{8,})\.safetensors$/;

/** One checkpoint file of a folder. */
export interface CheckpointFile {
  /** Path of the file. */
  path: string;
  /** Steps done, as its name says. */
  step: number;
}

/** A checkpoint that could be loaded, and the newer ones that could not. */
export interface LatestCheckpoint extends CheckpointFile {
  /** What it holds. */
  state: CheckpointState;
  /** Messages about newer files that are damaged, newest first. */
  skipped: string[];
}

/**
 * Writes a checkpoint atomically: the file is whole or not there.
 *
 * @throws {HatchlingError} when the folder is missing or not writable, or the disk is full.
 */
export async function saveCheckpoint(path: string, state: CheckpointState): Promise<void> {
  await writeFileAtomic(path, encodeCheckpoint(state));
}

/**
 * Reads a checkpoint and checks every byte of it.
 *
 * @param groups what to keep: all by default, nothing where the file is only to be checked.
 * @throws {HatchlingError} when it is missing, damaged, no checkpoint or of another version.
 */
export async function loadCheckpoint(
  path: string,
  groups?: readonly CheckpointGroup[],
): Promise<CheckpointState> {
  using reader = await openSafetensors(path);
  return await readCheckpoint(reader, groups);
}

async function list(folder: string): Promise<string[]> {
  const names = [];
  try {
    for await (const entry of Deno.readDir(folder)) if (!entry.isDirectory) names.push(entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw fileError("list", folder, error);
  }
  return names;
}

/** The checkpoint files of a folder, newest first; none when it does not exist. Opens none of them. */
export async function listCheckpoints(folder: string): Promise<CheckpointFile[]> {
  return (await list(folder))
    .flatMap((name) => {
      const match = NAME.exec(name);
      return match ? [{ path: `${folder}/${name}`, step: Number(match[1]) }] : [];
    })
    .sort((a, b) => b.step - a.step);
}

/**
 * Loads the newest sound checkpoint of a folder. Damaged ones are passed over and named in `skipped`.
 *
 * @returns null when the folder holds no checkpoint or does not exist.
 * @throws {HatchlingError} when it holds checkpoints but all are damaged.
 */
export async function latestCheckpoint(folder: string): Promise<LatestCheckpoint | null> {
  const files = await listCheckpoints(folder);
  const skipped: string[] = [];
  for (const file of files) {
    try {
      return { ...file, state: await loadCheckpoint(file.path), skipped };
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
      skipped.push(error.message);
    }
  }
  if (files.length === 0) return null;
  throw new HatchlingError(
    `None of the ${files.length} checkpoints in ${shown(folder)} can be loaded:\n  ${
      skipped.join("\n  ")
    }\nDelete them or choose another folder to start anew.`,
  );
}

/**
 * Deletes all but the newest `keepLast` checkpoints of a folder.
 *
 * @param keepLast at least 1.
 * @param keeps says of a step whether its checkpoint stays whatever its age.
 * @param upTo steps done. Checkpoints of later steps are damaged ones, or of a course that was left: they are not
 * counted, so that they push out no sound one.
 * @returns the deleted paths.
 */
export async function pruneCheckpoints(
  folder: string,
  keepLast: number,
  keeps: (step: number) => boolean = () => false,
  upTo = Infinity,
): Promise<string[]> {
  if (!Number.isSafeInteger(keepLast) || keepLast < 1) {
    throw new HatchlingError(`Expected to keep at least 1 checkpoint but found ${keepLast}`);
  }
  const past = (await listCheckpoints(folder)).filter(({ step }) => step <= upTo);
  const old = past.slice(keepLast).filter(({ step }) => !keeps(step));
  return await removeAll(old.map(({ path }) => path));
}

/**
 * Deletes what writes that were killed have left in a folder. Only for who has the folder to himself: another
 * process may be writing.
 *
 * @returns the deleted paths.
 */
export async function removeTemporaries(folder: string): Promise<string[]> {
  const names = (await list(folder)).filter((name) => name.endsWith(TEMPORARY_SUFFIX));
  return await removeAll(names.map((name) => `${folder}/${name}`));
}

async function removeAll(paths: string[]): Promise<string[]> {
  for (const path of paths) {
    try {
      await Deno.remove(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw fileError("delete", path, error);
    }
  }
  return paths;
}
