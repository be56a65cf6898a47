/**
 * What a package says of itself.
 *
 * @module
 */
import { join } from "node:path";
import deno from "../../deno.json" with { type: "json" };
import { fileOf, SUB_PATHS } from "./bundle.ts";
import { typesOf } from "./declarations.ts";
import { packageFolder, type Tools } from "../common/bundle/tools.ts";

/** From here on Node tells a program its built-in modules. */
const NODE = ">=20.16";

/** What stands in package.json. */
export function manifest(): Record<string, unknown> {
  return {
    name: deno.name,
    version: deno.version,
    description: "Self-supervised vision (DINO) on any GPU, with WebGPU and hand-written WGSL",
    keywords: ["webgpu", "wgsl", "dino", "vision transformer", "self-supervised", "embedding"],
    license: deno.license,
    type: "module",
    // Modules define kernels and functions; node.js alone does something when it is imported.
    sideEffects: ["./lib/node.js", "./lib/*worker*.js"],
    exports: {
      ...Object.fromEntries(
        Object.entries(SUB_PATHS).map(([path, module]) => [
          path,
          { types: typesOf(module), default: `./lib/${fileOf(module)}` },
        ]),
      ),
      "./package.json": "./package.json",
    },
    files: ["lib", "types", "THIRD_PARTY.md"],
    engines: { node: NODE },
    peerDependencies: { "bun-webgpu": ">=0.1.5", "webgpu": ">=0.4.0" },
    peerDependenciesMeta: { "bun-webgpu": { optional: true }, "webgpu": { optional: true } },
  };
}

/** What the package is, for those who find it in a registry. */
export const README = `# Hatchling

Self-supervised vision (DINO) on any GPU: ops, losses, models and training on WebGPU, with kernels in WGSL. In Node,
Bun, Deno and pages.

\`\`\`sh
npm install ${deno.name} webgpu # webgpu: for Node and Bun alone
\`\`\`

\`\`\`js
import "${deno.name}/node"; // WebGPU for Node and Bun; not in a page
import { readFile } from "node:fs/promises";
import { load } from "${deno.name}/load";

const model = await load("runs/a"); // a run, a file of weights, or its address
console.log(await model.features(await readFile("cat.jpg")));
model.close();
\`\`\`

Sub-paths: ${
  Object.keys(SUB_PATHS).filter((path) => path !== ".").map((path) => `\`${path.slice(1)}\``).join(
    ", ",
  )
}. A page that takes one gets no more than it uses.

Training by configuration, evaluation, search and the live page are commands of the project itself, which run on Deno.
`;

/**
 * Licences of what lies in the bundle.
 *
 * @param names Packages of which parts are in it.
 */
export async function thirdParty(tools: Tools, names: readonly string[]): Promise<string> {
  const parts = await Promise.all(names.map(async (name) => {
    const folder = packageFolder(tools, name);
    const { version, license } = JSON.parse(await Deno.readTextFile(join(folder, "package.json")));
    const texts: string[] = [];
    for await (const entry of Deno.readDir(await Deno.realPath(folder))) {
      if (/^licen[cs]e|^codec$/i.test(entry.name) && entry.isFile) {
        texts.push(await Deno.readTextFile(join(folder, entry.name)));
      }
    }
    return `## ${name} ${version}\n\n${license}\n${
      texts.map((text) => `\n\`\`\`text\n${text.trim()}\n\`\`\`\n`).join("")
    }`;
  }));
  return `# What others have made\n\nParts of these packages are in the bundle.\n\n${
    parts.join("\n")
  }`;
}
