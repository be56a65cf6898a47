/**
 * What lies among people's pictures and is none of them: what systems keep in folders, and what Hatchling wrote.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";

/** How the reason ends for what is never data, however sound it is. */
const NEVER = ": never data";

/** Folders of systems by their name in lower case. */
const FOLDERS: Record<string, string> = {
  "@eadir": "thumbnails of a NAS",
  "#recycle": "the bin of a NAS",
  "@recycle": "the bin of a NAS",
  "#snapshot": "snapshots of a NAS",
  "@recently-snapshot": "snapshots of a NAS",
  "$recycle.bin": "the bin of Windows",
  "recycler": "the bin of Windows",
  "system volume information": "files of Windows",
  "__macosx": "notes of macOS in an archive",
  ".thumbnails": "thumbnails",
  ".trash": "the bin",
  ".trashes": "the bin",
  ".git": "files of git",
};

/** Left out where they are met, but good where somebody names one: packages of pictures, files that were rescued. */
const MET: Record<string, string> = {
  "node_modules": "packages of programs",
  "lost+found": "pieces of damaged files",
};

/** Sub-folders that a run's folder has for pictures of its own. */
const RUN_FOLDERS = ["attention", "curves", "look"];

/** Most bytes of a run's record. */
const RECORD_BYTES = 2 ** 24;

/** Why a picture is no data that says itself that Hatchling wrote it. */
export const OWN_PICTURE = `pictures that Hatchling wrote${NEVER}`;

/** Why a run's sub-folder is no data. */
const RUN_PICTURES = `pictures of a run${NEVER}`;

/** What is never data, from the reason that is given here; undefined of other reasons. */
export function neverDataOf(reason: string): string | undefined {
  return reason.endsWith(NEVER) ? reason.slice(0, -NEVER.length) : undefined;
}

/** Why a folder is left out that a walk meets; undefined when it is searched. */
export function systemFolder(name: string): string | undefined {
  const lower = name.toLowerCase();
  const what = entry(FOLDERS, lower) ?? entry(MET, lower);
  return what && what + NEVER;
}

/** The same of a folder within one that holds a run. */
export function runFolder(name: string): string | undefined {
  return RUN_FOLDERS.includes(name) ? RUN_PICTURES : undefined;
}

/** Whether a folder is that of a run: its run.json is one that training writes. */
export function holdsRun(folder: string): boolean {
  const path = join(folder, "run.json");
  try {
    const { isFile, size } = Deno.statSync(path);
    if (!isFile || size > RECORD_BYTES) return false;
    const { parts } = JSON.parse(Deno.readTextFileSync(path));
    return Array.isArray(parts) && parts.length > 0 && parts.every(isStart);
  } catch {
    return false;
  }
}

/** A start of a run, as its record holds it. */
function isStart(part: Record<string, unknown> | null): boolean {
  return typeof part?.started === "string" && Number.isInteger(part.step) &&
    Array.isArray(part.command);
}

/**
 * Checks that a folder may hold data.
 *
 * @param folder As it was given, for messages.
 * @param real Its path without links.
 * @throws {HatchlingError} when it lies in a folder of the system, or among pictures that a run made.
 */
export function requireData(folder: string, real: string): void {
  for (let path = real;; path = dirname(path)) {
    const name = basename(path), lower = name.toLowerCase();
    const what = entry(FOLDERS, lower) ?? (lower.startsWith(".trash-") ? "the bin" : undefined) ??
      (RUN_FOLDERS.includes(name) && holdsRun(dirname(path)) ? "pictures of a run" : undefined);
    if (what) {
      throw new HatchlingError(
        `Expected a folder of pictures to learn from at "${shown(folder)}" but ` +
          `${shown(path)} holds ${what}: set data.path to your pictures, or copy these elsewhere`,
      );
    }
    if (dirname(path) === path) return;
  }
}

function entry(table: Record<string, string>, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
