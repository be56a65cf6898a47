/**
 * Compiles by Tint what tests have recorded (`preload.ts`): `deno run -A tests/support/compile_recorded.ts FOLDER`.
 * The last line is "N passed, N failed", N being different pairs of a kernel and its constants.
 */
import { complaints } from "./tint.ts";

const [folder] = Deno.args;
const all = new Set<string>();
for (const { name } of Deno.readDirSync(folder)) {
  for (const line of Deno.readTextFileSync(`${folder}/${name}`).split("\n")) {
    if (line) all.add(line);
  }
}
const said = (await complaints([...all].sort().map((line) => JSON.parse(line)))).filter(Boolean);
for (const text of said) console.error(text);
console.log(`${all.size - said.length} passed, ${said.length} failed`);
if (said.length || !all.size) Deno.exitCode = 1;
