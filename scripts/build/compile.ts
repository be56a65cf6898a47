/**
 * `deno compile`, and what it says when it cannot.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { HatchlingError } from "../../lib/errors.ts";
import { shown } from "../../lib/text.ts";
import { includes, ROOT } from "./includes.ts";

/** Longest time for it, milliseconds: a runtime of 40 MB at 1 Mbit/s, and slow disks. */
const LIMIT_MS = 600_000;

/** What to compile. */
export interface Compilation {
  /** Absolute path of the program. */
  out: string;
  /** For another system than this one, as Deno names it. */
  target?: string;
  /** A runtime that is there already. Default: `DENORT_BIN`, else the one that Deno downloads. */
  denort?: string;
  /** Milliseconds until it is given up. Default: ten minutes. */
  limitMs?: number;
}

/**
 * Compiles all commands into one program.
 *
 * @returns What Deno tells of the files in it.
 * @throws {HatchlingError} When it fails, with what to do where Deno's runtime for programs cannot be had.
 */
export async function compile(
  { out, target, denort, limitMs = LIMIT_MS }: Compilation,
): Promise<string> {
  const included = (await includes()).flatMap((path) => ["--include", path]);
  const args = [
    ...["compile", "--allow-all", "--no-prompt", "--no-check", "--exclude-unused-npm"],
    ...included,
    ...["--output", out],
    ...target ? ["--target", target] : [],
    "scripts/hatchling.ts",
  ];
  await Deno.mkdir(dirname(out), { recursive: true });
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1", ...denort ? { DENORT_BIN: denort } : {} },
    stdin: "null",
    signal: AbortSignal.timeout(limitMs),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const said = text(stdout) + text(stderr);
  if (code !== 0) throw new HatchlingError(explain(said, target));
  return said;
}

/** What failed, in a sentence, from what Deno has said. */
export function explain(said: string, target: string = Deno.build.target): string {
  const [, archive] = said.match(/(denort-\S+?\.zip)/) ?? [];
  const [message] = said.split("Stack backtrace:");
  // Causes are numbered from the outermost to the innermost.
  const reason = message.match(/^ +\d+: .*$/gm)?.at(-1)?.replace(/^ +\d+: /, "") ??
    message.match(/^error: (.*)$/m)?.[1] ?? message.trim().split("\n").at(-1)!;
  if (!archive) return `Expected deno compile to make a program but: ${shown(reason)}`;
  return `Expected Deno's runtime for programs, denort ${Deno.version.deno} for ${target}, but it could not be ` +
    `downloaded: ${
      shown(reason)
    }. Build where there is a network, or unpack ${archive} of Deno's release ` +
    `v${Deno.version.deno} and set DENORT_BIN to the file in it`;
}

/** Where the program goes by default. */
export const OUT: string = join(ROOT, "dist", "hatchling");
