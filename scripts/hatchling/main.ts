/**
 * All commands in one program: `hatchling COMMAND …`, as `deno task build` compiles it.
 *
 * Of the commands one is loaded. What it may do is what its task may do, as far as a program can give permissions
 * away: whole ones, not the network but for one host.
 *
 * @module
 */
import { nearest } from "../../lib/config/suggest.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { shown } from "../../lib/text.ts";
import { calledAs } from "../common/called.ts";
import { codeName, codeVersion } from "../common/code_version.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import { COMMANDS, giveAway, NAMES } from "./commands.ts";

const PROGRAM = "hatchling";

async function main(): Promise<number | void> {
  const [first, ...rest] = Deno.args;
  // "help train" is "train --help".
  const [name, args] = first === "help" && rest.length ? [rest[0], ["--help"]] : [first, rest];
  if (name === undefined) {
    say(help());
    return 1;
  }
  if (["help", "--help", "-h"].includes(name)) return print(help());
  if (["--version", "-V"].includes(name)) return print(await version());
  if (!Object.hasOwn(COMMANDS, name)) throw new HatchlingError(unknown(name));
  calledAs({ program: PROGRAM, commands: NAMES, args });
  await giveAway(COMMANDS[name]);
  await COMMANDS[name].load();
}

function help(): string {
  const width = Math.max(...NAMES.map((name) => name.length));
  return [
    `Usage: ${PROGRAM} <command> [arguments]`,
    "",
    "Trains vision models on pictures without labels, on any GPU, and puts them to use.",
    "",
    "Commands:",
    ...NAMES.map((name) => `  ${name.padEnd(width)}  ${COMMANDS[name].about}`),
    "",
    "Options:",
    "  -V, --version  which version this is",
    "  -h, --help     show this help",
    "",
    `${PROGRAM} <command> --help shows the options of each.`,
  ].join("\n");
}

async function version(): Promise<string> {
  const { deno, v8 } = Deno.version;
  return `${PROGRAM} ${
    codeName(await codeVersion())
  }\nDeno ${deno}, V8 ${v8}, ${Deno.build.target}`;
}

function unknown(name: string): string {
  const meant = nearest(name, NAMES);
  return `Expected one of the commands ${NAMES.join(", ")} but found "${shown(name)}"${
    meant ? `: did you mean ${meant}?` : ""
  }`;
}

await runCommand(main);
