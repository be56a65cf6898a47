/**
 * The folder of a run: where it is, what may be in it already, and when it may change.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { type LatestCheckpoint, latestCheckpoint } from "../../lib/io/checkpoint.ts";
import { fileError } from "../../lib/io/files.ts";
import { shown } from "../../lib/text.ts";
import { say } from "../common/terminal.ts";
import { asideOf, dropAside, putBack, recoverFolder, setAside } from "./replace.ts";
import { checkPlaces, markOf, removeTorn, runFiles } from "../../lib/run/written.ts";
import { type FolderLock, lockFolder } from "./run_lock.ts";

/** What the command line says of the folder. */
export interface FolderOptions {
  /** Its path. */
  out?: string;
  /** Go on with the run in it. */
  resume?: boolean;
  /** Put a new run in the place of the one in it. */
  overwrite?: boolean;
}

/** A folder that was taken for a run. */
interface Taken {
  lock: FolderLock;
  /** Folders that were made for it, the lowest first. */
  made: readonly string[];
  /** Whether it holds another run. */
  replaces?: boolean;
}

/**
 * A run's folder, which belongs to this process. Nothing in it changes until the run begins: a run that is refused
 * before leaves nothing behind. A run that takes another one's place does so for good with its first checkpoint.
 */
export class RunFolder {
  /** Its path. */
  readonly path: string;
  /** The newest sound checkpoint, when the run goes on. */
  checkpoint?: LatestCheckpoint;
  readonly #taken: Taken;
  #begun = false;
  #pending = false; // the run that is replaced can still come back

  private constructor(path: string, taken: Taken, checkpoint?: LatestCheckpoint) {
    this.path = path;
    this.checkpoint = checkpoint;
    this.#taken = taken;
  }

  /**
   * Finds the folder and takes it for this process: `out`, or runs/<config>-<time>; with `resume` the newest run
   * of that config.
   *
   * @throws {HatchlingError} When there is nothing to resume, another process has the folder, or a new run would
   * mix with an old one, or with files of somebody else.
   */
  static async open(
    configPath: string,
    { out, resume, overwrite }: FolderOptions,
  ): Promise<RunFolder> {
    const name = basename(configPath).replace(/\.ya?ml$/i, "");
    if (resume) {
      const path = out ?? await newestRun(name);
      const lock = await isThere(path) ? await lockFolder(path) : undefined;
      return await orLeave(lock, [], async () => {
        if (lock) await recovered(path);
        if (!lock || !await markOf(path)) {
          throw new HatchlingError(
            `Expected a run to go on with but found none in ${
              shown(path)
            }: leave out --resume to start anew`,
          );
        }
        await checkPlaces(path);
        return new RunFolder(path, { lock, made: [] }, await newestCheckpoint(path));
      });
    }
    const [path, made] = out === undefined ? await newFolder(name) : [out, await makeFolder(out)];
    const lock = await lockFolder(path).catch(async (error) => {
      await removeEmpty(made);
      throw error;
    });
    return await orLeave(lock, made, async () => {
      await recovered(path);
      const mark = await markOf(path), [other] = await runFiles(path);
      if (mark ? !overwrite : other) {
        throw new HatchlingError(
          `Expected a folder without a run but ${shown(path)} holds ${shown(mark ?? other)}` +
            (mark
              ? ": add --resume to go on, --overwrite to delete that run, or choose another --out"
              : ", which a run would write over: move it away, or choose another --out"),
        );
      }
      await checkPlaces(path);
      return new RunFolder(path, { lock, made, replaces: mark !== undefined });
    });
  }

  /** Whether the folder holds what this run has written, and no other run waits to come back. */
  get isOurs(): boolean {
    return this.#begun && !this.#pending;
  }

