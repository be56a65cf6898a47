/**
 * What builds the package beside esbuild: TypeScript, and the packages that the library uses, in a folder of their own.
 * TypeScript stands in no import map and no lock file, so that nobody downloads it who builds no package.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HatchlingError } from "../../../lib/errors.ts";
import { shown } from "../../../lib/text.ts";

/** The repository. */
export const ROOT: string = fileURLToPath(new URL("../../../", import.meta.url));

/** Tools, and types that declarations mention. */
const TOOLS = {
  "@types/deno": "2.7.0",
  "@types/node": "22.20.7",
  "@webgpu/types": "0.1.74",
  "typescript": "6.0.3",
};

/** Seconds until an installation is given up. */
const INSTALL_LIMIT = 300;

/** A package in a specifier: `npm:NAME@VERSION/PATH`. */
export function parseNpm(specifier: string): { name: string; version: string; path: string } {
  const found = specifier.match(/^npm:((?:@[\w-]+\/)?[\w.-]+)@([\w.-]+)(\/.*)?$/);
  if (!found) throw new HatchlingError(`Expected npm:NAME@VERSION but found ${shown(specifier)}`);
  const [, name, version, path = ""] = found;
  return { name, version, path };
}

/** Versions by name of the packages that files of a folder import, as the library writes them. */
export async function packagesIn(folder: string): Promise<Record<string, string>> {
  const versions: Record<string, string> = {};
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) Object.assign(versions, await packagesIn(path));
    if (!isFile || !name.endsWith(".ts")) continue;
    for (const [, specifier] of (await Deno.readTextFile(path)).matchAll(/"(npm:[^"]+)"/g)) {
      const { name, version } = parseNpm(specifier);
      versions[name] = version;
    }
  }
  return versions;
}

/** Where they are. */
export interface Tools {
  /** The folder that holds `node_modules`. */
  folder: string;
  /** The main file of TypeScript's command. */
  tsc: string;
}

/**
 * Installs the tools, from Deno's cache where they are in it.
 *
 * @param folder Where to; what is there is used again.
 * @throws {HatchlingError} When a package cannot be had.
 */
export async function installTools(folder: string): Promise<Tools> {
  await installPackages(folder, { ...await packagesIn(join(ROOT, "lib")), ...TOOLS });
  return { folder, tsc: join(folder, "node_modules/typescript/bin/tsc") };
}

/**
 * Installs packages into `node_modules` of a folder, from Deno's cache where they are in it.
 *
 * @param dependencies Versions by name.
 * @throws {HatchlingError} When one cannot be had.
 */
export async function installPackages(
  folder: string,
  dependencies: Readonly<Record<string, string>>,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const manifest = JSON.stringify({ private: true, type: "module", dependencies }, null, 2);
  const path = join(folder, "package.json");
  if (await Deno.readTextFile(path).catch(() => "") !== manifest) {
    await Deno.writeTextFile(path, manifest);
  }
  await Deno.writeTextFile(join(folder, "deno.json"), `{ "nodeModulesDir": "auto" }\n`);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet"],
    cwd: folder,
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(1000 * INSTALL_LIMIT),
  }).output();
  if (code !== 0) {
    throw new HatchlingError(
      `Expected to install what this is built of but: ${
        shown(new TextDecoder().decode(stderr).trim().split("\n")[0])
      }. It needs a registry of npm, or Deno's cache of these packages`,
    );
  }
}

/** The folder of a package among the tools. */
export function packageFolder({ folder }: Pick<Tools, "folder">, name: string): string {
  return join(folder, "node_modules", name);
}
