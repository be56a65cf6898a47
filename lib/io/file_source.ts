/**
 * Bytes of a file, to read from at any place.
 *
 * @module
 */
import { DamagedFileError } from "../errors.ts";
import { type ByteSource, PIECE } from "./byte_source.ts";
import { fileError, statFile } from "./files.ts";

/**
 * Opens a regular file.
 *
 * @throws {HatchlingError} When it is missing, no regular file, or cannot be read.
 */
export async function openSource(path: string): Promise<ByteSource> {
  await statFile(path);
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw fileError("read", path, error);
  }
  const read = async (into: Uint8Array, at: number) => {
    try {
      await file.seek(at, Deno.SeekMode.Start);
      for (let done = 0; done < into.length;) {
        const count = await file.read(into.subarray(done, done + PIECE));
        if (count === null) throw new Error("it has become shorter while it was read");
        done += count;
      }
    } catch (error) {
      // What a failing disk does to a file is damage, too.
      throw new DamagedFileError(fileError("read", path, error).message, { cause: error });
    }
  };
  const { size } = await file.stat();
  return { size, read, close: () => file.close() };
}
