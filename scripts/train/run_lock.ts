/**
 * One run per folder.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { fileError } from "../../lib/io/files.ts";

/**
 * Takes the folder for this process until it ends, however it ends: the system itself drops the lock then. The
 * file run.lock only says who holds it, and may stay.
 *
 * @throws {HatchlingError} When another process holds it.
 */
export async function lockFolder(folder: string): Promise<void> {
  const path = join(folder, "run.lock");
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { create: true, read: true, write: true });
  } catch (error) {
    throw fileError("write", path, error);
  }
  let mine: boolean;
  try {
    mine = file.tryLockSync(true);
    for (let tries = 0; !mine && tries < 5; tries++) { // who looks whether a run goes on has it for an instant
      await new Promise((resolve) => setTimeout(resolve, 20));
      mine = file.tryLockSync(true);
    }
  } catch (error) {
    console.error(
      `warning: ${path} cannot be locked (${(error as Error).message}): start no second run in it`,
    );
    return;
  }
  if (!mine) {
    const who = await Deno.readTextFile(path).catch(() => "");
    file.close();
    throw new HatchlingError(
      `Expected a folder that no other run uses but ${folder} belongs to ${
        who.trim() || "another process"
      }: ` +
        "wait for it, stop it, or choose another --out",
    );
  }
  file.truncateSync(0);
  file.writeSync(
    new TextEncoder().encode(`process ${Deno.pid}, since ${new Date().toISOString()}\n`),
  );
  held.push(file); // a file that is dropped may be closed, and its lock with it
}

const held: Deno.FsFile[] = [];
