/**
 * A run's side of its dashboard: starts the process that serves it, tells it how far the run is, and does what
 * the people who watch ask for.
 *
 * The dashboard is a process of its own: it may listen on its ports and read the run's folder, while the run itself
 * stays without any network; and whatever happens to it, the run goes on.
 *
 * @module
 */
import type { Guard } from "./guard.ts";
import type { Progress } from "../common/progress.ts";
import { type Address, hostAndPort, isLoopback, portsOf } from "../common/dashboard/address.ts";
import {
  type Command,
  messages,
  type News,
  type Reply,
  type Settings,
} from "../common/dashboard/protocol.ts";
import { ownProcess } from "../common/own_process.ts";
import { newToken } from "../common/dashboard/token.ts";

/** Longest time for the dashboard to say where it is, and to take a last message. */
const START_MS = 30_000, LAST_MS = 1000;

/** Exit status of a run that was stopped here: that of SIGINT. */
const STOPPED = 130;

/** Milliseconds between looks at what was asked while a run is paused. */
const PAUSE_MS = 50;

/** What a panel needs. */
export interface Parts {
  /** Folder of the run. */
  folder: string;
  /** What stops the run, and must rest while it is paused. */
  guard: Guard;
  /** Where the URL is said, and whose lines are passed on. */
  progress: Progress;
}

/** The dashboard of a run; without an address it does nothing. */
export class Panel {
  readonly #parts: Parts;
  #child?: Deno.ChildProcess;
  #writer?: WritableStreamDefaultWriter<Uint8Array>;
  #waiting: News[] = [];
  #writing?: Promise<void>;
  #paused = false;
  #saves = false;
  #saved?: number;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Starts the dashboard and says where it is. Trouble is a warning: the run goes on without it. */
  static async open(address: Address | undefined, parts: Parts): Promise<Panel> {
    const panel = new Panel(parts);
    if (!address) return panel;
    try {
      await panel.#start(address);
      parts.progress.mirror = (line) => panel.#tell({ line });
    } catch (error) {
      parts.progress.say(
        `warning: no dashboard: ${(error as Error).message}; the run goes on without it`,
      );
      panel.#close();
    }
    return panel;
  }

  /**
   * Tells how far the run is, and does what was asked since: saves a checkpoint, or waits until somebody lets
   * the run go on. Signals are heeded meanwhile, and the watchdog rests.
   *
   * @param save Saves the state as it is.
   * @returns Milliseconds that the run has waited.
   */
  async heed(
    { step, total, eta }: { step: number; total: number; eta: number },
    save: () => Promise<void>,
  ): Promise<number> {
    const { guard } = this.#parts;
    const tell = () =>
      this.#tell({ status: { step, total, eta, paused: this.#paused, saved: this.#saved } });
    const saves = async () => {
      if (!this.#saves) return;
      this.#saves = false;
      await save();
      this.#saved = step;
      tell();
    };
    if (!this.#writer) return 0;
    tell();
    await saves();
    if (!this.#paused) return 0;
    const since = performance.now();
    guard.rest();
    while (this.#paused && !guard.stop) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      await saves();
    }
    guard.beat();
    this.#paused = false;
    tell();
    return performance.now() - since;
  }

  /** Tells how the run ends: with an exit status, or an error, which is thrown on. */
  async until(run: Promise<number>): Promise<number> {
    try {
      const code = await run;
      await this.#end({ end: { code } });
      return code;
    } catch (error) {
      await this.#end({ end: { code: 1, error: (error as Error).message } });
      throw error;
    }
  }

  /** Takes leave of the dashboard, which ends by itself. */
  [Symbol.dispose](): void {
    this.#writer?.close().catch(() => {}); // it is gone already
    this.#writer = this.#child = this.#parts.progress.mirror = undefined;
  }

  async #start(address: Address): Promise<void> {
    const { folder, progress } = this.#parts;
    const token = newToken(Deno.env.get("HATCHLING_DASHBOARD_TOKEN"));
    const { program, args } = ownProcess({
      module: new URL("../dashboard/serve.ts", import.meta.url),
      permissions: permissionsOf(address),
      command: "serve-run",
    });
    const child = new Deno.Command(program, {
      args,
      cwd: folder,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    const settings: Settings = { ...address, token };
    this.#write(settings);
    const errors = lastLine(child.stderr).catch(() => "");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const url = await new Promise<string>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error("it did not start in time")), START_MS);
      const listen = async (): Promise<string> => {
        for await (const reply of messages<Reply>(child.stdout)) {
          if ("url" in reply) resolve(reply.url);
          else if ("error" in reply) reject(new Error(reply.error));
          else this.#take(reply.command);
        }
        const { code } = await child.status;
        return await errors || `its process ended with status ${code}`;
      };
      listen().catch((error: Error) => error.message).then((why) => {
        reject(new Error(why));
        if (this.#writer) progress.say(`warning: the dashboard is gone: ${why}; the run goes on`);
        this.#paused = false; // nobody else could let it go on
        this.#close();
      });
    }).finally(() => clearTimeout(timer));
    progress.say(`dashboard: ${url}`);
    if (!isLoopback(address.host)) {
      progress.say(
        `warning: whoever reaches ${address.host} on the network and knows that URL can stop this run; ` +
          "it is not encrypted",
      );
    }
  }

  #take(command: Command): void {
    if (command === "stop") {
      if (!this.#parts.guard.ask()) {
        this.#end({ end: { code: STOPPED } }).then(() => Deno.exit(STOPPED));
      }
    } else if (command === "checkpoint") this.#saves = true;
    else this.#paused = command === "pause";
  }

  /** Queues news; of each kind only the newest waits while the dashboard is slow. */
  #tell(news: News): void {
    if (!this.#writer) return;
    const [kind] = Object.keys(news);
    this.#waiting = [...this.#waiting.filter((other) => !(kind in other)), news];
    this.#writing ??= this.#drain().finally(() => this.#writing = undefined);
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length) await this.#write(this.#waiting.shift()!);
  }

  async #write(message: News | Settings): Promise<void> {
    try {
      await this.#writer?.write(new TextEncoder().encode(JSON.stringify(message) + "\n"));
    } catch {
      // it is gone, which is said elsewhere
    }
  }

  async #end(news: News): Promise<void> {
    this.#tell(news);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, LAST_MS));
    await Promise.race([this.#writing, late]);
    clearTimeout(timer);
  }

  #close(): void {
    this.#parts.progress.mirror = undefined;
    this.#writer = undefined;
    try {
      this.#child?.kill("SIGKILL");
    } catch {
      // it has ended
    }
    this.#child = undefined;
  }
}

/** What the dashboard's process may do: listen at its ports, and read the folder that it is started in. */
export function permissionsOf(address: Address): string[] {
  const ports = portsOf(address).map((port) => hostAndPort(address.host, port));
  return ["--no-prompt", `--allow-net=${ports}`, "--allow-read=."];
}

/** The last line that says something; what else a process has to say is dropped. */
async function lastLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text = (text + part).slice(-4096);
  }
  // deno-lint-ignore no-control-regex
  const plain = text.replace(/\x1b\[[\d;]*m/g, "");
  return plain.match(/^error: .*$/m)?.[0] ?? plain.trim().split("\n").at(-1) ?? "";
}
