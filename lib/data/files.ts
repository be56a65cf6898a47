/**
 * Finds the picture files of a folder.
 *
 * @module
 */

import { extname, join } from "node:path";
import { HatchlingError } from "../errors.ts";
import type { SkippedFile } from "./dataset.ts";
import { type Header, readHeader, sniff } from "./header.ts";

const PICTURES = new Set([".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif"]);
/** Pictures that we cannot decode: named as skipped, where a text file is simply no picture. */
const FOREIGN = new Set([".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jxl", ".svg"]);

/** First read of a file; most JPEG state their size within it. */
const HEAD_BYTES = 65536;

/** A picture file. */
export interface PictureFile {
  /** Path within the folder, with "/" between the parts on every system. */
  id: string;
  /** Path to open it by. */
  path: string;
  /** What its first bytes say. */
  header: Header;
}

/** What {@linkcode listPictures} finds. */
export interface Listing {
  /** Files with a sound header, sorted by id (UTF-16 code units, the same on every machine). */
  files: PictureFile[];
  /** Files that look like pictures but are none, sorted by path. */
  skipped: SkippedFile[];
  /** Number of files of other kinds. */
  others: number;
}

/**
 * Lists the pictures below a folder and reads their headers.
 *
 * A file counts by its extension, or without an extension by its first bytes. Hidden files and folders
 * (".…") are left out. Symbolic links are followed; a folder that is reached twice is read once.
 *
 * @param folder Path of the folder.
 * @throws {HatchlingError} when there is no such folder or it cannot be read.
 */
export async function listPictures(folder: string): Promise<Listing> {
  const listing: Listing = { files: [], skipped: [], others: 0 };
  await requireFolder(folder);
  const found: { id: string; path: string }[] = [];
  const seen = new Set([await Deno.realPath(folder)]);
  await walk(folder, "", seen, found, listing);
  found.sort((a, b) => (a.id < b.id ? -1 : 1));
  const inspected = await inspectFiles(found.map(({ path }) => path));
  found.forEach(({ id, path }, i) => {
    const { header, reason } = inspected[i];
    if (header) listing.files.push({ id, path, header });
    else if (reason) listing.skipped.push({ file: path, reason });
    else listing.others++;
  });
  listing.skipped.sort((a, b) => (a.file < b.file ? -1 : 1));
  return listing;
}

/** What the first bytes of a file say: a header, or why there is none, or neither where it claims nothing. */
export interface Inspected {
  header?: Header;
  reason?: string;
}

/**
 * Reads the headers of files.
 *
 * @param paths Paths of the files.
 * @param onProgress Called with the number of files done and of all.
 * @returns One for each path, in their order.
 */
export async function inspectFiles(
  paths: readonly string[],
  onProgress?: (done: number, total: number) => void,
): Promise<Inspected[]> {
  const inspected = new Array<Inspected>(paths.length);
  let next = 0, done = 0;
  const reader = async () => {
    while (next < paths.length) {
      const i = next++;
      try {
        inspected[i] = { header: await headerOf(paths[i], extname(paths[i]) === "") };
      } catch (error) {
        const known = error instanceof HatchlingError;
        inspected[i] = { reason: known ? error.message : `cannot be read (${error})` };
      }
      onProgress?.(++done, paths.length);
    }
  };
  await Promise.all(Array.from({ length: 32 }, reader)); // open files at a time
  return inspected;
}

async function requireFolder(folder: string): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(folder);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new HatchlingError(
        `Expected a folder of pictures at "${folder}" but there is none: check data.path`,
      );
    }
    throw new HatchlingError(`The folder "${folder}" cannot be read (${(error as Error).message})`);
  }
  if (!info.isDirectory) {
    throw new HatchlingError(
      `Expected a folder of pictures at "${folder}" but found a file: set data.path to the folder ` +
        `that holds it (archives must be unpacked)`,
    );
  }
}

async function walk(
  path: string,
  prefix: string,
  seen: Set<string>,
  found: { id: string; path: string }[],
  listing: Listing,
): Promise<void> {
  const folders: { name: string; link: boolean }[] = [];
  try {
    for await (const entry of Deno.readDir(path)) {
      if (entry.name.startsWith(".")) continue;
      const at = join(path, entry.name);
      let isFolder = entry.isDirectory, isFile = entry.isFile;
      if (entry.isSymlink) {
        const target = await Deno.stat(at).catch(() => undefined);
        if (!target) listing.skipped.push({ file: at, reason: "a symbolic link to nowhere" });
        isFolder = target?.isDirectory ?? false;
        isFile = target?.isFile ?? false;
      }
      if (isFolder) folders.push({ name: entry.name, link: entry.isSymlink });
      else if (isFile) keep(at, prefix + entry.name, found, listing);
    }
  } catch (error) {
    listing.skipped.push({ file: path, reason: `cannot be read (${(error as Error).message})` });
  }
  // Real folders first: a link to a folder beside it then adds nothing, whatever their names are.
  folders.sort((a, b) => Number(a.link) - Number(b.link) || (a.name < b.name ? -1 : 1));
  for (const { name } of folders) {
    const real = await Deno.realPath(join(path, name));
    if (seen.has(real)) continue;
    seen.add(real);
    await walk(join(path, name), `${prefix}${name}/`, seen, found, listing);
  }
}

function keep(
  path: string,
  id: string,
  found: { id: string; path: string }[],
  listing: Listing,
): void {
  const extension = extname(id).toLowerCase();
  if (PICTURES.has(extension) || extension === "") found.push({ id, path });
  else if (FOREIGN.has(extension)) {
    const reason = `${extension.slice(1)} cannot be decoded: convert it to PNG or JPEG`;
    listing.skipped.push({ file: path, reason });
  } else listing.others++;
}

/** Header of a file; undefined for a file that does not claim to be a picture and is none. */
async function headerOf(path: string, unclaimed: boolean): Promise<Header | undefined> {
  const head = new Uint8Array(HEAD_BYTES);
  let length = 0;
  const file = await Deno.open(path);
  try {
    while (length < HEAD_BYTES) {
      const n = await file.read(head.subarray(length)); // may give less than there is
      if (n === null) break;
      length += n;
    }
  } finally {
    file.close();
  }
  const bytes = head.subarray(0, length);
  if (unclaimed && !sniff(bytes)) return;
  return readHeader(bytes, length < HEAD_BYTES) ?? readHeader(await Deno.readFile(path), true);
}
