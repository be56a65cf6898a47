/** Test programs against the package: what it exports comes from it, the rest from the source. */
import { join } from "node:path";
import * as esbuild from "esbuild";
import deno from "../../../deno.json" with { type: "json" };
import { SUB_PATHS } from "../../../scripts/build_npm/bundle.ts";
import {
  builtins,
  globals,
  packagedSource,
  textImports,
} from "../../../scripts/common/bundle/plugins.ts";
import { ROOT } from "../../../scripts/common/bundle/tools.ts";

/** Bundles a program of this folder into `out`, beside which the package is installed. */
export async function bundleProgram(name: string, out: string): Promise<void> {
  const paths = Object.fromEntries(
    Object.entries(SUB_PATHS).map((
      [path, module],
    ) => [join(ROOT, module), deno.name + path.slice(1)]),
  );
  const ofPackage: esbuild.Plugin = {
    name: "of the package",
    setup(build) {
      build.onResolve({ filter: /\.ts$/ }, ({ path, resolveDir }) => {
        const found = paths[join(resolveDir, path)];
        return found ? { path: found, external: true } : undefined;
      });
      build.onLoad({ filter: /[\\/](lib|scripts[\\/]common)[\\/].*\.ts$/ }, async ({ path }) => {
        const text = packagedSource(await Deno.readTextFile(path));
        // A kernel of that name is in the package.
        return { contents: text.replace(/(defineKernel\(\s*["`])/g, "$1test of "), loader: "ts" };
      });
    },
  };
  await esbuild.build({
    entryPoints: [join(import.meta.dirname!, name)],
    outfile: out,
    banner: { js: `import "${deno.name}/node";` },
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    plugins: [ofPackage, globals, builtins, textImports],
    logLevel: "warning",
  });
  await esbuild.stop();
}
