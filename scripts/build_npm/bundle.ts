/**
 * The package's JavaScript.
 *
 * @module
 */
import { basename, join } from "node:path";
import * as esbuild from "esbuild";
import deno from "../../deno.json" with { type: "json" };
import {
  builtins,
  codecs,
  DEFINED,
  globals,
  npmSpecifiers,
  source,
  textImports,
  WORKER_START,
} from "../common/bundle/plugins.ts";
import { matrices } from "../common/bundle/matrices.ts";
import { packageFolder, ROOT, type Tools } from "../common/bundle/tools.ts";

/** Sub-paths that Deno alone can do something with: drivers, OpenMPI, pages with drawn charts. */
const DENO_ALONE: readonly string[] = ["./adapter", "./comm", "./report"];

/** Modules that are started as workers. */
const WORKERS = ["lib/data/decode_worker.ts", "lib/data/index_worker.ts"];

/** Sub-paths of the package: "./gpu" by its module, "lib/gpu.ts". */
export const SUB_PATHS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(deno.exports).filter(([path]) => !DENO_ALONE.includes(path))
    .map(([path, file]) => [path, file.slice(2)]),
);

/** The file of a module within the package. */
export const fileOf = (module: string): string => `${basename(module, ".ts")}.js`;

/**
 * Bundles all sub-paths, what they share in files of its own.
 *
 * @param out Folder of the package's files.
 * @returns Names of packages of which parts are in it.
 */
export async function bundle(tools: Tools, out: string): Promise<string[]> {
  const used = new Set<string>();
  const { folder } = tools;
  const modules = [...Object.values(SUB_PATHS), ...WORKERS].map((path) => join(ROOT, path));
  await esbuild.build({
    entryPoints: [...modules, WORKER_START],
    entryNames: "[name]",
    chunkNames: "shared-[hash]",
    outdir: out,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import"],
    target: "es2022",
    sourcemap: true,
    define: DEFINED,
    loader: { ".wasm": "binary" },
    plugins: [
      codecs((name) => packageFolder(tools, name), used),
      npmSpecifiers(folder, used),
      matrices,
      builtins,
      textImports,
      globals,
      source,
    ],
    logLevel: "warning",
  });
  return [...used].sort();
}
