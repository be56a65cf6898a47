/**
 * `deno task bench:netns --hosts 2 --rate 100mbit --delay 5ms -- COMMAND …`: ranks of a command, each on a host of its
 * own, where hosts are network namespaces of this machine with cables of that rate and delay.
 *
 * It needs root, iproute2 and OpenMPI's mpirun. Rates are kept by the kernel (tbf); delays by netem, or by a process
 * that takes about a tenth of a core at 100 Mbit/s where the kernel has none. A signal ends the ranks, and what was made goes
 * in any case.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { parseShortTime } from "../lib/plan/units.ts";
import { upTo } from "../scripts/common/numbers.ts";
import { runCommand, say } from "../scripts/common/terminal.ts";
import { openHosts } from "./netns/hosts.ts";

/** What the last number of an address has room for. */
const HOSTS = { most: 200, why: "they share one subnet" };

async function main(): Promise<number> {
  const command = new Command("bench:netns")
    .description("Runs ranks on hosts that are network namespaces.")
    .argument("<command...>", "what each rank runs, after --")
    .option("--hosts <n>", "number of hosts, a rank each", upTo(HOSTS), 2)
    .option("--rate <rate>", "of a host's cable, as tc writes it: 100mbit; no limit without it")
    .option("--delay <time>", "from one host to another: 5ms", "0ms")
    .option("--pin", "a core for each host, in turn")
    .parse(Deno.args, { from: "user" });
  const { hosts, rate, delay, pin } = command.opts<
    { hosts: number; rate?: string; delay: string; pin?: boolean }
  >();
  await using network = await openHosts({ hosts, rate, delayMs: 1000 * parseShortTime(delay) });
  const { addresses, subnet, delayedBy } = network;
  say(
    `${hosts} hosts, ${rate ?? "no limit of rate"}, ${delay} from one to another, by ${delayedBy}`,
  );
  const agent = fileURLToPath(new URL("netns/agent.sh", import.meta.url));
  return await network.run([
    ...["mpirun", "--allow-run-as-root", "--bind-to", "none"],
    ...["--host", addresses.map((address) => `${address}:1`).join()],
    ...["--mca", "plm_rsh_agent", agent, "--mca", "plm_rsh_no_tree_spawn", "1"],
    ...["--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", subnet],
    ...["--mca", "oob_tcp_if_include", subnet],
    ...command.args,
  ], { cores: pin ? navigator.hardwareConcurrency : undefined });
}

await runCommand(main);
