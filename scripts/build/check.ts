/**
 * Whether a compiled program works: it starts, finds what lies in it, and decodes a picture in a thread.
 *
 * @module
 */
import { join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { shown } from "../../lib/text.ts";
import project from "../../deno.json" with { type: "json" };
import { ROOT } from "./includes.ts";

/** Longest time for a command, milliseconds. */
const LIMIT_MS = 60_000;

/** A picture of the repository. */
const PICTURE = "docs/guides/pictures-pca.png";

/**
 * Runs some of its commands, away from the repository.
 *
 * @throws {HatchlingError} When one does not do what it should.
 */
export async function checkProgram(path: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "hatchling-build-" });
  try {
    await Deno.mkdir(join(folder, "pictures"));
    await Deno.copyFile(join(ROOT, PICTURE), join(folder, "pictures/one.png"));
    const version = new RegExp(`^hatchling ${RegExp.escape(project.version)}\\b`);
    const expectations: [args: string[], what: string, answer: RegExp][] = [
      [["--version"], `version ${project.version}`, version],
      [["config", "tiny"], "a configuration", /^data:$/m],
      [["data", "check", "pictures", "--json"], "that a picture is sound", /"sound": true/],
    ];
    for (const [args, what, answer] of expectations) {
      const said = await run(path, args, folder);
      if (answer.test(said)) continue;
      throw new HatchlingError(
        `Expected ${shown(path)} ${args.join(" ")} to tell ${what} but found "${
          shown(said.trim().slice(-400))
        }": it is no working program. With DENORT_BIN, set it to the denort of Deno ${Deno.version.deno}`,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a command says, on either stream. */
async function run(path: string, args: string[], cwd: string): Promise<string> {
  try {
    const { stdout, stderr } = await new Deno.Command(path, {
      args,
      cwd,
      env: { NO_COLOR: "1" },
      stdin: "null",
      signal: AbortSignal.timeout(LIMIT_MS),
    }).output();
    return [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  } catch (error) {
    return (error as Error).message;
  }
}
