/**
 * One run per folder.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { fileError, readFile, statFile } from "../../lib/io/files.ts";
import { readProc } from "../../lib/io/proc.ts";
import { shown } from "../../lib/text.ts";
import { say } from "../common/terminal.ts";

/** Tries and milliseconds between them: who looks whether a run goes on has the lock for an instant. */
const TRIES = 5, PAUSE = 20;

/**
 * Longest time in milliseconds that a process which has ended may still hold the lock: the system drops it with the last
 * of its threads, and the driver's least urgent one takes seconds to end where the machine is busy. mpirun does not wait
 * for that.
 */
const END_MS = 10_000;

/** A folder that belongs to this process. */
export interface FolderLock {
  /** Gives the folder back, and removes the file where it was not there before. */
  release(): Promise<void>;
}

const held = new Set<Deno.FsFile>(); // a file that is dropped may be closed, and its lock with it

/**
 * Takes the folder for this process until it ends, however it ends: the system itself drops the lock then. The
 * file run.lock only says who holds it, and may stay.
 *
 * @throws {HatchlingError} When another process holds it.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, "run.lock");
  for (;;) {
    const { file, isNew } = await openLock(path);
    held.add(file);
    const close = () => {
      if (held.delete(file)) file.close();
    };
    try {
      const begin = performance.now();
      let mine = file.tryLockSync(true);
      for (let tries = 0; !mine; tries++) {
        const isLate = performance.now() - begin > END_MS;
        if (tries >= TRIES && (isLate || !hasEnded(await signed(path)))) break;
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
        mine = file.tryLockSync(true);
      }
      if (!mine) {
        close();
        throw new HatchlingError(await takenText(folder, path));
      }
    } catch (error) {
      if (error instanceof HatchlingError) throw error;
      say(
        `warning: ${shown(path)} cannot be locked (${
          (error as Error).message
        }): start no second run in it`,
      );
    }
    if (!await isStill(path, file)) { // who held it has removed it: the next one would lock another file
      close();
      continue;
    }
    sign(file);
    return {
      release: async () => {
        // Before it is given back: nobody else can have it then.
        if (isNew) await Deno.remove(path).catch(() => {});
        close();
      },
    };
  }
}

async function openLock(path: string): Promise<{ file: Deno.FsFile; isNew: boolean }> {
  try {
    const options = { read: true, write: true };
    try {
      return { file: await Deno.open(path, { ...options, createNew: true }), isNew: true };
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    // A FIFO in its place would be waited for without end.
    if (await Deno.stat(path).then(() => true, () => false)) await statFile(path);
    return { file: await Deno.open(path, { ...options, create: true }), isNew: false };
  } catch (error) {
    throw fileError("write", path, error);
  }
}

/** Whether a path still leads to an open file; systems without such numbers do not remove open files. */
async function isStill(path: string, file: Deno.FsFile): Promise<boolean> {
  const [here, there] = await Promise.all([
    file.stat(),
    Deno.stat(path).catch(() => undefined),
  ]);
  return here.ino === null || here.ino === there?.ino && here.dev === there.dev;
}

function sign(file: Deno.FsFile): void {
  try {
    file.truncateSync(0);
    file.writeSync(
      new TextEncoder().encode(`process ${Deno.pid}, since ${new Date().toISOString()}\n`),
    );
  } catch {
    // a full disk: the lock itself needs no room
  }
}

/** Who holds it, by its own words; "" where there are none. */
async function signed(path: string): Promise<string> {
  return await readFile(path, { maxBytes: 1024 }).then(
    (bytes) => new TextDecoder().decode(bytes).trim(),
    () => "",
  );
}

/** Whether that process has ended, but for threads that are about to. */
function hasEnded(who: string): boolean {
  const pid = who.match(/^process (\d+),/)?.[1];
  const stat = pid && readProc(`/proc/${pid}/stat`);
  return !!stat && "ZX".includes(stat[stat.lastIndexOf(")") + 2]); // a name may hold anything
}

async function takenText(folder: string, path: string): Promise<string> {
  const who = await signed(path);
  return `Expected a folder that no other run uses but ${shown(folder)} belongs to ${
    shown(who) || "another process"
  }: wait for it, stop it, or choose another --out`;
}
