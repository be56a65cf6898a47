/**
 * Where the choice of kernels for this machine is kept: a file per adapter in the user's cache folder.
 *
 * @module
 */
import { join } from "node:path";
import type { TuningStorage } from "../../lib/gpu.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { readFile } from "../../lib/io/files.ts";
import { cacheFolder } from "../../lib/io/platform.ts";

/** A file that is larger is none of ours. */
const MOST_BYTES = 2 ** 20;

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
