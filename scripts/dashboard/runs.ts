/**
 * The runs that a dashboard shows, kept up to date while somebody looks.
 *
 * @module
 */
import { basename, join, resolve } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { fileError } from "../../lib/io/files.ts";
import { isRun, readRun, type RunData } from "../report/read.ts";

/** What may change while a run goes on: a run is read again when one of these did. */
const WATCHED = [
  ".",
  "attention",
  "config.yaml",
  "evaluation.json",
  "evaluations.jsonl",
  "metrics.jsonl",
  "run.json",
];

/** Reading takes at most a twentieth of the time: long runs are read less often. */
const SHARE = 20;

/** Milliseconds between looks whether a run still holds its folder. */
const LOCK_MS = 5000;

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

/** All runs of some folders. */
export class Runs {
  readonly #sources: readonly string[];
  readonly #single: boolean;
  readonly #entries = new Map<string, Entry & { stamp: string; next: number; checked: number }>();

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
          `Expected the folder of a run, or one with runs in it, but ${source} ` +
            `${stat ? "is a file" : "does not exist"}: name one that \`deno task train\` has made`,
        );
      }
    }
  }

  /** Reads what has changed. */
  async refresh(now: number = Date.now()): Promise<void> {
    const folders = await this.#find();
    for (const id of this.#entries.keys()) if (!folders.has(id)) this.#entries.delete(id);
    for (const [id, folder] of folders) await this.#read(id, folder, now);
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
    const found = new Map<string, string>();
    const add = (folder: string) => found.set(idOf(folder), folder);
    for (const source of this.#sources) {
      if (this.#single || await isRun(source)) {
        add(source);
        continue;
      }
      try {
        for await (const { name, isFile } of Deno.readDir(source)) {
          const folder = join(source, name);
          if (!isFile && await isRun(folder)) add(folder);
        }
      } catch {
        // it was there at the start, and may come back
      }
    }
    return found;
  }

  async #read(id: string, folder: string, now: number): Promise<void> {
    const known = this.#entries.get(id);
    if (known && now < known.next) return;
    const looksAtLock = !known || now - known.checked >= LOCK_MS;
    const [stamp, written] = await stampOf(folder);
    if (known?.stamp === stamp && !(looksAtLock && known.data.running)) return;
    const start = performance.now();
    const running = this.#single || (looksAtLock ? undefined : known.data.running);
    const data = await readRun(folder, { running });
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

/** A name for a folder that is fit for a URL, and stays the same. */
function idOf(folder: string): string {
  const path = resolve(folder);
  let hash = 0xcbf29ce484222325n; // FNV-1a
  for (const byte of new TextEncoder().encode(path)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return `${basename(path).replace(/[^\w-]+/g, "-").slice(0, 40)}-${hash.toString(36)}`;
}

/** Sizes and times of what is watched, and when metrics were written last. */
async function stampOf(folder: string): Promise<[string, number | undefined]> {
  const stats = await Promise.all(
    WATCHED.map((name) => Deno.stat(join(folder, name)).catch(() => undefined)),
  );
  const stamp = stats.map((stat) => stat && `${stat.size}:${stat.mtime?.getTime()}`).join();
  return [stamp, stats[WATCHED.indexOf("metrics.jsonl")]?.mtime?.getTime()];
}
