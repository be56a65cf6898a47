/** Runs of scripts/train.ts on several ranks, as mpirun starts them. */
import { lacksMpirun } from "./mpirun.ts";
import { lacksAdapter } from "./gpu.ts";
import { lacks, testUnless, withFolder } from "./permissions.ts";
import { commandOf, flags, path, pictures, SMALL } from "./runs.ts";
import { HANG_MS } from "./hang.ts";

/** What is another on one of the ranks. */
export interface Rank {
  /** Arguments beside those of all. */
  args?: readonly string[];
  /** What is broken, as tests/support/faults.ts has it. */
  fault?: string;
}

/** Starts training on ranks of one machine; ended when they hang. */
export function startRanks(
  cwd: string,
  args: readonly string[],
  ranks: readonly Rank[],
): { child: Deno.ChildProcess; ended: Promise<{ code: number; stdout: string; stderr: string }> } {
  const config = path("configs/tiny.yaml");
  const each = ranks.flatMap(({ args: more = [], fault }, rank) => {
    const preload = fault ? [`--preload=${path("tests/support/faults.ts")}`] : [];
    const env = fault ? ["-x", `HATCHLING_TEST_FAULT=${fault}`] : [];
    const command = [Deno.execPath(), ...commandOf([...args, ...more], config, preload)];
    return [...rank ? [":"] : [], "-np", "1", ...env, ...command];
  });
  const child = new Deno.Command("mpirun", {
    args: ["--allow-run-as-root", "--oversubscribe", ...each],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(HANG_MS), // SIGTERM, which mpirun passes on
  }).spawn();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const ended = child.output().then(({ code, stdout, stderr }) => {
    return { code, stdout: text(stdout), stderr: text(stderr) };
  });
  return { child, ended };
}

/** Trains on ranks to the end. */
export const trainRanks = (...args: Parameters<typeof startRanks>) => startRanks(...args).ended;

/** So many ranks that are alike. */
export const alike = (size: number): Rank[] => Array.from({ length: size }, () => ({}));

/** A test with its own folder, pictures in `pictures/`, and settings of a small run; ignored without mpirun. */
export function ranksRunTest(
  name: string,
  fn: (folder: string, small: string[]) => Promise<void>,
): void {
  testUnless(
    [lacksAdapter, lacks("run", "read", "write", "env"), lacksMpirun()],
    name,
    () =>
      withFolder(async (folder) => {
        await fn(folder, flags({ "data.path": await pictures(folder), ...SMALL }));
      }),
  );
}
