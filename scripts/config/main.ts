/**
 * The configurations that come along: `deno task config [NAME]`.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nearest } from "../../lib/config/suggest.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { shown } from "../../lib/text.ts";
import { commandArgs, commandName, ownConfig } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, runCommand } from "../common/terminal.ts";

/** Where they are. */
const FOLDER = fileURLToPath(new URL("../../configs", import.meta.url));

async function main(): Promise<void> {
  const [name] = newCommand("config")
    .description(
      "Prints a configuration that comes along, to begin with; without a name, which there are.",
    )
    .argument("[name]", "small, for instance")
    .addHelpText("after", `\n${commandName("config")} small > small.yaml`)
    .parse(commandArgs(), { from: "user" })
    .args;
  const names = [...Deno.readDirSync(FOLDER)].flatMap(({ name }) =>
    name.match(/^(.*)\.yaml$/)?.[1] ?? []
  )
    .sort();
  if (name === undefined) return print((await Promise.all(names.map(line))).join("\n"));
  if (!names.includes(name)) {
    const meant = nearest(name, names);
    throw new HatchlingError(
      `Expected one of the configurations ${names.join(", ")} but found "${shown(name)}"${
        meant ? `: did you mean ${meant}?` : ""
      }`,
    );
  }
  print((await read(name)).trimEnd());
}

/** A configuration; what its head says of how to call it holds for whoever reads it. */
async function read(name: string): Promise<string> {
  const text = await Deno.readTextFile(join(FOLDER, `${name}.yaml`));
  return text.replace(/\bconfigs\/([\w-]+)\.yaml\b/g, (_, name) => ownConfig(name));
}

/** A name, and the first sentence of what its file says of itself. */
async function line(name: string): Promise<string> {
  const [head] = (await read(name)).split("\n#\n");
  const text = head.replaceAll(/^# ?/gm, "").replaceAll("\n", " ").trim();
  return `${name.padEnd(12)}${text.match(/^.*?[.:](?=\s|$)/)?.[0].replace(/[.:]$/, "") ?? text}`;
}

await runCommand(main);
