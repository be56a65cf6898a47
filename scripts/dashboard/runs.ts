/**
 * The runs that a dashboard shows, kept up to date while somebody looks.
 *
 * @module
 */
import { basename, join, resolve } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { fileError } from "../../lib/io/files.ts";
import { shown } from "../../lib/text.ts";
import { count } from "../../lib/words.ts";
import type { RunData } from "../../lib/run/data.ts";
import { isRun, OWN } from "../../lib/run/find.ts";
import { readRun } from "../../lib/run/read.ts";

/** What may change while a run goes on: a run is read again when one of these did. */
const WATCHED = [
  ".",
  "attention",
  "config.yaml",
  "evaluation.json",
  "teacher.safetensors",
  "student.safetensors",
  ...OWN,
];

/** Reading takes at most a twentieth of the time: long runs are read less often. */
const SHARE = 20;

/** Milliseconds between looks whether a run still holds its folder. */
const LOCK_MS = 5000;

/** Milliseconds that a look waits for folders and runs: whatever takes longer is there at a later one. */
const PATIENCE_MS = 1000;

/** Most runs, and most entries of a folder that are looked at for them. */
const MOST_RUNS = 500, MOST_ENTRIES = 5000;

/** A run on the dashboard. */
export interface Entry {
  /** Names it in requests. */
  id: string;
  /** Its folder. */
  folder: string;
  /** What is in it. */
  data: RunData;
  /** Changes whenever `data` did. */
  version: number;
  /** When its metrics were written last, in milliseconds since 1970. */
  written?: number;
}

/** What an entry knows besides: how its files looked, and when it was and will be read. */
interface Kept extends Entry {
  stamp: string;
  next: number;
  checked: number;
}

/** A folder that may hold a run. */
interface Place {
  stamp: string;
  isRun: boolean;
}

/**
 * All runs of some folders. Each is found and read by itself: one that cannot be read, or takes for ever, says so
 * in its own entry, and keeps no other one from being shown.
 */
export class Runs {
  readonly #sources: readonly string[];
  readonly #single: boolean;
  readonly #entries = new Map<string, Kept>();
  readonly #places = new Map<string, Place>();
  /** What is being looked at and read now, by folder: nothing twice at once. */
  readonly #looks = new Map<string, Promise<void>>();
  readonly #reads = new Map<string, Promise<void>>();
  #notes: string[] = [];

  /**
   * @param sources Folders of runs, or of folders of runs.
   * @param single Whether there is one source, a run that may only be beginning.
   */
  constructor(sources: readonly string[], { single = false }: { single?: boolean } = {}) {
    this.#sources = sources;
    this.#single = single;
  }

