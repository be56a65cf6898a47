/**
 * Which code runs.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import project from "../../deno.json" with { type: "json" };

/** The code that runs. */
export interface CodeVersion {
  /** Hatchling's version. */
  version: string;
  /** Commit of its git checkout, where it is one. */
  commit?: string;
}

/** Version and commit of the code that runs. */
export async function codeVersion(): Promise<CodeVersion> {
  const { version } = project;
  if (!import.meta.url.startsWith("file:")) return { version };
  const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
  const commit = await gitCommit(join(root, ".git")).catch(() => undefined);
  return commit ? { version, commit } : { version };
}

/** "0.1.0 (0123456789)". */
export function codeName({ version, commit }: CodeVersion): string {
  return commit ? `${version} (${commit.slice(0, 10)})` : version;
}

/** The commit that HEAD names, read from git's files: git itself may not be there, or not be allowed. */
async function gitCommit(git: string): Promise<string | undefined> {
  const head = (await Deno.readTextFile(join(git, "HEAD"))).trim();
  if (!head.startsWith("ref: ")) return head;
  const ref = head.slice(5);
  try {
    return (await Deno.readTextFile(join(git, ref))).trim();
  } catch {
    const packed = await Deno.readTextFile(join(git, "packed-refs"));
    return packed.split("\n").find((line) => line.endsWith(` ${ref}`))?.split(" ")[0];
  }
}
