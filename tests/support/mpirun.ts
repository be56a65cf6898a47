/** Programs under OpenMPI's mpirun, each with a bound. */
import { lacks, testUnless } from "./permissions.ts";
import { HANG_MS } from "./hang.ts";

/** Why there can be no ranks here; "" when there can. */
export function lacksMpirun(): string {
  const reason = lacks("read", "run");
  if (reason) return reason;
  try {
    const { stdout } = new Deno.Command("mpirun", { args: ["--version"], stderr: "null" })
      .outputSync();
    return new TextDecoder().decode(stdout).includes("Open MPI") ? "" : "mpirun is not OpenMPI's";
  } catch {
    return "needs mpirun of OpenMPI";
  }
}

/** A test that is ignored where mpirun is missing. */
export function ranksTest(name: string, fn: () => Promise<void>): void {
  testUnless([lacksMpirun()], name, fn);
}

/** What mpirun has left. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** A job that runs. */
export interface Job {
  /** Process of mpirun itself. */
  readonly pid: number;
  /** What was printed so far. */
  readonly text: { stdout: string; stderr: string };
  /** Waits until something was printed on standard output. */
  printed(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Waits for its end. */
  readonly ended: Promise<Ended>;
}

/**
 * Starts ranks of a program.
 *
 * @param args what mpirun starts: Deno's permissions, the program and its arguments.
 * @param env what is set beside the environment of this process.
 * @param limitMs after which mpirun gets SIGTERM, and all ranks with it.
 */
export function startRanks(
  size: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  limitMs = HANG_MS,
): Job {
  const child = new Deno.Command("mpirun", {
    args: [
      ...["--allow-run-as-root", "--oversubscribe", "-np", String(size)],
      ...[Deno.execPath(), "run", "--no-prompt", "--no-check", ...args],
    ],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(limitMs),
  }).spawn();
  const text = { stdout: "", stderr: "" };
  const wake: (() => void)[] = [];
  const read = async (name: "stdout" | "stderr") => {
    for await (const part of child[name].pipeThrough(new TextDecoderStream())) {
      text[name] += part;
      wake.splice(0).forEach((go) => go());
    }
  };
  const ended = Promise.all([child.status, read("stdout"), read("stderr")])
    .then(([{ code }]) => ({ code, ...text }));
  return {
    pid: child.pid,
    text,
    ended,
    async printed(pattern) {
      for (;;) {
        const found = text.stdout.match(pattern);
        if (found) return found;
        const more = new Promise<void>((resolve) => wake.push(resolve));
        const last = await Promise.race([more, ended]);
        if (last) throw new Error(`${pattern} was not printed: ${last.stdout}${last.stderr}`);
      }
    },
  };
}

/** Waits for processes to end, those that nobody has buried among them. */
export async function gone(pids: readonly number[], limitMs = 30_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  for (let left = pids.filter(lives); left.length; left = left.filter(lives)) {
    if (performance.now() > deadline) throw new Error(`Processes live on: ${left}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function lives(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat[stat.lastIndexOf(")") + 2] !== "Z";
  } catch {
    return false;
  }
}
