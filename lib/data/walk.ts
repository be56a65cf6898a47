/**
 * Walks a folder: every file that may be a picture, without opening any.
 *
 * @module
 */

import { basename, extname, sep } from "node:path";
import type { Progress, SkippedFile } from "./dataset.ts";
import { foreignByName } from "./formats/foreign.ts";
import { holdsRun, runFolder, systemFolder } from "./never_data.ts";

const PICTURES = new Set(
  [".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp"],
);
/** Longest time without a turn of the event loop, milliseconds: signals and progress come through. */
const SLICE = 50;

/** Why a pipe, a socket or a device is left alone: opening it may wait for ever. */
export const NO_FILE = "no plain file but a pipe, a socket or a device";

/** A folder under way. */
interface Folder {
  path: string;
  /** Id of its files up to their name. */
  prefix: string;
  /** Its path without links. */
  real: string;
  /** Whether a link leads to it. */
  linked: boolean;
}

/** A file that may be a picture. */
export interface Candidate {
  id: string;
  path: string;
  name: string;
  folder: Folder;
  /** Whether the file itself is a symbolic link. */
  link: boolean;
}

/** What {@linkcode walk} finds. */
export interface Walk {
  /** Sorted by id. */
  candidates: Candidate[];
  /** Folders, links and special files that are left out with a reason. */
  skipped: SkippedFile[];
  /** Number of files of other kinds. */
  others: number;
  /** Number of links to folders that are listed without them. */
  linked: number;
}

/** Whether a name says by its extension that this is a picture we decode. */
export function claimsPicture(name: string): boolean {
  return PICTURES.has(extname(name).toLowerCase());
}

/** Why a path could not be reached, in words. */
export function reasonOf(error: unknown, path: string, link = false): string {
  if (!(error instanceof Deno.errors.NotFound)) {
    return `cannot be read (${(error as Error)?.message ?? error})`;
  }
  if (link) return "a symbolic link to nowhere";
  // The runtime puts U+FFFD where a name has bytes that are not UTF-8, and no such file is there.
  if (path.includes("\ufffd")) return "its name is not valid UTF-8: rename it";
  return "there is no such file";
}

/** Path of an entry of a folder. */
export function within(folder: string, name: string): string {
  return folder.endsWith(sep) ? folder + name : folder + sep + name;
}

/**
 * Walks a folder. Calls are synchronous, in slices: many times cheaper than asynchronous ones.
 *
 * Links to folders come last, in the order of their ids. One is followed unless its folder was walked
 * already, or holds the folder that is walked or the link itself: that would be a circle.
 *
 * @param path Path of the folder.
 * @throws {Error} when there is no such folder.
 */
export async function walk(path: string, onProgress?: Progress): Promise<Walk> {
  const result: Walk = { candidates: [], skipped: [], others: 0, linked: 0 };
  const root: Folder = { path, prefix: "", real: Deno.realPathSync(path), linked: false };
  const seen = new Set<string>();
  const folders = [root];
  const links: Folder[] = []; // the smallest id last
  let rested = performance.now();
  for (;;) {
    const folder = folders.pop() ?? links.pop();
    if (!folder) break;
    if (seen.has(folder.real)) {
      result.linked++; // without links, no folder is met twice
      continue;
    }
    seen.add(folder.real);
    for (const { inner, link } of list(folder, result)) {
      if (!link) folders.push(inner);
      else if (holds(inner.real, root.real) || holds(inner.real, folder.real)) result.linked++;
      else insert(links, inner);
    }
    if (performance.now() - rested > SLICE) {
      onProgress?.(result.candidates.length, 0, "finding files");
      await new Promise((resolve) => setTimeout(resolve));
      rested = performance.now();
    }
  }
  result.candidates.sort((a, b) => (a.id < b.id ? -1 : 1));
  return result;
}

/** Adds the files of one folder to `result`, and gives the folders in it. */
function list(folder: Folder, result: Walk): { inner: Folder; link: boolean }[] {
  const found: { inner: Folder; link: boolean }[] = [];
  const skip = (file: string, reason: string) => void result.skipped.push({ file, reason });
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(folder.path)];
  } catch (error) {
    skip(folder.path, reasonOf(error, folder.path));
    return found;
  }
  const isRun = entries.some(({ name }) => name === "run.json") && holdsRun(folder.path);
  for (const { name, isSymlink, ...entry } of entries) {
    if (name.startsWith(".")) continue;
    const path = within(folder.path, name);
    let { isFile, isDirectory } = entry, real = "";
    if (isSymlink) {
      try {
        ({ isFile, isDirectory } = Deno.statSync(path));
        if (isDirectory) real = Deno.realPathSync(path);
      } catch (error) {
        skip(path, reasonOf(error, path, true));
        continue;
      }
    }
    const extension = extname(name).toLowerCase(), foreign = foreignByName(extension.slice(1));
    if (isDirectory) {
      const never = systemFolder(name) ?? systemFolder(basename(real)) ??
        (isRun ? runFolder(name) : undefined);
      if (never) {
        skip(path, never);
        continue;
      }
      const inner = {
        path,
        prefix: `${folder.prefix}${name}/`,
        real: real || within(folder.real, name),
        linked: folder.linked || isSymlink,
      };
      found.push({ inner, link: isSymlink });
    } else if (!isFile && (foreign || PICTURES.has(extension))) skip(path, NO_FILE);
    else if (foreign) skip(path, foreign);
    else if (isFile && (PICTURES.has(extension) || extension === "")) {
      const id = folder.prefix + name;
      result.candidates.push({ id, path, name, folder, link: isSymlink });
    } else result.others++;
  }
  return found;
}

/** Whether a folder is another one or holds it. */
function holds(folder: string, inner: string): boolean {
  return inner === folder || inner.startsWith(within(folder, ""));
}

/** Keeps folders sorted by id, the smallest last. */
function insert(folders: Folder[], folder: Folder): void {
  let from = 0, to = folders.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (folders[middle].prefix > folder.prefix) from = middle + 1;
    else to = middle;
  }
  folders.splice(from, 0, folder);
}
