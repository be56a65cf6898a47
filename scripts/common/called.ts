/**
 * How commands are called: `deno task NAME …`, or `hatchling NAME …` where one program holds them all.
 *
 * @module
 */

/** A program that holds commands. */
export interface Called {
  /** Its name. */
  program: string;
  /** Names of its commands. */
  commands: readonly string[];
  /** What stands behind the command's name. */
  args: readonly string[];
}

let called: Called | undefined;

/** Tells how the command that is loaded next was called; without it, as a task. */
export function calledAs(how: Called | undefined): void {
  called = how;
}

/** Arguments of the command. */
export function commandArgs(): string[] {
  return [...called?.args ?? Deno.args];
}

/** A command as it is typed. */
export function commandName(name: string): string {
  return `${called?.program ?? "deno task"} ${name}`;
}

/**
 * A configuration that comes along, as a path to type: a program holds it within itself, from where
 * `config NAME > NAME.yaml` puts it here.
 */
export function ownConfig(name: string): string {
  return called ? `${name}.yaml` : `configs/${name}.yaml`;
}

/** A text that names tasks, with the names under which they are there. */
export function asCalled(text: string): string {
  if (!called) return text;
  const { program, commands } = called;
  return text.replace(
    /\bdeno task ([\w:]+)/g,
    (task, name) => commands.includes(name) ? `${program} ${name}` : task,
  );
}
