/**
 * Proves that this machine computes right: `deno task prove [CONFIG]`.
 *
 * Exit status: 0 when something right is left for every kind of work, though ways may be struck off; 1 when not, or
 * when a fixture or the short training run fails.
 *
 * @module
 */
import { openDevice } from "../../lib/adapter.ts";
import { parseConfig, parseOverrides } from "../../lib/config.ts";
import { writeFileAtomic } from "../../lib/io/atomic.ts";
import { readConfig } from "../../lib/io/config_file.ts";
import { EFFORTS, proveMachine } from "../../lib/prove.ts";
import { kernelStorage } from "../common/kernel_storage.ts";
import { strikeLine } from "../common/proven.ts";
import { Progress } from "../common/progress.ts";
import { commandArgs } from "../common/called.ts";
import { newCommand } from "../common/command.ts";
import { print, runCommand, say } from "../common/terminal.ts";
import { proveFixtures } from "./fixtures.ts";
import { report } from "./report.ts";
import { familyLines, row } from "./table.ts";
import { proveTraining } from "./training.ts";

async function main(): Promise<number> {
  const { overrides, rest } = parseOverrides(commandArgs());
  const command = newCommand("prove")
    .description("Proves that this machine computes right, kernel by kernel, against float64.")
    .argument("[config]", "YAML file: the shapes of its step are proven too")
    .option("--json <file>", "write all of it to a file, for a bug report")
    .option("--kept", "leave out what is known to be right on this adapter and driver", false)
    .option("--no-fixtures", "leave out PyTorch's fixtures")
    .option("--no-training", "leave out the short training run")
    .addHelpText(
      "after",
      "\nAny key of the configuration: --data.batch_size 32; without one too: --device.adapter, --device.limits",
    )
    .parse(rest, { from: "user" });
  const options = command.opts();
  const [file] = command.args;
  const onWarning = (line: string) => say(`warning: ${line}`);
  // Without a file it is the device alone that can be told.
  const read = file === undefined
    ? { config: parseConfig("{}", { file: "the command line", overrides }) }
    : await readConfig(file, { overrides, onWarning });
  const config = file === undefined ? undefined : read.config;
  const gpu = await openDevice(read.config.device);
  row("device", `${gpu.info.description} (vendor ${gpu.info.vendor})`);
  const progress = new Progress();
  const start = performance.now();
  const findings = await proveMachine(gpu, {
    config,
    odd: "all",
    races: true,
    effort: EFFORTS.full,
    storage: await kernelStorage(),
    again: !options.kept,
    onProgress: (done, total) => progress.show(`proving kernels: ${done} of ${total} dispatches`),
  });
  progress.end();
  for (const line of familyLines(findings)) print(line);
  for (const strike of findings.strikes) print(strikeLine(gpu, strike));
  for (const { kernel, fault } of findings.broken) {
    print(`WRONG ${kernel}, for which there is no other kernel: ${fault}`);
  }
  const fixtures = options.fixtures ? await proveFixtures(gpu, progress) : undefined;
  const training = options.training ? await proveTraining(gpu, progress) : undefined;
  const seconds = (performance.now() - start) / 1000;
  row("time", `${seconds.toFixed(1)} s`);
  if (options.json !== undefined) {
    const all = await report(gpu, { findings, fixtures, training, seconds, config: file });
    await writeFileAtomic(
      options.json,
      new TextEncoder().encode(JSON.stringify(all, null, 2) + "\n"),
    );
  }
  gpu.destroy();
  const ok = !findings.broken.length && !fixtures?.failed.length && !training?.fault;
  row("verdict", verdictOf(ok, findings.strikes.length));
  return ok ? 0 : 1;
}

function verdictOf(ok: boolean, strikes: number): string {
  if (!ok) {
    return "WRONG: do not train on this adapter. Update its driver, or try HATCHLING_ADAPTER=swiftshader; " +
      "with --json FILE everything is written down for a bug report";
  }
  return strikes ? `right without ${strikes} ways of computing, which are not used` : "right";
}

await runCommand(main);
