/**
 * Hosts that are network namespaces of this machine, cabled to a switch; root and iproute2 are needed.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { HatchlingError } from "../../lib/errors.ts";

/** What the cables are. */
export interface Network {
  /** Number of hosts, up to 200. */
  hosts: number;
  /** What a cable carries each way, as tc writes it: "100mbit"; no limit without it. */
  rate?: string;
  /** Milliseconds from one host to another. */
  delayMs: number;
}

const SUBNET = "10.213.0.";
/** Longest that a packet waits for the rate before it is dropped. */
const QUEUE = "50ms";

/** Congestion control as Linux has it by itself, whatever this machine was told; a namespace may not choose its own. */
const CONGESTION = "cubic";

/** Runs a program. @returns what it said; undefined when it failed. */
function tried(program: string, ...args: string[]): { ok: boolean; said: string } {
  try {
    const { success, stdout, stderr } = new Deno.Command(program, { args }).outputSync();
    const said = new TextDecoder().decode(success ? stdout : stderr).trim();
    return { ok: success, said };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { ok: false, said: `${program} is not there: apt-get install iproute2` };
  }
}

function ip(...args: string[]): void {
  const { ok, said } = tried("ip", ...args);
  if (ok) return;
  throw new HatchlingError(`Expected \`ip ${args.join(" ")}\` to work but it said: ${said}`);
}

/** Whether the kernel can delay packets by itself, tried in a namespace. */
function hasNetem(namespace: string): boolean {
  const at = ["netns", "exec", namespace, "tc", "qdisc"];
  if (!tried("ip", ...at, "add", "dev", "lo", "root", "netem", "delay", "1ms").ok) return false;
  return tried("ip", ...at, "del", "dev", "lo", "root").ok;
}

/** Namespaces, until they are closed. */
export class Hosts {
  /** Addresses, one a host. */
  readonly addresses: readonly string[];
  /** The subnet of all of them. */
  readonly subnet = `${SUBNET}0/24`;
  /** What a host's name is made of, before its address. */
  readonly prefix = `hatchling-${Deno.pid}-`;
  /** What delays packets. */
  delayedBy: "nothing" | "netem" | "a process" = "nothing";
  readonly #network: Network;
  readonly #switch = `${this.prefix}switch`;
  readonly #made: string[] = [];
  #cables?: Deno.ChildProcess;

  /** Use {@linkcode openHosts}. */
  constructor(network: Network) {
    this.#network = network;
    this.addresses = Array.from({ length: network.hosts }, (_, i) => `${SUBNET}${i + 1}`);
  }

  /** Makes them. */
  async open(): Promise<void> {
    const { rate, delayMs } = this.#network;
    for (const name of [this.#switch, ...this.addresses.map((at) => this.prefix + at)]) {
      ip("netns", "add", name);
      this.#made.push(name);
      ip("-n", name, "link", "set", "lo", "up");
    }
    ip("-n", this.#switch, "link", "add", "switch", "type", "bridge");
    ip("-n", this.#switch, "link", "set", "switch", "up");
    if (delayMs > 0) this.delayedBy = hasNetem(this.#switch) ? "netem" : "a process";
    const ports = this.addresses.map((_, i) => `port${i + 1}`);
    if (this.delayedBy === "a process") await this.#startCables(ports);
    for (const [i, port] of ports.entries()) {
      const host = this.prefix + this.addresses[i];
      if (!this.#cables) {
        ip("-n", this.#switch, "link", "add", port, "type", "veth", "peer", "name", `${port}-far`);
      }
      ip("-n", this.#switch, "link", "set", `${port}-far`, "netns", host, "name", "eth0");
      ip("-n", this.#switch, "link", "set", port, "master", "switch", "up");
      ip("-n", host, "address", "add", `${this.addresses[i]}/24`, "dev", "eth0");
      ip("-n", host, "link", "set", "eth0", "up");
      const route = [`${SUBNET}0/24`, "dev", "eth0", "src", this.addresses[i]];
      ip("-n", host, "route", "replace", ...route, "congctl", CONGESTION);
      if (rate) {
        for (const [at, dev] of [[host, "eth0"], [this.#switch, port]]) shape(at, dev, rate);
      }
      if (this.delayedBy === "netem") {
        const parent = rate ? ["parent", "1:1"] : ["root"];
        const netem = ["netem", "delay", `${delayMs}ms`, "limit", "10000"];
        ip("netns", "exec", host, "tc", "qdisc", "add", "dev", "eth0", ...parent, ...netem);
      }
    }
  }

  async #startCables(ports: readonly string[]): Promise<void> {
    const script = fileURLToPath(new URL("cable.ts", import.meta.url));
    const run = [Deno.execPath(), "run", "--quiet", "--no-prompt", "--allow-ffi", script];
    this.#cables = new Deno.Command("ip", {
      args: ["netns", "exec", this.#switch, ...run, String(this.#network.delayMs), ...ports],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const { value } = await this.#cables.stdout.getReader().read();
    if (value) return;
    throw new HatchlingError("Expected cables with a delay but their process ended: see above");
  }

  /** Runs a program on the first host, with the names that agent.sh needs. @returns its status. */
  async run(args: readonly string[], { cores }: { cores?: number } = {}): Promise<number> {
    const agent = fileURLToPath(new URL("agent.sh", import.meta.url));
    const child = new Deno.Command(agent, {
      // Without exec a signal would end the shell alone.
      args: [this.addresses[0], `exec ${args.map(quoted).join(" ")}`],
      env: { NETNS_PREFIX: this.prefix, ...cores ? { NETNS_CORES: `${cores}` } : {} },
      stdin: "null",
    }).spawn();
    const stop = () => child.kill("SIGTERM");
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
    for (const signal of signals) Deno.addSignalListener(signal, stop);
    try {
      return (await child.status).code;
    } finally {
      for (const signal of signals) Deno.removeSignalListener(signal, stop);
    }
  }

  /** Takes all of it away; devices go with their namespaces. */
  async close(): Promise<void> {
    if (this.#cables) {
      await this.#cables.stdin.close();
      await this.#cables.status;
    }
    for (const name of this.#made) tried("ip", "netns", "delete", name);
  }

  /** Support for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** Lets so much through and no more; what waits for longer is dropped. */
function shape(namespace: string, device: string, rate: string): void {
  const tbf = ["tbf", "rate", rate, "burst", "32kb", "latency", QUEUE];
  const root = ["root", "handle", "1:", ...tbf];
  ip("netns", "exec", namespace, "tc", "qdisc", "add", "dev", device, ...root);
}

/**
 * Makes hosts.
 *
 * @throws {HatchlingError} When it is no Linux, not root, or something is not there.
 */
export async function openHosts(network: Network): Promise<Hosts> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) {
    throw new HatchlingError(
      `Expected root on Linux, as hosts are network namespaces, but found user ${Deno.uid()} on ` +
        `${Deno.build.os}: run it with sudo, or in a container with --privileged`,
    );
  }
  const hosts = new Hosts(network);
  try {
    await hosts.open();
    return hosts;
  } catch (error) {
    await hosts.close();
    throw error;
  }
}
