/**
 * The package for npm: `deno task build:npm [--out FOLDER]`.
 *
 * @module
 */
import { join, resolve } from "node:path";
import * as esbuild from "esbuild";
import { shown } from "../../lib/text.ts";
import { bytes } from "../../lib/words.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import { bundle, SUB_PATHS } from "./bundle.ts";
import { declarations } from "./declarations.ts";
import { manifest, README, thirdParty } from "./manifest.ts";
import { checkSizes, sizesOf } from "./sizes.ts";
import { installTools, ROOT } from "../common/bundle/tools.ts";

async function main(): Promise<void> {
  const command = newCommand("build:npm")
    .description("Builds the package for npm: JavaScript for Node, Bun and pages, with types.")
    .option("--out <folder>", "where to; what is there is replaced", join(ROOT, "dist/npm"))
    .option("--no-types", "leave the types out, which take longest")
    .parse(commandArgs(), { from: "user" });
  const { types, ...options } = command.opts<{ out: string; types: boolean }>();
  const out = resolve(options.out);
  const tools = await installTools(join(ROOT, "dist/tools"));
  for (const part of ["lib", "types"]) {
    await Deno.remove(join(out, part), { recursive: true }).catch(() => {}); // it need not be there
  }
  const used = await bundle(tools, join(out, "lib"));
  if (types) {
    say("types …");
    await declarations(tools, Object.values(SUB_PATHS), join(out, "types"));
  }
  const files = {
    "package.json": `${JSON.stringify(manifest(), null, 2)}\n`,
    "README.md": README,
    "THIRD_PARTY.md": await thirdParty(tools, used),
    "LICENSE": await Deno.readTextFile(join(ROOT, "LICENSE")),
  };
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(out, name), text);
  const sizes = await sizesOf(out);
  await esbuild.stop();
  for (const [name, { first, later }] of sizes) {
    print(
      `a page with ${name}: ${kilobytes(first)}, and ${kilobytes(later)} that it may fetch later`,
    );
  }
  checkSizes(sizes);
  print(`${shown(out)}: ${bytes(await sizeOf(out))}; npm pack makes a file of it`);
}

const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;

/** Bytes of all files of a folder. */
async function sizeOf(folder: string): Promise<number> {
  let sum = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    sum += isDirectory ? await sizeOf(path) : (await Deno.stat(path)).size;
  }
  return sum;
}

await runCommand(main);
