/**
 * Programs of this project as processes of their own.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** One of them. */
export interface OwnProgram {
  /** Its module. */
  module: URL;
  /** What it may do, as options of `deno run`. */
  permissions: readonly string[];
  /** Its command where one program holds all: there, no module can be run by itself. */
  command: string;
}

/**
 * The program and the arguments that start it.
 *
 * @param standalone Whether this process is a compiled program, whose executable takes commands; else it is Deno.
 */
export function ownProcess(
  { module, permissions, command }: OwnProgram,
  standalone: boolean = Deno.build.standalone,
): { program: string; args: string[] } {
  if (standalone) return { program: Deno.execPath(), args: [command] };
  // As a path where it is a file, so that Deno finds deno.json beside it.
  const path = module.protocol === "file:" ? fileURLToPath(module) : module.href;
  return { program: Deno.execPath(), args: ["run", "--quiet", ...permissions, path] };
}
