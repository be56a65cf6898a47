/**
 * Finds the IDX files of a set by their names.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { fileError } from "../io/files.ts";

/** The names as published, unpacked or not, or as some programs unpack them. */
const NAME = /^(.*?)(train|t10k|test)-(images|labels)[.-]idx[134]-ubyte(\.gz)?$/;

/** Files of one side of a set. */
export interface IdxFiles {
  side: "train" | "test";
  images: string;
  labels?: string;
}

interface NamedFile {
  path: string;
  prefix: string;
  side: IdxFiles["side"];
  what: string;
}

/**
 * The files of a set by side, the training side first; where a file is there twice, the unpacked one.
 *
 * @param path Folder of the files or its parent, or the beginning of their paths.
 * @throws {HatchlingError} when there is no file of pictures, or those of several sets.
 */
export async function findIdxFiles(path: string): Promise<IdxFiles[]> {
  const isFolder = await Deno.stat(path).then((info) => info.isDirectory, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw fileError("read", path, error);
  });
  const [folder, start] = isFolder ? [path, ""] : [dirname(path), basename(path)];
  const files = await filesIn(folder, start);
  const sets = Map.groupBy(
    files.filter(({ what }) => what === "images"),
    ({ path, prefix }) => join(dirname(path), prefix),
  );
  if (sets.size > 1) {
    throw new HatchlingError(
      `Expected the files of one set at ${
        shown(path)
      } but found those of ${sets.size}: set data.path to one of ` +
        [...sets.keys()].sort().map(shown).join(", "),
    );
  }
  const [set] = sets.values();
  if (!set) {
    throw new HatchlingError(
      `Expected files such as train-images-idx3-ubyte (or .gz) in ${shown(folder)} but found none` +
        `${start && ` whose name begins with "${shown(start)}"`}: check data.path`,
    );
  }
  return (["train", "test"] as const).flatMap((side): IdxFiles[] => {
    const of = (what: string) =>
      files.filter((file) => file.side === side && file.what === what)
        .filter(({ path, prefix }) =>
          dirname(path) === dirname(set[0].path) && prefix === set[0].prefix
        )
        .map(({ path }) => path).sort((a, b) => a.length - b.length || (a < b ? -1 : 1))[0];
    const images = of("images");
    return images ? [{ side, images, labels: of("labels") }] : [];
  });
}

/** IDX files of a folder; where it has none, those of its sub-folders. */
async function filesIn(folder: string, start: string, deeper = true): Promise<NamedFile[]> {
  const files: NamedFile[] = [], folders: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) folders.push(join(folder, name));
      const match = name.startsWith(start) && name.match(NAME);
      if (!match || isDirectory) continue;
      const [, prefix, side, what] = match;
      files.push({
        path: join(folder, name),
        prefix,
        side: side === "train" ? side : "test",
        what,
      });
    }
  } catch (error) {
    throw fileError("read", folder, error);
  }
  if (files.length || start || !deeper) return files;
  return (await Promise.all(folders.map((inner) => filesIn(inner, "", false)))).flat();
}
