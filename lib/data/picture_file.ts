/**
 * Reading a picture file, whatever its name turns out to stand for.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";

/** Largest file that is read, 512 MiB: far beyond any picture of at most 10^8 pixels that people keep. */
export const MAX_FILE_BYTES = 2 ** 29;

/**
 * Reads a file that should hold a picture. A pipe, device or socket is never opened: it may hang.
 *
 * @param path Path of the file; links are followed.
 * @throws {HatchlingError} with the reason, without the path, when it cannot be read, is no file, or has
 * more than {@linkcode MAX_FILE_BYTES}.
 */
export async function readPictureFile(path: string): Promise<Uint8Array> {
  try {
    const info = await Deno.stat(path);
    if (!info.isFile) {
      const kind = info.isDirectory
        ? "folder"
        : info.isFifo
        ? "pipe"
        : info.isSocket
        ? "socket"
        : "device";
      throw new HatchlingError(`a ${kind}, not a file`);
    }
    if (info.size > MAX_FILE_BYTES) {
      throw new HatchlingError(
        `the file has ${info.size} bytes, more than the limit of ${MAX_FILE_BYTES}: make it smaller`,
      );
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof HatchlingError) throw error;
    throw new HatchlingError(`cannot be read (${error})`);
  }
}