  /**
   * Checks that all sources are there.
   *
   * @throws {HatchlingError} When one is not.
   */
  async check(): Promise<void> {
    for (const source of this.#sources) {
      const stat = await Deno.stat(source).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw fileError("read", source, error);
      });
      if (!stat?.isDirectory) {
        throw new HatchlingError(
          `Expected the folder of a run, or one with runs in it, but ${shown(source)} ` +
            `${stat ? "is a file" : "does not exist"}: name one that \`deno task train\` has made`,
        );
      }
    }
  }

  /** Reads what has changed; what takes longer than a second is there at a later call. */
  async refresh(now: number = Date.now()): Promise<void> {
    const folders = await this.#find();
    for (const id of this.#entries.keys()) if (!folders.has(id)) this.#entries.delete(id);
    for (const [id, folder] of folders) {
      once(this.#reads, folder, () => this.#read(id, folder, now));
    }
    await patiently(this.#reads.values());
  }

  /** What is to be said of the folders themselves. */
  get notes(): string[] {
    return this.#notes;
  }

  /** The runs by name. */
  get entries(): Entry[] {
    return [...this.#entries.values()].sort((a, b) => a.folder < b.folder ? -1 : 1);
  }

  /** A run by its id. */
  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  async #find(): Promise<Map<string, string>> {
    const notes: string[] = [], folders: string[] = [];
    for (const source of this.#sources) {
      if (this.#single) folders.push(source);
      else folders.push(...await this.#under(source, notes));
    }
    if (folders.length > MOST_RUNS) {
      notes.push(`${count(folders.length - MOST_RUNS)} more runs are not shown: name some of them`);
    }
    this.#notes = notes;
    return new Map(folders.slice(-MOST_RUNS).map((folder) => [idOf(folder), folder]));
  }

  /** A source itself where it is a run, else the runs in it. */
  async #under(source: string, notes: string[]): Promise<string[]> {
    const look = async (folders: readonly string[]) => {
      for (const folder of folders) once(this.#looks, folder, () => this.#look(folder));
      await patiently(this.#looks.values());
      return folders.filter((folder) => this.#places.get(folder)?.isRun);
    };
    if ((await look([source])).length) return [source];
    const inside: string[] = [];
    try {
      for await (const { name, isFile } of Deno.readDir(source)) {
        if (!isFile) inside.push(join(source, name));
        if (inside.length < MOST_ENTRIES) continue;
        notes.push(`${shown(source)} holds more folders than are looked at`);
        break;
      }
    } catch (error) { // it was there at the start, and may come back
      notes.push(fileError("list", source, error).message);
    }
    return await look(inside.sort());
  }

  /** Asks again whether a folder holds a run when its files have changed. */
  async #look(folder: string): Promise<void> {
    const [stamp] = await stampOf(folder, OWN);
    if (this.#places.get(folder)?.stamp === stamp) return;
    this.#places.set(folder, { stamp, isRun: await isRun(folder) });
  }

  async #read(id: string, folder: string, now: number): Promise<void> {
    const known = this.#entries.get(id);
    if (known && now < known.next) return;
    const looksAtLock = !known || now - known.checked >= LOCK_MS;
    const [stamp, written] = await stampOf(folder, WATCHED);
    if (known?.stamp === stamp && !(looksAtLock && known.data.running)) return;
    const start = performance.now();
    const running = this.#single || (looksAtLock ? undefined : known.data.running);
    const data = await readRun(folder, { running }).catch((error) => unread(folder, error));
    this.#entries.set(id, {
      id,
      folder,
      data,
      version: (known?.version ?? 0) + 1,
      written,
      stamp,
      next: now + SHARE * (performance.now() - start),
      checked: looksAtLock ? now : known.checked,
    });
  }
}

/** Starts work by a name, unless it is under way. */
function once(under: Map<string, Promise<void>>, name: string, work: () => Promise<void>): void {
  if (under.has(name)) return;
  under.set(name, work().catch(() => {}).finally(() => under.delete(name)));
}

/** Waits until all is done, but not long. */
async function patiently(work: Iterable<Promise<void>>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, PATIENCE_MS));
  await Promise.race([Promise.all(work), late]);
  clearTimeout(timer);
}

/** A run of which nothing could be read, and why. */
function unread(folder: string, error: unknown): RunData {
  return {
    folder,
    name: basename(resolve(folder)) || folder,
    parts: [],
    lines: [],
    evaluations: [],
    figures: [],
    bad: [],
    snapshots: [],
    running: false,
    finished: false,
    notes: [`this run cannot be read: ${(error as Error).message}`],
  };
}

/** A name for a folder that is fit for a URL, and stays the same. */
function idOf(folder: string): string {
  const path = resolve(folder);
  let hash = 0xcbf29ce484222325n; // FNV-1a
  for (const byte of new TextEncoder().encode(path)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return `${basename(path).replace(/[^\w-]+/g, "-").slice(0, 40)}-${hash.toString(36)}`;
}

/** Sizes and times of some files, and when metrics were written last. */
async function stampOf(
  folder: string,
  names: readonly string[],
): Promise<[string, number | undefined]> {
  const stats = await Promise.all(
    names.map((name) => Deno.stat(join(folder, name)).catch(() => undefined)),
  );
  const stamp = stats.map((stat) => stat && `${stat.ino}:${stat.size}:${stat.mtime?.getTime()}`);
  return [stamp.join(), stats[names.indexOf("metrics.jsonl")]?.mtime?.getTime()];
}
