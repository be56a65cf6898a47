/**
 * What a compiled program holds beside the modules that its commands import.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** Folders that are read while a command runs: `config` prints one's files, `prove` computes the other's. */
export const FOLDERS = ["configs", "tests/golden/golden_public"] as const;

/** Areas of scripts/ that no command of the program is in. */
const ELSEWHERE = /^scripts\/(build|build_npm|demo|figures|golden)\//;

/** Threads that are started by URL, by their paths: nothing imports them, so it is their names that tell. */
export async function workers(): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
      const path = `${folder}/${name}`;
      if (isDirectory) await walk(path);
      else if (name.endsWith("_worker.ts") && !ELSEWHERE.test(path)) found.push(path);
    }
  };
  for (const folder of ["lib", "scripts"]) await walk(folder);
  return found.sort();
}

/** Git's files that name the commit; none where this is no checkout, or one that shares its repository. */
async function commitFiles(): Promise<string[]> {
  const head = await Deno.readTextFile(join(ROOT, ".git/HEAD")).catch(() => "");
  const [, ref] = head.match(/^ref: (\S+)/) ?? [];
  const names = head ? [".git/HEAD", ...ref ? [`.git/${ref}`, ".git/packed-refs"] : []] : [];
  const there = names.map((name) => Deno.stat(join(ROOT, name)).then(() => name, () => ""));
  return (await Promise.all(there)).filter(Boolean);
}

/** All of them, as paths from the repository. */
export async function includes(): Promise<string[]> {
  return [...await workers(), ...FOLDERS, ...await commitFiles()];
}
