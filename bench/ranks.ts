/**
 * `deno task bench:ranks [CONFIG] [--ranks 2,4] [--pin] [--steps 10] [--turns 5] [--section.key value …]`: pictures a
 * second that ranks on this machine train together, against one rank, in turns.
 *
 * With `--pin` each rank has a core of its own and one thread to draw with: that is what scaling means where the GPU
 * is a CPU. Without it one rank takes all cores, and more of them can win nothing on a software adapter.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { parseOverrides } from "../lib/config.ts";
import { HatchlingError } from "../lib/errors.ts";
import type { RankTimes } from "../lib/train.ts";
import { positive } from "../scripts/common/numbers.ts";
import { print, runCommand } from "../scripts/common/terminal.ts";
import { digits, percent, table } from "./report.ts";
import { median } from "./timing.ts";

/** What ranks found. */
export interface Steps {
  adapter: string;
  ranks: number;
  /** Milliseconds of a step. */
  ms: number;
  picturesPerSecond: number;
  /** Where rank 0's time went, per step. */
  times: RankTimes;
}

/** Wider and deeper than small.yaml: a step should take longer than telling others of it. */
const DEFAULTS = ["--model.dim", "192", "--model.depth", "6", "--model.heads", "3"];
/** Milliseconds that a start may take, compiling included. */
const PATIENCE = 600_000;
/** A core for each rank of a machine, from the first one on. */
const PINNED = 'exec taskset -c "${OMPI_COMM_WORLD_LOCAL_RANK:-0}" "$@"';

/** Starts ranks; what rank 0 printed. */
async function start(ranks: number, pin: boolean, args: readonly string[]): Promise<Steps> {
  const steps = fileURLToPath(new URL("ranks/steps.ts", import.meta.url));
  const one = [
    ...pin ? ["sh", "-c", PINNED, "rank"] : [],
    ...[Deno.execPath(), "run", "-A", "--quiet", steps, ...args],
  ];
  const launch = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"];
  const [program, ...rest] = ranks === 1 ? one : [...launch, "-np", `${ranks}`, ...one];
  const { success, stdout } = await new Deno.Command(program, {
    args: rest,
    env: pin ? { LP_NUM_THREADS: "1" } : {},
    stderr: "inherit",
    signal: AbortSignal.timeout(PATIENCE),
  }).output();
  const line = new TextDecoder().decode(stdout).split("\n").find((line) => line.startsWith("{"));
  if (success && line) return JSON.parse(line);
  throw new HatchlingError(`Expected the steps of ${ranks} ranks but they failed: see above`);
}

const list = (text: string) => text.split(",").map(positive);

async function main(): Promise<void> {
  const { overrides, rest } = parseOverrides([...Deno.args]);
  const command = new Command("bench:ranks")
    .description("Times training steps of several ranks on this machine against those of one.")
    .argument("[config]", "YAML file; without one, small.yaml with a model 192 wide and 6 deep")
    .option("--ranks <list>", "numbers of ranks", list, [2])
    .option("--steps <n>", "steps that are timed together", positive, 10)
    .option("--turns <n>", "starts of each number of ranks", positive, 5)
    .option("--pin", "a core for each rank, and one thread that draws")
    .parse(rest, { from: "user" });
  const { ranks, steps, turns, pin = false } = command.opts<
    { ranks: number[]; steps: number; turns: number; pin?: boolean }
  >();
  const small = fileURLToPath(new URL("../configs/small.yaml", import.meta.url));
  const config = command.args[0] ?? small;
  const given = overrides.map(({ key, value }) =>
    value === undefined ? `--${key}` : `--${key}=${value}`
  );
  const args = [config, ...command.args[0] ? [] : DEFAULTS, ...given, "--steps", `${steps}`];
  const found = new Map<number, Steps[]>([1, ...ranks].map((n) => [n, []]));
  for (let turn = 0; turn < turns; turn++) {
    for (const [n, all] of found) all.push(await start(n, pin, args));
  }
  const one = found.get(1)!;
  print(
    `${one[0].adapter}, ${pin ? "a core for each rank" : "all cores for all ranks"}; medians of ` +
      `${turns} turns of ${steps} steps\n`,
  );
  const rows = [...found].map(([n, all]) => {
    const middle = (of: (steps: Steps) => number) => median(all.map(of));
    const ratios = all.map((many, i) => many.picturesPerSecond / one[i].picturesPerSecond / n);
    const { times } = all[0];
    const hidden = middle(({ times }) => times.comm_hidden_ms) /
      middle(({ times }) => times.comm_ms);
    return [
      `${n}`,
      digits(middle(({ picturesPerSecond }) => picturesPerSecond)),
      digits(middle(({ ms }) => ms)),
      `${percent(median(ratios))} (${percent(Math.min(...ratios))}–${
        percent(Math.max(...ratios))
      })`,
      n === 1 ? "-" : `${(times.comm_bytes / 1e6).toFixed(2)}`,
      n === 1 ? "-" : digits(middle(({ times }) => times.comm_ms)),
      n === 1 ? "-" : percent(hidden),
      n === 1 ? "-" : digits(middle(({ times }) => times.comm_wait_ms)),
    ];
  });
  print(
    table(
      ["ranks", "pictures/s", "ms a step", "efficiency", "MB", "comm ms", "hidden", "waiting ms"],
      rows,
    ),
  );
}

await runCommand(main);
