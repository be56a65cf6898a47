/**
 * Command lines.
 *
 * @module
 */
import { Command } from "commander";
import { commandName } from "./called.ts";
import { print, say } from "./terminal.ts";

/** A command line under the name that users type; help and mistakes are said as all else is. */
export function newCommand(name: string): Command {
  return new Command(commandName(name)).configureOutput({
    writeOut: (text) => print(text.trimEnd()),
    writeErr: (text) => say(text.trimEnd()),
  });
}
