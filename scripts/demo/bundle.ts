/**
 * Modules of the project as single files for a page.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { HatchlingError } from "../../lib/errors.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** The oldest browsers with WebGPU in workers, by what their JavaScript knows. */
const TARGET = ["chrome119", "edge119", "firefox141", "safari18"];

/** Milliseconds for one bundle; the first one on a machine downloads the bundler. */
const LIMIT = 300_000;

/**
 * Bundles a module for browsers, as small as it gets.
 *
 * What packages ask of Node is answered by `shims/`, which `bundle.json` names.
 *
 * @param entry Path below `scripts/demo/`.
 * @param define Values of names that the code declares: JSON texts.
 * @returns JavaScript.
 * @throws {HatchlingError} When it does not bundle.
 */
export async function bundle(
  entry: string,
  define: Record<string, string> = {},
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "hatchling-demo-" });
  try {
    const file = join(folder, "bundle.js"), config = join(HERE, "bundle.json");
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--quiet", "--no-lock", "--platform", "browser"]
        .concat("--config", config, "-o", file, join(HERE, entry)),
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      signal: AbortSignal.timeout(LIMIT),
    }).output();
    if (!success) {
      const why = new TextDecoder().decode(stderr).trim();
      throw new HatchlingError(`Expected ${entry} to bundle but Deno says: ${why}`);
    }
    const { code } = await esbuild.transform(await Deno.readTextFile(file), {
      define,
      format: "esm",
      minify: true,
      target: TARGET,
    });
    return code;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Ends the bundler's process. */
export async function endBundler(): Promise<void> {
  await esbuild.stop();
}
