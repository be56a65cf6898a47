/** Scripts as children, as users start them. */
import { path } from "./runs.ts";
import { HANG_MS } from "./hang.ts";

/** What a script has said. */
export interface Said {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs scripts/NAME.ts with arguments in a folder; killed after two minutes. */
export async function script(
  name: string,
  cwd: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Said> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", path(`scripts/${name}.ts`), ...args],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(HANG_MS),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
