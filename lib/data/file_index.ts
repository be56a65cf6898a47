/**
 * What was found in the files of a folder, kept for the next start.
 *
 * @module
 */

import { join } from "node:path";
import { writeFileAtomic } from "../io/atomic.ts";
import { readFile } from "../io/files.ts";
import type { Header } from "./header.ts";
import type { Inspected, Stamp } from "./inspect.ts";
import { cacheRoots, isOurs } from "./unpack.ts";
import { hex } from "../text.ts";

/**
 * Version of the file's format and of what `readHeader` finds: count it up when a kind of file that had no
 * header gets one, or when a header or a reason says something else.
 */
const VERSION = 2;

/** A file that changed this short before it was read may change again within the same tick of its clock. */
const RACY_MS = 2000;

/** No index is kept of fewer files: looking at them takes no time, and cache folders stay tidy. */
const LEAST_FILES = 256;

/** A file that is larger is none of ours: this is room for millions of names. */
const MOST_BYTES = 2 ** 30;

/** What is known of a file. */
export interface FileState extends Stamp {
  header?: Header;
  reason?: string;
  /** Its {@linkcode placeOf}, once somebody has asked. */
  place?: number;
}

/** The JSON part of an index file, by columns: several times smaller, and faster to read, than by files. */
interface Columns {
  of: string;
  keys: string[];
  sizes: number[];
  mtimes: number[];
  ctimes: number[];
  /** Headers and reasons that occur, and which of them each file has. */
  found: (Header | string | null)[];
  which: number[];
  places: (number | null)[];
}

/**
 * States of files by key, such as their paths within a folder. They are a help only: an index that is
 * missing, damaged or of another version is empty, one that cannot be written is given up.
 */
export class FileIndex {
  readonly #of: string;
  readonly #roots: readonly string[];
  #states: Map<string, FileState>;
  #changed = false;

  private constructor(of: string, roots: readonly string[], states: Map<string, FileState>) {
    this.#of = of;
    this.#roots = roots;
    this.#states = states;
  }

  /**
   * Reads the index of something.
   *
   * @param of What it is about: the real path of a folder or of a list of files.
   * @param roots Candidates for the cache folder, best first.
   */
  static async open(of: string, roots: readonly string[] = rootsOrNone()): Promise<FileIndex> {
    for (const root of roots) {
      if (!await isOurs(root)) continue;
      const path = await pathOf(root, of);
      const bytes = await readFile(path, { maxBytes: MOST_BYTES }).catch(() => undefined);
      const states = await parse(bytes, of);
      if (states) return new FileIndex(of, roots, states);
    }
    return new FileIndex(of, roots, new Map());
  }

  /** Number of files. */
  get size(): number {
    return this.#states.size;
  }

  /** What was known of a file; it may have changed since. */
  get(key: string): FileState | undefined {
    return this.#states.get(key);
  }

  /**
   * Takes what was found in all files for the next time.
   *
   * @param found By key. `same` keeps the known state; what could not be read, or changed only just now, is
   * not kept.
   * @param began When the first file was looked at, milliseconds since 1970.
   * @returns The states of all files that could be read, kept or not.
   */
  update(found: ReadonlyMap<string, Inspected>, began: number): Map<string, FileState> {
    const all = new Map<string, FileState>(), kept = new Map<string, FileState>();
    for (const [key, { stamp, same, header, reason }] of found) {
      if (!stamp) continue;
      const known = this.#states.get(key);
      const state = same && known ? known : { ...stamp, header, reason };
      all.set(key, state);
      if (state !== known) {
        if (Math.max(stamp.mtime, stamp.ctime) > began - RACY_MS) continue;
        this.#changed = true;
      }
      kept.set(key, state);
    }
    this.#changed ||= kept.size !== this.#states.size;
    this.#states = kept;
    return all;
  }

  /** Keeps the place of a file whose state is the given one. */
  setPlace(key: string, state: FileState, place: number): void {
    state.place = place;
    this.#changed ||= this.#states.get(key) === state;
  }

  /** Writes the index when something in it has changed and it is worth it. Never fails. */
  async save(): Promise<void> {
    if (!this.#changed || this.#states.size < LEAST_FILES) return;
    const bytes = await serialise(this.#of, this.#states);
    for (const root of this.#roots) {
      try {
        const path = await pathOf(root, this.#of);
        await mayWrite(path);
        await Deno.mkdir(root, { recursive: true, mode: 0o700 });
        if (!await isOurs(root)) continue;
        await Deno.mkdir(join(root, "index"), { recursive: true });
        await writeFileAtomic(path, bytes);
        this.#changed = false;
        return;
      } catch {
        // the next root, or none: the next start reads the headers again
      }
    }
  }
}

/** No cache where the environment may not be read. */
function rootsOrNone(): string[] {
  try {
    return cacheRoots();
  } catch {
    return [];
  }
}

/** Asks nobody: a question in the terminal is not worth it. */
async function mayWrite(path: string): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "write", path });
  if (state !== "granted") throw new Error("no permission");
}

async function pathOf(root: string, of: string): Promise<string> {
  return join(root, "index", `${(await sha256(new TextEncoder().encode(of))).slice(0, 32)}.index`);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** First line of the file, before its JSON: what it is, and the hash that shows damage. */
const firstLine = (hash: string) => `hatchling-index ${VERSION} ${hash}\n`;

async function serialise(of: string, states: Map<string, FileState>): Promise<Uint8Array> {
  const columns: Columns = {
    of,
    keys: [],
    sizes: [],
    mtimes: [],
    ctimes: [],
    found: [],
    which: [],
    places: [],
  };
  const numbers = new Map<string, number>();
  for (const [key, { size, mtime, ctime, header, reason, place }] of states) {
    columns.keys.push(key);
    columns.sizes.push(size);
    columns.mtimes.push(mtime);
    columns.ctimes.push(ctime);
    columns.places.push(place ?? null);
    const found = header ?? reason ?? null;
    const text = JSON.stringify(found);
    let number = numbers.get(text);
    if (number === undefined) {
      numbers.set(text, number = columns.found.length);
      columns.found.push(found);
    }
    columns.which.push(number);
  }
  const json = new TextEncoder().encode(JSON.stringify(columns));
  const head = new TextEncoder().encode(firstLine(await sha256(json)));
  const bytes = new Uint8Array(head.length + json.length);
  bytes.set(head);
  bytes.set(json, head.length);
  return bytes;
}

/** The states in an index file; undefined unless it is whole, of this version and about the same thing. */
async function parse(
  bytes: Uint8Array<ArrayBuffer> | undefined,
  of: string,
): Promise<Map<string, FileState> | undefined> {
  const length = firstLine("0".repeat(64)).length;
  if (!bytes || bytes.length < length) return;
  const json = bytes.subarray(length);
  const head = new TextDecoder().decode(bytes.subarray(0, length));
  if (head !== firstLine(await sha256(json))) return;
  const columns: Columns = JSON.parse(new TextDecoder().decode(json));
  if (columns.of !== of) return;
  const { keys, sizes, mtimes, ctimes, found, which, places } = columns;
  return new Map(keys.map((key, i) => {
    const what = found[which[i]];
    return [key, {
      size: sizes[i],
      mtime: mtimes[i],
      ctime: ctimes[i],
      header: typeof what === "string" ? undefined : what ?? undefined,
      reason: typeof what === "string" ? what : undefined,
      place: places[i] ?? undefined,
    }];
  }));
}
