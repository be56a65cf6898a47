/**
 * Modules of the project as single files for a page.
 *
 * @module
 */
import { join } from "node:path";
import type { Plugin } from "esbuild";
import deno from "../../deno.json" with { type: "json" };
import {
  builtins,
  codecs,
  DEFINED,
  globals,
  source,
  textImports,
} from "../common/bundle/plugins.ts";
import {
  installPackages,
  packageFolder,
  packagesIn,
  parseNpm,
  ROOT,
} from "../common/bundle/tools.ts";

/** The oldest browsers with WebGPU in workers, by what their JavaScript knows. */
const TARGET = ["chrome119", "edge119", "firefox141", "safari18"];

/** What bundles; close it at the end. */
export class Bundler {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Installs the packages that the page has, where they are not there yet.
   *
   * @throws {HatchlingError} When one cannot be had.
   */
  static async open(): Promise<Bundler> {
    const folder = join(ROOT, "dist/demo"), { name, version } = parseNpm(deno.imports["umap-js"]);
    await installPackages(folder, { ...await packagesIn(join(ROOT, "lib")), [name]: version });
    return new Bundler(folder);
  }

  /**
   * Bundles a module with all that it imports, kernels and decoders included.
   *
   * @param entry Path below `scripts/demo/`.
   * @param define Values of names that the code declares: JSON texts.
   * @returns JavaScript.
   */
  async bundle(entry: string, define: Readonly<Record<string, string>> = {}): Promise<string> {
    const esbuild = await import("esbuild"); // it looks at the environment when it is imported
    const folder = this.#folder;
    const { outputFiles = [] } = await esbuild.build({
      entryPoints: [join(ROOT, "scripts/demo", entry)],
      outdir: "page",
      write: false,
      bundle: true,
      minify: true,
      format: "esm",
      platform: "browser",
      conditions: ["import"],
      target: TARGET,
      define: { ...DEFINED, ...define, "process.env.NODE_ENV": '"production"' },
      loader: { ".wasm": "binary" },
      nodePaths: [join(folder, "node_modules")],
      plugins: [
        codecs((name) => packageFolder({ folder }, name)),
        noDisk,
        packages(folder),
        builtins,
        textImports,
        globals,
        source,
      ],
      logLevel: "error",
    });
    return new TextDecoder().decode(outputFiles[0].contents);
  }

  /** Ends the bundler's process. */
  async close(): Promise<void> {
    const esbuild = await import("esbuild");
    await esbuild.stop();
  }

  /** Support for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** In a page a path is an address: what reads from a disk is never called. */
const noDisk: Plugin = {
  name: "no disk",
  setup(build) {
    build.onResolve({ filter: /^\.\/disk\.ts$/ }, () => ({ path: "disk", namespace: "no-disk" }));
    build.onLoad({ filter: /.*/, namespace: "no-disk" }, () => ({
      contents: "export const readFromDisk = undefined;",
      loader: "js",
    }));
  },
};

/** `npm:NAME@VERSION/PATH` becomes a part of the bundle. */
const packages = (folder: string): Plugin => ({
  name: "packages",
  setup(build) {
    build.onResolve({ filter: /^npm:/ }, ({ path: specifier, kind }) => {
      const { name, path } = parseNpm(specifier);
      return build.resolve(name + path, { resolveDir: folder, kind });
    });
  },
});
