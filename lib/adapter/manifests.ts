/**
 * Vulkan's drivers on Linux: each has a file that names it to the loader.
 *
 * @module
 */
import {
  cacheFolder,
  HERE,
  pathsOf,
  type Platform,
  vulkanManifestFolders,
} from "../io/platform.ts";
import { SWIFTSHADER_FOLDER, SWIFTSHADER_MANIFEST } from "./swiftshader.ts";

/** The manifests of Vulkan's drivers on Linux, in the order of their names; those that the environment names, if it does. */
export function vulkanManifests(platform: Platform = HERE): string[] {
  const { os, env } = platform;
  if (os !== "linux") return [];
  const named = env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES;
  if (named) return named.split(":").filter(Boolean);
  const { join } = pathsOf(platform);
  const found = vulkanManifestFolders(platform).flatMap((folder) => {
    try {
      return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
        name.endsWith(".json")
      ).sort()
        .map((name) => join(folder, name));
    } catch {
      return []; // no such folder, or not allowed
    }
  });
  // SwiftShader where it has been unpacked: nothing is downloaded to be listed.
  const cache = cacheFolder(platform);
  const own = cache && join(cache, SWIFTSHADER_FOLDER, SWIFTSHADER_MANIFEST);
  return own && exists(own) ? [...found, own] : found;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
