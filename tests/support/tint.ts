/**
 * Tint, the compiler of Chromium and its kin, which needs no GPU. Deno's own compiler is naga; what both take is WGSL.
 */
import { fileURLToPath } from "node:url";
import type { Compiled } from "../../lib/gpu/kernel.ts";
import { lacks } from "./permissions.ts";
import { HANG_MS } from "./hang.ts";

/** Why Tint cannot run here; "" when it can. */
export const lacksTint: string = lacks("run");

/** What Tint has to say of each kernel, warnings included; "" when nothing. */
export async function complaints(
  compiled: readonly Pick<Compiled, "code" | "constants">[],
): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", "--no-config", "--no-lock"],
      fileURLToPath(new URL("tint_child.ts", import.meta.url)),
    ],
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
    signal: AbortSignal.timeout(HANG_MS),
  }).spawn();
  const lines = compiled.map((one) => `${JSON.stringify(one)}\n`);
  await new Response(lines.join("")).body!.pipeTo(child.stdin);
  const { code, stdout, stderr } = await child.output();
  const said = [...new TextDecoder().decode(stdout).matchAll(/^said: (.*)$/gm)];
  if (code === 0 && said.length === compiled.length) {
    return said.map(([, text]) => JSON.parse(text));
  }
  throw new Error(
    `Tint ended with status ${code} after ${said.length} of ${compiled.length} kernels: ` +
      new TextDecoder().decode(stderr),
  );
}
