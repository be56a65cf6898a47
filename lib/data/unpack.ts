/**
 * Files unpacked once into a cache folder, and checked on every use.
 *
 * @module
 */

import { join } from "node:path";
import { HatchlingError } from "../errors.ts";
import { readFile } from "../io/files.ts";
import { cacheFolder, HERE, temporaryFolder } from "../io/platform.ts";
import { hex, shown } from "../text.ts";

/** What a file of the cache must be, byte for byte. */
export interface ExpectedFile {
  /** Size in bytes. */
  readonly bytes: number;
  /** SHA-256 of the content, lower-case hexadecimal. */
  readonly sha256: string;
}

/**
 * Folders that may hold the cache, best first: the user's cache folder, and a private one among the temporary files.
 *
 * @returns Absolute paths; none of them needs to exist
 */
export function cacheRoots(): string[] {
  const folder = cacheFolder();
  return folder ? [folder, temporaryFolder()] : [temporaryFolder()];
}

/**
 * Gives a folder that holds exactly the expected files, unpacking them when they are missing or damaged.
 *
 * Every file is written beside its place and renamed into it, so a reader never sees half a file, two
 * processes may do this at once, and a torn unpack is repaired by the next call.
 *
 * @param label Name of the folder inside the cache, with its version
 * @param expected Content of every file, by its name (no folders)
 * @param produce Makes the files, by name; called only when some are missing or damaged
 * @param roots Candidates for the cache folder; the first that can be used is
 * @returns Absolute path of the folder
 * @throws {HatchlingError} When the produced files are not the expected ones, or no root can be written
 */
export async function verifiedFolder(
  label: string,
  expected: Readonly<Record<string, ExpectedFile>>,
  produce: () => Promise<Map<string, Uint8Array>>,
  roots: readonly string[] = cacheRoots(),
): Promise<string> {
  for (const root of roots) {
    if (await isOurs(root) && (await missing(join(root, label), expected)).length === 0) {
      return join(root, label);
    }
  }
  const files = await checked(label, expected, await produce());
  const failures: string[] = [];
  for (const root of roots) {
    const folder = join(root, label);
    try {
      if (root === temporaryFolder()) await Deno.mkdir(root, { mode: 0o700 }).catch(() => {});
      if (!await isOurs(root)) throw new Error("not a folder of this user alone");
      await Deno.mkdir(folder, { recursive: true });
      for (const name of await missing(folder, expected)) {
        await replace(join(folder, name), files.get(name)!);
      }
      return folder;
    } catch (error) {
      failures.push(`${folder} (${(error as Error).message})`);
    }
  }
  throw new HatchlingError(
    `Expected a writable cache folder for ${label} but found none: tried ${failures.join(", ")}. ` +
      `Set HATCHLING_CACHE to a folder that can be written`,
  );
}

/** Temporary files are anybody's: there, the root must be a folder that only this user can write. */
export async function isOurs(root: string): Promise<boolean> {
  if (root !== temporaryFolder()) return true;
  const info = await Deno.lstat(root).catch(() => undefined);
  return info?.isDirectory === true && info.uid === HERE.uid && ((info.mode ?? 0) & 0o022) === 0;
}

/** Names of the files that are not there, or not as they should be. */
async function missing(
  folder: string,
  expected: Readonly<Record<string, ExpectedFile>>,
): Promise<string[]> {
  const names: string[] = [];
  for (const [name, file] of Object.entries(expected)) {
    if (!await matches(await contentOf(join(folder, name), file), file)) names.push(name);
  }
  return names;
}

/** Bytes of a file; undefined where there is none that could be the expected one. */
function contentOf(path: string, { bytes }: ExpectedFile): Promise<Uint8Array | undefined> {
  return readFile(path, { maxBytes: bytes }).catch(() => undefined);
}

/**
 * Reads a file of a package, which somebody else keeps.
 *
 * @param folder The package's folder.
 * @param name Path of the file within it.
 * @throws {HatchlingError} When it is missing or not the expected one, byte for byte
 */
export async function readExpected(
  folder: string,
  name: string,
  expected: ExpectedFile,
): Promise<Uint8Array> {
  const content = await contentOf(join(folder, name), expected);
  if (content && await matches(content, expected)) return content;
  throw new HatchlingError(
    `Expected ${name} of ${expected.bytes} bytes in ${shown(folder)} but found ${
      content ? "another content" : "no such file"
    }: it is damaged, delete that folder and try again`,
  );
}

async function replace(path: string, content: Uint8Array): Promise<void> {
  const fresh = `${path}.${crypto.randomUUID()}`;
  try {
    await Deno.writeFile(fresh, content, { createNew: true });
    await Deno.rename(fresh, path);
  } catch (error) {
    await Deno.remove(fresh).catch(() => {});
    throw error;
  }
}

async function checked(
  label: string,
  expected: Readonly<Record<string, ExpectedFile>>,
  files: Map<string, Uint8Array>,
): Promise<Map<string, Uint8Array>> {
  for (const [name, file] of Object.entries(expected)) {
    if (await matches(files.get(name), file)) continue;
    const found = files.get(name);
    throw new HatchlingError(
      `Expected ${name} of ${file.bytes} bytes for ${label} but found ${
        found ? `${found.length} bytes with another content` : "no such file"
      }: the download is damaged, remove it ("deno clean") and try again`,
    );
  }
  return files;
}

async function matches(content: Uint8Array | undefined, file: ExpectedFile): Promise<boolean> {
  if (content?.length !== file.bytes) return false;
  const digest = await crypto.subtle.digest("SHA-256", content as Uint8Array<ArrayBuffer>);
  return hex(new Uint8Array(digest)) === file.sha256;
}

/**
 * Reads the plain files of a tar archive (POSIX ustar: 512-byte headers, sizes in octal).
 *
 * @param archive The uncompressed archive
 * @returns Content by name, views of `archive`; folders, links and other entries are left out
 * @throws {HatchlingError} When the archive is cut off or is no tar archive
 */
export function untar(archive: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const text = (from: number, length: number) =>
    new TextDecoder().decode(archive.subarray(from, from + length)).split("\0", 1)[0];
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0;) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    const end = at + 512 + size;
    if (text(at + 257, 5) !== "ustar" || !(end <= archive.length)) {
      throw new HatchlingError(
        `Expected a tar header and its ${size} bytes at offset ${at} but found ${
          archive.length - at
        } bytes that are none: the archive is damaged, remove and download it again`,
      );
    }
    const prefix = text(at + 345, 155);
    const name = text(at, 100);
    const kind = text(at + 156, 1); // "0" or nothing: a plain file
    if (kind === "0" || kind === "") {
      files.set(prefix ? `${prefix}/${name}` : name, archive.subarray(at + 512, end));
    }
    at = end + (512 - size % 512) % 512;
  }
  return files;
}
