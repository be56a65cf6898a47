/**
 * Runs fixtures made with PyTorch against this project's modules: `deno task golden [DIR]`.
 *
 * Prints one line per case, the largest error over its tolerance, and at the end how many passed.
 *
 * @module
 */
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import "../common/adapter.ts";
import { Option } from "commander";
import { HatchlingError } from "../../lib/errors.ts";
import { openDevice } from "../../lib/adapter.ts";
import type { Gpu } from "../../lib/gpu.ts";
import { shown } from "../../lib/text.ts";
import { print, runCommand } from "../common/terminal.ts";
import { type ManifestCase, readManifest } from "../common/golden/case.ts";
import { passes } from "../common/golden/compare.ts";
import { FIXTURES, runCase } from "../common/golden/run.ts";

/** Failures shown per case, worst first. */
const SHOWN = 6;

async function judge(gpu: Gpu, folder: string, row: ManifestCase, verbose: boolean) {
  const name = shown(row.name).padEnd(34);
  const { checks, error } = await runCase(gpu, folder, row);
  if (error) {
    print(`${name} error   FAIL\n    ${error}`);
    return false;
  }
  const ok = checks.every(passes);
  print(`${name} ${checks[0].ratio.toFixed(4)}  ${ok ? "ok" : "FAIL"}`);
  const failed = checks.filter((check) => !passes(check));
  for (const { what, ratio, detail } of verbose ? checks : failed.slice(0, SHOWN)) {
    print(`    ${ratio.toFixed(4)} ${what}${detail ? `: ${detail}` : ""}`);
  }
  if (!verbose && failed.length > SHOWN) print(`    … and ${failed.length - SHOWN} more`);
  return ok;
}

async function main(): Promise<number> {
  const command = newCommand("golden")
    .description("Runs fixtures against this project's modules.")
    .argument("[dir]", "folder with manifest.json (default: the project's own fixtures)")
    .option("--only <prefix>", "only cases whose name starts with this", "")
    .option("--verbose", "every comparison, not only failed ones", false)
    .addOption(
      new Option("--device.limits <limits>", "what to ask of the adapter")
        .choices(["adapter", "portable"]).default("adapter"),
    )
    .option("--device.adapter <number or name>", "which adapter, as deno task doctor lists them")
    .parse(commandArgs(), { from: "user" });
  const options = command.opts();
  const folder = command.args[0] ?? FIXTURES;
  const rows = (await readManifest(folder)).filter(({ name }) => name.startsWith(options.only));
  if (rows.length === 0) {
    throw new HatchlingError(
      `Expected cases in ${shown(folder)}/manifest.json but found none to run`,
    );
  }
  const gpu = await openDevice({
    limits: options["device.limits"],
    adapter: options["device.adapter"],
  });
  let passed = 0;
  for (const row of rows) if (await judge(gpu, folder, row, options.verbose)) passed++;
  gpu.destroy();
  print(`${passed} passed, ${rows.length - passed} failed`);
  return passed < rows.length ? 1 : 0;
}

await runCommand(main);
