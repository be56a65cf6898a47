/**
 * What turns the library into a package for Node, Bun and pages.
 *
 * @module
 */
import { builtinModules } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";
import { parseNpm } from "./tools.ts";
import { strippedWgsl } from "./wgsl.ts";

/** Text imports are part of the bundle; of kernels what compilers read. */
export const textImports: Plugin = {
  name: "text imports",
  setup(build) {
    build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => {
      return { contents: strippedWgsl(await Deno.readTextFile(path)), loader: "text" };
    });
  },
};

const runtime = (name: string) => fileURLToPath(new URL(`./runtime/${name}`, import.meta.url));

/** Names {@linkcode runtime}'s globals.ts in the library's text. */
const GLOBALS = "hatchling:globals";

/** What Node 20 lacks, by what stands for it in runtime/globals.ts. */
const LACKING: readonly (readonly [pattern: RegExp, name: string, expression: string])[] = [
  [/\bDeno(?=\.\w)/g, "Deno", "Deno"],
  [/\bnew Worker(?=\()/g, "Worker", "new Worker"],
  [/\bMap\.groupBy(?=\()/g, "groupBy", "groupBy"],
  [/\bPromise\.withResolvers(?=[(<])/g, "withResolvers", "withResolvers"],
  [/\bArray\.fromAsync(?=\()/g, "arrayFromAsync", "arrayFromAsync"],
];

/** The library's text as the package has it. Lines stay where they are. */
export function packagedSource(text: string): string {
  const names: string[] = [];
  // A kernel that nobody uses falls away; workers have the names that they get in the package.
  let code = text
    .replace(
      /^((?:export )?const \w+[^=\n]* = )defineKernel\(/gm,
      "$1/* @__PURE__ */ defineKernel(",
    )
    .replace(/(new URL\("\.\/\w+)\.ts(", import\.meta\.url\))/g, "$1.js$2");
  for (const [pattern, name, expression] of LACKING) {
    if (!pattern.test(code) || new RegExp(`^import {.*\\b${name}\\b`, "m").test(code)) continue;
    code = code.replace(pattern, expression);
    names.push(name);
  }
  return names.length ? `import { ${names.join(", ")} } from "${GLOBALS}"; ${code}` : code;
}

/** What stands for what Node lacks. */
export const globals: Plugin = {
  name: "globals",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${GLOBALS}$`) }, () => {
      return { path: runtime("globals.ts"), sideEffects: false };
    });
  },
};

/** The library's modules. */
export const source: Plugin = {
  name: "source",
  setup(build) {
    build.onLoad({ filter: /[\\/]lib[\\/].*\.ts$/ }, async ({ path }) => {
      return { contents: packagedSource(await Deno.readTextFile(path)), loader: "ts" };
    });
  },
};

/** `npm:NAME@VERSION` becomes part of the package: it needs no other, and pages load it as it is. */
export function npmSpecifiers(folder: string, used: Set<string>): Plugin {
  return {
    name: "npm specifiers",
    setup(build) {
      build.onResolve({ filter: /^npm:/ }, ({ path: specifier, kind }) => {
        const { name, path } = parseNpm(specifier);
        used.add(name);
        return build.resolve(name + path, { resolveDir: folder, kind });
      });
    },
  };
}

/**
 * Modules that Node has built in are asked for when a program runs: so a page can import what would need a disk, and
 * nothing that bundles for one stumbles over their names.
 */
export const builtins: Plugin = {
  name: "builtins",
  setup(build) {
    const names = new RegExp(`^(node:.+|${builtinModules.join("|")})$`);
    build.onResolve({ filter: names }, ({ path }) => {
      return { path: path.replace(/^(node:)?/, "node:"), namespace: "builtin", sideEffects: false };
    });
    build.onLoad({ filter: /.*/, namespace: "builtin" }, async ({ path }) => {
      const exported = Object.keys(await import(path)).filter((name) => name !== "default");
      const contents = [
        `const found = /* @__PURE__ */ (() => globalThis.process?.getBuiltinModule?.("${path}") ?? {})();`,
        "export default found;",
        ...exported.map((name) =>
          `export const ${name} = /* @__PURE__ */ (() => found.${name})();`
        ),
      ];
      return { contents: contents.join("\n"), loader: "js" };
    });
  },
};

/** Decoders bring their WebAssembly with them, instead of reading it from beside them. */
export function codecs(
  folderOf: (name: string) => string,
  used: Set<string> = new Set(),
): Plugin {
  return {
    name: "codecs",
    setup(build) {
      build.onResolve({ filter: /^npm:imagescript@[\d.]+\/wasm\/node\/\w+\.js$/ }, ({ path }) => {
        used.add("imagescript");
        return { path: join(folderOf("imagescript"), parseNpm(path).path) };
      });
      // They ask for two modules of Node, to read one file.
      build.onResolve({ filter: /^(fs|path)$/ }, ({ path, importer }) => {
        const glue = importer.match(/imagescript[\\/]wasm[\\/]node[\\/](\w+)\.js$/);
        if (!glue) return;
        const pluginData = join(folderOf("imagescript"), `wasm/any/${glue[1]}.wasm`);
        return { path: `${path} of ${glue[1]}`, namespace: "codec", pluginData };
      });
      build.onLoad({ filter: /^path/, namespace: "codec" }, () => {
        return { contents: "exports.join = () => '';", loader: "js" };
      });
      build.onLoad({ filter: /^fs/, namespace: "codec" }, ({ pluginData: path }) => ({
        contents: `exports.promises = { readFile: async () => require("./${basename(path)}") };`,
        loader: "js",
        resolveDir: dirname(path),
      }));
      build.onResolve({ filter: /^npm:@jsquash\/webp@/ }, ({ path }) => {
        const pluginData = join(folderOf("@jsquash/webp"), parseNpm(path).path);
        used.add("@jsquash/webp");
        return { path: "decoder", namespace: "webp", pluginData };
      });
      build.onLoad({ filter: /.*/, namespace: "webp" }, ({ pluginData: path }) => ({
        contents: `
import make from "./${basename(path)}";
import wasmBinary from "./${basename(path, ".js")}.wasm";
export default (options) => make({ ...options, wasmBinary });`,
        loader: "js",
        resolveDir: dirname(path),
      }));
    },
  };
}

/** What decoders ask of Node. */
export const DEFINED: Readonly<Record<string, string>> = {
  "process.env.IMAGESCRIPT_WASM_SIMD": "undefined",
  "__dirname": '""',
};

/** The first module of a worker in Node, a file of the package of its own. */
export const WORKER_START: string = runtime("worker_start.ts");
