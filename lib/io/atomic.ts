/**
 * Files that are either whole or not there.
 *
 * @module
 */
import type { HatchlingError } from "../errors.ts";
import { fileError } from "./files.ts";
import { folderOf } from "./platform.ts";

/** Ends the names of files under way; what a crash left behind can be told by it. */
export const TEMPORARY_SUFFIX = ".hatchling-tmp";

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await file.write(bytes.subarray(done, done + (1 << 26)));
  }
}

/** The error of a file that cannot be written: where its folder is missing, that says so. */
export function writeError(path: string, error: unknown): HatchlingError {
  if (!(error instanceof Deno.errors.NotFound)) return fileError("write", path, error);
  const missing = `the folder ${folderOf(path)} does not exist: create it`;
  return fileError("write", path, new Error(missing));
}

/** Makes the new name itself durable; not every system can sync a folder, so a refusal is no error. */
async function syncFolder(folder: string): Promise<void> {
  try {
    using handle = await Deno.open(folder);
    await handle.sync();
  } catch {
    // the file's own data are safe already
  }
}

/**
 * Writes a file atomically: into a temporary file in the same folder, synced to disk, then renamed.
 * Whoever reads `path` sees the old bytes or the new ones, even after a power cut.
 *
 * @throws {HatchlingError} when the folder is missing or not writable, or the disk is full; the old file
 * is then untouched and the temporary one gone.
 *
 * @example
 * ```ts
 * import { writeFileAtomic } from "./atomic.ts";
 *
 * await writeFileAtomic(`${await Deno.makeTempDir()}/notes.txt`, new TextEncoder().encode("whole or not at all"));
 * ```
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}${TEMPORARY_SUFFIX}`;
  try {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true });
      await writeAll(file, bytes);
      await file.sync();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {}); // may not have been created at all
    throw writeError(path, error);
  }
  await syncFolder(folderOf(path));
}
