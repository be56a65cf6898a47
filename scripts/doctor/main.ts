/**
 * `deno task doctor [RUN]`: what this machine offers and whether it computes right; or, with the folder of a
 * run, what state its training is in and what to change first.
 *
 * Exit status: 0 when all is well, or when it is too early to tell; 1 when the question cannot be answered,
 * or the machine computes wrong; 2 when the run is in trouble, or has ended with features that are not useful.
 *
 * @module
 */
import { Option } from "commander";
import { examineMachine } from "./machine.ts";
import { examineRun } from "./run.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { runCommand } from "../common/terminal.ts";

/** Exit status of a run in trouble. */
const TROUBLE = 2;

const command = newCommand("doctor")
  .description(
    "Tells what this machine offers, and proves its most common kernels against float64.\n" +
      "With the folder of a run: tells what state its training is in, and what to change first.",
  )
  .argument("[run]", "folder of a run, runs/small-… for instance; needs no GPU")
  .addOption(
    new Option("--limits <which>", "what to ask of the adapter: all it has, or WebGPU's defaults")
      .choices(["adapter", "portable"]).default("adapter"),
  )
  .option("--device.adapter <number or name>", "which of the adapters that this command lists")
  .helpOption("-h, --help", "show this help")
  .addHelpText(
    "after",
    "\nExit status: 0 all is well or too early to tell, 1 no answer or a wrong kernel, 2 a run in " +
      "trouble, or one that has ended with features that are not useful.",
  )
  .parse(commandArgs(), { from: "user" });

await runCommand(async () => {
  const [run] = command.args;
  if (run !== undefined) return await examineRun(run) ? TROUBLE : 0;
  const options = command.opts();
  await examineMachine({ limits: options.limits, adapter: options["device.adapter"] });
});
