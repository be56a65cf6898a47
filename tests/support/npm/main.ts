/**
 * The package for npm, packed and installed in an empty folder, on Node and on Bun: all fixtures, and features of
 * pictures and the losses of ten steps of training, which are those of Deno on the same driver. `deno run -A tests/support/npm/main.ts`, after
 * `deno task build:npm`. The last line is the sum: "N passed, N failed, N skipped".
 *
 * It takes SwiftShader, as npm `webgpu` (Dawn) takes no older Mesa.
 */
import { join } from "node:path";
import { ensureAdapter } from "../../../lib/adapter.ts";
import { FIXTURES } from "../../../scripts/common/golden/run.ts";
import { ROOT } from "../../../scripts/common/bundle/tools.ts";
import { PICTURES, writeExample } from "../example_run.ts";
import { bundleProgram } from "./bundle.ts";

/** What runs WebGPU outside of a browser, and Bun; in no import map and no lock file. */
const PACKAGES = ["webgpu@0.6.2", "bun@1.4.5", "bun-webgpu@0.1.7"];

/** Seconds for an installation, for the steps, and for the fixtures. */
const INSTALL = 240, STEPS = 300, GOLDEN = 900;

let passed = 0, failed = 0, skipped = 0;

/** Ends the program with the sum. */
function end(): never {
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  Deno.exit(failed ? 1 : 0);
}

/** Does without the rest, with a word. */
function skip(why: string): never {
  console.log(`skipped: the package on Node and Bun: ${why}`);
  skipped++;
  end();
}

/** What a program has printed, and what went wrong. */
interface Outcome {
  output: string;
  fault?: string;
}

/** Runs a program. */
async function run(
  program: string,
  args: string[],
  cwd: string,
  seconds: number,
  env: Record<string, string> = {},
): Promise<Outcome> {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      cwd,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      signal: AbortSignal.timeout(1000 * seconds),
    }).output();
    const fault = code === 0 ? undefined : `status ${code}: ${text(stderr).slice(-2000)}`;
    return { output: text(stdout), fault };
  } catch (error) {
    return { output: "", fault: (error as Error).message };
  }
}

const folder = await Deno.makeTempDir({ prefix: "hatchling-npm-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const must = async (args: string[], why: string): Promise<string> => {
  const { output, fault } = await run("npm", args, folder, INSTALL);
  return fault === undefined ? output : skip(`${why} (${fault.split("\n").at(-1)})`);
};

await must(["--version"], "there is no npm");
const packed = await must(["pack", "--silent", join(ROOT, "dist/npm")], "there is no package");
await Deno.writeTextFile(join(folder, "package.json"), `{ "private": true, "type": "module" }`);
// Bun's and Dawn's own scripts put their programs in place.
const install = ["install", "--no-audit", "--no-fund", "--silent", `./${packed}`, ...PACKAGES];
await must(install, "npm cannot install what it needs");
await bundleProgram("program.ts", join(folder, "program.js"));

Deno.env.set("HATCHLING_ADAPTER", "swiftshader");
const { folder: driver } = await ensureAdapter();
const env = { HATCHLING_DAWN: "backend=vulkan", LD_LIBRARY_PATH: driver ?? "" };
// The examples: what they print of the same pictures is the same.
await writeExample(folder);
const asked = ["run", ...Object.keys(PICTURES)];
for (const name of ["node", "bun"]) {
  await Deno.copyFile(join(ROOT, `docs/examples/features_${name}.js`), join(folder, `${name}.js`));
}
const example = ["run", "-A", join(ROOT, "docs/examples/features.ts"), ...asked];
const features = await run(Deno.execPath(), example, folder, STEPS, env);
const source = ["run", "-A", join(import.meta.dirname!, "program.ts"), "steps"];
const losses = await run(Deno.execPath(), source, ROOT, STEPS, env);
for (const { fault } of [features, losses]) if (fault) throw new Error(`Deno: ${fault}`);

const programs = { node: "node", bun: join(folder, "node_modules/.bin/bun") };

/** One more that passes where a program prints what Deno does. */
async function compare(
  name: "node" | "bun",
  what: string,
  args: string[],
  { output: expected }: Outcome,
) {
  const { output, fault } = await run(programs[name], args, folder, STEPS, env);
  const same = output === expected;
  console.log(`${name}: ${what} ${same ? "as on Deno, to the bit" : fault ?? output}`);
  same ? passed++ : failed++;
}

await Promise.all((["node", "bun"] as const).map(async (name) => {
  await compare(name, "features of pictures", [`${name}.js`, ...asked], features);
  await compare(name, "ten steps", ["program.js", "steps"], losses);
  const args = ["program.js", "fixtures", FIXTURES];
  const fixtures = await run(programs[name], args, folder, GOLDEN, env);
  console.log(fixtures.output.replace(/^/gm, `${name}: `) + (fixtures.fault ?? ""));
  const found = fixtures.output.match(/^(\d+) passed, (\d+) failed$/m);
  passed += Number(found?.[1] ?? 0);
  failed += Number(found?.[2] ?? 1);
}));
// The other package that brings WebGPU to Bun.
await Deno.rename(join(folder, "node_modules/webgpu"), join(folder, "webgpu"));
await compare("bun", "ten steps by bun-webgpu", ["program.js", "steps"], losses);
end();
