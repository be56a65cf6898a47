/**
 * All commands as one program that needs no Deno: `deno task build [--out FILE] [--target SYSTEM]`.
 *
 * @module
 */
import { Option } from "commander";
import { relative, resolve } from "node:path";
import { shown } from "../../lib/text.ts";
import { bytes } from "../../lib/words.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import { checkProgram } from "./check.ts";
import { compile, OUT } from "./compile.ts";

/** Systems that Deno compiles for. */
const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
  "aarch64-pc-windows-msvc",
];

async function main(): Promise<void> {
  const options = newCommand("build")
    .description("Compiles all commands into one program, hatchling, that needs no Deno.")
    .option("--out <file>", "where to (default: dist/hatchling)")
    .addOption(new Option("--target <system>", "for another system").choices(TARGETS))
    .option("--list", "tell all files in it")
    .parse(commandArgs(), { from: "user" })
    .opts<{ out?: string; target?: string; list?: boolean }>();
  const { target = Deno.build.target, list } = options;
  const asked = options.out === undefined ? OUT : resolve(options.out);
  // As deno compile names it.
  const out = target.includes("windows") && !asked.endsWith(".exe") ? `${asked}.exe` : asked;
  say(`compiling for ${target} …`);
  const said = await compile({ out, target: options.target });
  if (list) print(said.trim());
  if (target === Deno.build.target) await checkProgram(out);
  else say(`note: not tried, as this system is ${Deno.build.target}`);
  const { size } = await Deno.stat(out);
  print(
    `${shown(relative(Deno.cwd(), out))}: ${bytes(size)}; ${shown(out)} --help tells its commands`,
  );
}

await runCommand(main);
