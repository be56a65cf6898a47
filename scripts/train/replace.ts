/**
 * How a run takes the place of another one in the same folder, without a moment at which both are lost.
 *
 * The old run's files are moved into a folder below, and go when the new run has made its first checkpoint, one of step 0 aside. Whoever
 * is killed meanwhile leaves that folder behind, under one of three names; by it the next start knows what to do.
 *
 * @module
 */
import { join } from "node:path";
import { listCheckpoints } from "../../lib/io/checkpoint.ts";
import { fileError } from "../../lib/io/files.ts";
import { deleteRun, moveRun } from "../../lib/run/written.ts";

/** Holds a run as a whole; a part of it, and the new run has written nothing; what is to be deleted. */
const ASIDE = "replaced-run.hatchling", PART = `${ASIDE}-part`, GONE = `${ASIDE}-gone`;

/** Where the files of the run are that is being replaced. */
export function asideOf(folder: string): string {
  return join(folder, ASIDE);
}

/**
 * Moves the run in a folder aside.
 *
 * @throws {HatchlingError} When it cannot: all is as it was then.
 */
export async function setAside(folder: string): Promise<void> {
  const part = join(folder, PART);
  try {
    await Deno.mkdir(part).catch((error) => {
      throw fileError("create", part, error);
    });
    await moveRun(folder, part);
    await rename(part, join(folder, ASIDE));
  } catch (error) {
    await moveBack(folder);
    throw error;
  }
}

/** Deletes what was set aside: the new run can be gone on with. */
export async function dropAside(folder: string): Promise<void> {
  await rename(join(folder, ASIDE), join(folder, GONE));
  await removeGone(folder);
}

/** Deletes the new run, and puts what was set aside in its place. */
export async function putBack(folder: string): Promise<void> {
  await deleteRun(folder);
  await rename(join(folder, ASIDE), join(folder, PART));
  await moveBack(folder);
}

/**
 * Ends what a start that was killed had begun.
 *
 * @returns Which run the folder now holds, where there was a choice.
 */
export async function recoverFolder(folder: string): Promise<"old" | "new" | undefined> {
  await removeGone(folder);
  if (await exists(join(folder, PART))) {
    await moveBack(folder);
    return "old";
  }
  if (!await exists(join(folder, ASIDE))) return undefined;
  if ((await listCheckpoints(folder)).some(({ step }) => step > 0)) {
    await dropAside(folder);
    return "new";
  }
  await putBack(folder);
  return "old";
}

async function moveBack(folder: string): Promise<void> {
  const part = join(folder, PART);
  await moveRun(part, folder);
  // What else somebody has put there is theirs, and stays if its place is taken.
  for (const name of await namesIn(part)) {
    if (!await exists(join(folder, name))) await rename(join(part, name), join(folder, name));
  }
  if ((await namesIn(part)).length) return;
  await Deno.remove(part).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw fileError("delete", part, error);
  });
}

async function namesIn(folder: string): Promise<string[]> {
  if (!await exists(folder)) return [];
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

async function removeGone(folder: string): Promise<void> {
  const gone = join(folder, GONE);
  await Deno.remove(gone, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw fileError("delete", gone, error);
  });
}

async function rename(from: string, to: string): Promise<void> {
  await Deno.rename(from, to).catch((error) => {
    throw fileError("move", from, error);
  });
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
