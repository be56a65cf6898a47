/**
 * SwiftShader: Vulkan on a CPU, for machines that have no driver at all.
 *
 * @module
 */

import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { HatchlingError } from "../errors.ts";
import { readFile } from "../io/files.ts";
import { shown } from "../text.ts";
import { npmPackageDir } from "../data/npm_package.ts";
import { DATA_PACKAGES } from "../data/packages.ts";
import { type ExpectedFile, untar, verifiedFolder } from "../data/unpack.ts";

const { name, version, files: [ARCHIVE] } = DATA_PACKAGES.swiftshader;

/** Its folder in the cache. */
export const SWIFTSHADER_FOLDER: string = `swiftshader-${version}`;

/** The file there that names the driver to a loader. */
export const SWIFTSHADER_MANIFEST = "vk_swiftshader_icd.json";

/** The driver, the loader that finds it, and the manifest that names the driver beside itself. */
const FILES: Readonly<Record<string, ExpectedFile>> = {
  "libvk_swiftshader.so": {
    bytes: 6004808,
    sha256: "2f3ceffaaca7d031bc3943f8eacf398a5d9c42c5fe0d15d8840b9acfa630b58e",
  },
  "libvulkan.so.1": {
    bytes: 833304,
    sha256: "8ee5ac00fd7968e863b05e0f6808057db16a00ad322777e5a05bed51d4f84085",
  },
  [SWIFTSHADER_MANIFEST]: {
    bytes: 107,
    sha256: "c9eef28b6b984fec220ef0abfecc40b502d46946706e47bfe97707027cb818bd",
  },
};

/**
 * Gives the folder with SwiftShader's `libvulkan.so.1`, `libvk_swiftshader.so` and
 * `vk_swiftshader_icd.json` (Linux on x86-64), getting it from npm on first use.
 *
 * @param onDownload Called before the package is asked for, which may take a while
 * @param roots Candidates for the cache folder, see {@linkcode verifiedFolder}
 * @returns Absolute path of the folder; its files have been checked against their SHA-256
 * @throws {HatchlingError} When the package cannot be had, is damaged, or nothing can be written
 */
export function swiftShaderDir(onDownload?: () => void, roots?: string[]): Promise<string> {
  const produce = async () => {
    if (!Deno.build.standalone) onDownload?.(); // a compiled program downloads nothing by itself
    const folder = await npmPackageDir(name, version);
    const path = join(folder, ARCHIVE);
    const packed = await readFile(path);
    try {
      return untar(brotliDecompressSync(packed));
    } catch (cause) {
      const { message } = cause as Error;
      throw new HatchlingError(
        `Expected a packed driver in ${shown(path)} but found damage (${message}): delete ${
          shown(folder)
        } and try again`,
        { cause },
      );
    }
  };
  return verifiedFolder(SWIFTSHADER_FOLDER, FILES, produce, roots);
}
