/**
 * wgpu-matrix, of which a bundle keeps what is used: it makes all that it has within functions, for three kinds of
 * array, which no bundler takes apart.
 *
 * @module
 */
import { join } from "node:path";
import type { Plugin } from "esbuild";
import { HatchlingError } from "../../../lib/errors.ts";
import { ROOT } from "./tools.ts";

/** Names of functions by their namespace. */
export type Used = ReadonlyMap<string, ReadonlySet<string>>;

/** What files of a folder call of some namespaces. */
export async function callsIn(
  folder: string,
  namespaces: readonly string[],
): Promise<Map<string, Set<string>>> {
  const used = new Map(namespaces.map((name) => [name, new Set<string>()]));
  const call = new RegExp(`(?<![\\w.])(${namespaces.join("|")})\\.(\\w+)\\(`, "g");
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) {
      for (const [key, more] of await callsIn(path, namespaces)) {
        for (const one of more) used.get(key)!.add(one);
      }
    } else if (name.endsWith(".ts")) {
      for (const [, key, one] of (await Deno.readTextFile(path)).matchAll(call)) {
        used.get(key)!.add(one);
      }
    }
  }
  return used;
}

/**
 * A module of some functions of wgpu-matrix, of float32, as that has them.
 *
 * @param text Its module.
 * @throws {HatchlingError} When it isn't laid out as it was.
 */
export function matrixModule(text: string, used: Used): string {
  const parts = [...used].map(([namespace, names]) => {
    const [, number] = text.match(new RegExp(`^ +${namespace}: getAPI(\\S*)\\(`, "m")) ??
      fail(namespace);
    const start = text.indexOf(`function getAPIImpl${number}(Ctor) {`);
    const body = text.slice(start, text.indexOf("\n}\n", start));
    const blocks = new Map(
      [...body.matchAll(/^ {4}(?:function (\w+)\([^]*?^ {4}}|const (\w+) = \w+;)$/gm)]
        .map(([block, name, alias]) => [name ?? alias, block]),
    );
    const kept = new Map<string, string>();
    const keep = (name: string) => {
      const block = blocks.get(name) ?? fail(`${namespace}.${name}`);
      if (kept.has(name)) return;
      kept.set(name, block);
      for (const [, word] of block.matchAll(/(?<!\.)\b(\w+)\b/g)) if (blocks.has(word)) keep(word);
      if (/\b(vec\d|mat\d|quat)\./.test(block)) fail(`${namespace}.${name} without others`);
    };
    if (start < 0) fail(namespace);
    for (const name of names) keep(name);
    return `export const ${namespace} = /* @__PURE__ */ ((Ctor) => {\n${
      [...kept.values()].join("\n")
    }\n    return { ${[...names].join(", ")} };\n})(Float32Array);\n`;
  });
  return parts.join("");
}

function fail(what: string): never {
  throw new HatchlingError(`Expected ${what} in wgpu-matrix as it was: look at its module anew`);
}

/** Bundles what the library calls of wgpu-matrix. */
export const matrices: Plugin = {
  name: "matrices",
  setup(build) {
    build.onLoad({ filter: /wgpu-matrix\.module\.js$/ }, async ({ path }) => {
      const used = await callsIn(join(ROOT, "lib"), ["mat3", "vec2"]);
      return { contents: matrixModule(await Deno.readTextFile(path), used), loader: "js" };
    });
  },
};
