/**
 * Where the choice of kernels for this machine is kept: a file per adapter in the user's cache folder.
 *
 * @module
 */
import { join } from "node:path";
import type { TuningStorage } from "../../lib/gpu.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { readFile } from "../../lib/io/files.ts";

/** A file that is larger is none of ours. */
const MOST_BYTES = 2 ** 20;

/** The user's cache folder by the system's custom; undefined where the environment names none. */
function cacheFolder(): string | undefined {
  const { os } = Deno.build;
  const from = (name: string, ...parts: string[]) => {
    const base = Deno.env.get(name);
    return base && join(base, ...parts, "hatchling");
  };
  if (os === "windows") return from("LOCALAPPDATA");
  if (os === "darwin") return from("HOME", "Library", "Caches");
  return from("XDG_CACHE_HOME") ?? from("HOME", ".cache");
}

/** A storage in `folder`; undefined when nothing can be written there. */
export async function kernelStorage(
  folder: string | undefined = cacheFolder(),
): Promise<TuningStorage | undefined> {
  if (!folder) return undefined;
  const path = (key: string) => join(folder, `kernels-${key}.json`);
  try {
    await Deno.mkdir(folder, { recursive: true });
    const probe = await Deno.makeTempFile({ dir: folder, prefix: "probe-" });
    await Deno.remove(probe);
  } catch {
    return undefined;
  }
  return {
    async get(key) {
      try {
        return new TextDecoder().decode(await readFile(path(key), { maxBytes: MOST_BYTES }));
      } catch {
        return undefined;
      }
    },
    set: (key, value) => writeFileAtomic(path(key), new TextEncoder().encode(value + "\n")),
  };
}
