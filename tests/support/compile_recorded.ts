/**
 * Compiles by Tint what tests have recorded (`preload.ts`): `deno run -A tests/support/compile_recorded.ts FOLDER`.
 * The last line is "N passed, N failed", N being different pairs of a kernel and its constants.
 */
import type { Compiled } from "../../lib/gpu/kernel.ts";
import { complaint, openTint } from "./tint.ts";

const [folder] = Deno.args;
const all = new Set<string>();
for (const { name } of Deno.readDirSync(folder)) {
  for (const line of Deno.readTextFileSync(`${folder}/${name}`).split("\n")) {
    if (line) all.add(line);
  }
}
const device = await openTint();
let failed = 0;
for (const line of [...all].sort()) {
  const text = await complaint(device, JSON.parse(line) as Compiled);
  if (!text) continue;
  failed++;
  console.error(text);
}
console.log(`${all.size - failed} passed, ${failed} failed`);
device.destroy();
if (failed || !all.size) Deno.exitCode = 1;