  /** All that can be checked is checked: from now on the folder changes. The run that is replaced is set aside. */
  async begin(): Promise<void> {
    if (this.#begun) return;
    await removeTorn(this.path);
    if (this.#taken.replaces) {
      await setAside(this.path);
      this.#pending = true;
    }
    this.#begun = true;
  }

  /** The run has a checkpoint of its work, so it can be gone on with: the run that was set aside goes. */
  async saved(step: number): Promise<void> {
    if (!this.#pending || step === 0) return;
    this.#pending = false;
    try {
      await dropAside(this.path);
    } catch (error) {
      say(
        `warning: ${
          (error as Error).message
        }: what is left of the run before stays until the next start`,
      );
    }
  }

  /** Where a file of the folder is now: those of a run that is being replaced are set aside. */
  async where(path: string): Promise<string> {
    if (!this.#pending) return path;
    const [at, above, here] = await Promise.all([path, dirname(path), this.path].map(realPath));
    if (here === undefined) return path;
    if (at === here) return asideOf(this.path);
    return above === here ? join(asideOf(this.path), basename(path)) : path;
  }

  /** Looks for the checkpoint that the run, after trouble, goes on from: its own. */
  async refresh(): Promise<void> {
    if (this.isOurs) this.checkpoint = await newestCheckpoint(this.path);
  }

  /**
   * Leaves the folder. Of a run that did not begin nothing stays; where it took the place of another and has made no
   * checkpoint, that one comes back.
   */
  async leave(): Promise<void> {
    if (this.#pending) {
      this.#pending = false;
      try {
        await putBack(this.path);
        say(`note: the run in ${shown(this.path)} is as it was: the new one came to no checkpoint`);
      } catch (error) {
        if (!(error instanceof HatchlingError)) throw error;
        say(
          `warning: ${error.message}: the run before comes back at the next start in that folder`,
        );
      }
    }
    if (!this.#begun) await leave(this.#taken);
  }

  /** Support for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }
}

/** The newest sound checkpoint; undefined for a run that was stopped before its first. */
async function newestCheckpoint(path: string): Promise<LatestCheckpoint | undefined> {
  const checkpoint = await latestCheckpoint(path);
  for (const message of checkpoint?.skipped ?? []) {
    say(`warning: ${message}; the one before it is used`);
  }
  if (!checkpoint) {
    say(`note: ${shown(path)} holds no checkpoint yet: the run starts from its beginning`);
  }
  return checkpoint ?? undefined;
}

/** Ends what a start that was killed has left half done. */
async function recovered(path: string): Promise<void> {
  if (await recoverFolder(path) !== "old") return;
  say(
    `note: the run in ${
      shown(path)
    } is as it was: the one that was to take its place was killed before its first ` +
      "checkpoint",
  );
}

/** Does what may be refused, and leaves nothing behind then. */
async function orLeave<T>(
  lock: FolderLock | undefined,
  made: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (lock) await leave({ lock, made });
    throw error;
  }
}

/** Gives a folder back, and removes what was made of it, unless somebody has put something there. */
async function leave({ lock, made }: Taken): Promise<void> {
  await lock.release();
  await removeEmpty(made);
}

async function removeEmpty(made: readonly string[]): Promise<void> {
  for (const folder of made) {
    const isGone = await Deno.remove(folder).then(() => true, () => false);
    if (!isGone) return;
  }
}

/** A new folder in runs/, however many start in the same second, and what was made for it, the lowest first. */
async function newFolder(name: string): Promise<[path: string, made: string[]]> {
  const made = await makeFolder("runs");
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  for (let n = 1;; n++) {
    const path = join("runs", `${name}-${time}${n > 1 ? `-${n}` : ""}`);
    try {
      await Deno.mkdir(path);
      return [path, [path, ...made]];
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw fileError("create", path, error);
    }
  }
}

/** Makes a folder and those above it; returns the new ones, the lowest first. */
async function makeFolder(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; !await isThere(at); at = dirname(at)) {
    missing.push(at);
    if (dirname(at) === at) break;
  }
  await Deno.mkdir(path, { recursive: true }).catch((error) => {
    throw fileError("create", path, error);
  });
  return missing;
}

/** The newest run of a config. */
async function newestRun(name: string): Promise<string> {
  const runs: string[] = [];
  try {
    for await (const { name: entry, isDirectory } of Deno.readDir("runs")) {
      const time = entry.slice(name.length + 1);
      if (isDirectory && entry.startsWith(`${name}-`) && /^\d{4}-\d\d-\d\dT/.test(time)) {
        runs.push(entry);
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw fileError("list", "runs", error);
  }
  const { compare } = new Intl.Collator("en", { numeric: true }); // the tenth of one second after the second
  for (const run of runs.sort(compare).reverse()) {
    const path = join("runs", run);
    if (await markOf(path) || await isThere(asideOf(path))) return path;
  }
  throw new HatchlingError(
    `Expected a run of ${
      shown(name)
    } to resume but found none in runs/: leave out --resume to start anew, or name its folder with --out`,
  );
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function realPath(path: string): Promise<string | undefined> {
  return await Deno.realPath(path).catch(() => undefined);
}
