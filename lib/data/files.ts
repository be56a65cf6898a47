/**
 * Finds the picture files of a folder.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import type { Progress, SkippedFile } from "./dataset.ts";
import { FileIndex, type FileState } from "./file_index.ts";
import type { Header } from "./header.ts";
import { lookAtAll, type Question } from "./look.ts";
import { OWN_PICTURE, requireData } from "./never_data.ts";
import { type Candidate, walk, within } from "./walk.ts";

/** A file whose header is sound. */
export interface PictureFile {
  /** Stable name of the picture; in a folder its path, with "/" between the parts on every system. */
  id: string;
  /** Path to open it by. */
  path: string;
  /** Name in the index. */
  key: string;
  /** What is known of it. */
  state: FileState & { header: Header };
}

/** What {@linkcode listPictures} finds. */
export interface Listing {
  /** Files with a sound header, sorted by id (UTF-16 code units, the same on every machine). */
  files: PictureFile[];
  /** Files that look like pictures but are none, and what could not be read, sorted by path. */
  skipped: SkippedFile[];
  /** Number of files of other kinds. */
  others: number;
  /** Number of symbolic links left out because what they lead to is listed without them. */
  linked: number;
  /** What was found, by id. It is on disk already. */
  index: FileIndex;
}

/**
 * Lists the pictures below a folder and reads the headers of those that are new or changed since the last
 * time; what was found is kept in the cache folder, never in the folder itself.
 *
 * A file counts by its extension, or without an extension by its first bytes. Hidden files and folders
 * (".…") are left out, and so is what is never data: see `never_data.ts`. Symbolic links are followed once: a file or folder that can be reached in several
 * ways has its real place where that lies in the folder, and else that of the first link.
 *
 * @param folder Path of the folder.
 * @throws {HatchlingError} when there is no such folder or it cannot be read.
 */
export async function listPictures(folder: string, onProgress?: Progress): Promise<Listing> {
  await requireFolder(folder);
  const began = Date.now();
  const real = await Deno.realPath(folder);
  requireData(folder, real);
  const [index, walked] = await Promise.all([FileIndex.open(real), walk(folder, onProgress)]);
  const { candidates, skipped } = walked;
  let { others, linked } = walked;
  const found = await lookAtKnown(
    candidates.map(({ id, path, link }) => ({ key: id, path, link })),
    index,
    began,
    onProgress,
  );
  const copies = copiesOf(candidates, found);
  const files: PictureFile[] = [];
  candidates.forEach((candidate, i) => {
    const { id, path } = candidate;
    const { state, reason } = found[i];
    if (copies.has(candidate)) linked++;
    else if (isSound(state)) {
      if (state.header.own) skipped.push({ file: path, reason: OWN_PICTURE });
      else files.push({ id, path, key: id, state });
    } else if (reason) skipped.push({ file: path, reason });
    else others++;
  });
  skipped.sort((a, b) => (a.file < b.file ? -1 : 1));
  return { files, skipped, others, linked, index };
}

/** Whether there is a header. */
export function isSound(state: FileState | undefined): state is PictureFile["state"] {
  return state?.header !== undefined;
}

/**
 * Looks at files, as far as the index does not know them, and writes the index.
 *
 * @param began When the files were found, milliseconds since 1970.
 * @returns What is known of each now. Without a state, `reason` says why it cannot be read.
 */
export async function lookAtKnown(
  files: readonly { key: string; path: string; link?: boolean }[],
  index: FileIndex,
  began: number,
  onProgress?: Progress,
): Promise<{ state?: FileState; reason?: string; real?: string }[]> {
  const questions = files.map(({ key, path, link }): Question => {
    const known = index.get(key);
    const { size, mtime, ctime } = known ?? { size: -1, mtime: 0, ctime: 0 };
    return { path, link, known: known && { size, mtime, ctime } };
  });
  const found = await lookAtAll(questions, "headers", onProgress);
  const states = index.update(new Map(files.map(({ key }, i) => [key, found[i]])), began);
  await index.save();
  return files.map(({ key }, i) => {
    const state = states.get(key);
    return { state, reason: state?.reason ?? found[i].reason, real: found[i].real };
  });
}

/** The candidates that are another one: links lead to them. Of each group the real entry stays, or the first. */
function copiesOf(
  candidates: readonly Candidate[],
  found: readonly { real?: string }[],
): Set<Candidate> {
  const copies = new Set<Candidate>();
  const indirect = ({ link, folder }: Candidate) => link || folder.linked;
  if (!candidates.some(indirect)) return copies;
  const first = new Map<string, Candidate>();
  candidates.forEach((candidate, i) => {
    const { link, name, folder } = candidate;
    const real = link ? found[i].real : within(folder.real, name);
    if (real === undefined) return;
    const other = first.get(real);
    if (other && indirect(candidate)) return void copies.add(candidate);
    if (other) copies.add(other);
    first.set(real, candidate);
  });
  return copies;
}

async function requireFolder(folder: string): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(folder);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new HatchlingError(
        `Expected a folder of pictures at "${shown(folder)}" but there is none: check data.path`,
      );
    }
    throw new HatchlingError(
      `The folder "${shown(folder)}" cannot be read (${(error as Error).message})`,
    );
  }
  if (!info.isDirectory) {
    throw new HatchlingError(
      `Expected a folder of pictures at "${
        shown(folder)
      }" but found a file: set data.path to the folder ` +
        `that holds it (archives must be unpacked)`,
    );
  }
}
