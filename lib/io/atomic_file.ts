/**
 * A file that grows piece by piece, and is either whole or not there.
 *
 * @module
 */
import { fileError } from "./files.ts";
import { folderOf } from "./platform.ts";
import { TEMPORARY_SUFFIX, writeError } from "./atomic.ts";

/**
 * Like `writeFileAtomic`, for files that never lie in memory as a whole: a temporary file beside the place,
 * renamed at the end.
 */
export class AtomicFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #file: Deno.FsFile;
  #open = true;

  private constructor(path: string, temporary: string, file: Deno.FsFile) {
    this.path = path;
    this.#temporary = temporary;
    this.#file = file;
  }

  /**
   * Makes the temporary file, so that what cannot be written is known before any work.
   *
   * @throws {HatchlingError} When the folder is missing or not writable, or the path is a folder.
   */
  static open(path: string): AtomicFile {
    const temporary = `${path}.${crypto.randomUUID()}${TEMPORARY_SUFFIX}`;
    try {
      if (isFolder(path)) throw Object.assign(new Error("a folder"), { code: "EISDIR" });
      return new AtomicFile(
        path,
        temporary,
        Deno.openSync(temporary, { write: true, createNew: true }),
      );
    } catch (error) {
      throw writeError(path, error);
    }
  }

  /** Adds bytes at the end. */
  write(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length;) {
        done += this.#file.writeSync(bytes.subarray(done, done + (1 << 26)));
      }
    } catch (error) {
      throw fileError("write", this.path, error);
    }
  }

  /** Puts bytes in the place of the first ones. Nothing may be added any more. */
  replaceHead(bytes: Uint8Array): void {
    this.#file.seekSync(0, Deno.SeekMode.Start);
    this.write(bytes);
  }

  /** Gives the file its name. */
  finish(): void {
    try {
      this.#file.syncDataSync();
      this.#close();
      Deno.renameSync(this.#temporary, this.path);
    } catch (error) {
      this.discard();
      throw fileError("write", this.path, error);
    }
    try {
      using folder = Deno.openSync(folderOf(this.path)); // makes the new name itself durable
      folder.syncSync();
    } catch {
      // not every system can; the file's own data are safe
    }
  }

  /** Removes the temporary file; nothing else was changed. After `finish` it does nothing. */
  discard(): void {
    this.#close();
    try {
      Deno.removeSync(this.#temporary);
    } catch {
      // renamed or removed already
    }
  }

  #close(): void {
    if (this.#open) this.#file.close();
    this.#open = false;
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
