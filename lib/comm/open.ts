/**
 * The comm of this process: alone, or with those that `mpirun` started with it.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { aloneComm } from "./alone.ts";
import {
  checkSilence,
  checkTimeout,
  type Comm,
  type CommLimit,
  DEFAULT_TIMEOUT_MS,
} from "./comm.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { START_MS } from "./heartbeat_shared.ts";
import { type Launch, LAUNCH_VARIABLES, launchOf } from "./launch.ts";
import type { MpiComm } from "./mpi.ts";

/** How to open a comm. */
export interface OpenCommOptions extends CommLimit {
  /** Milliseconds that opening, and any operation without a limit of its own, may take; 10 minutes unless given. */
  readonly timeoutMs?: number;
  /** The variables that tell of a launcher; those of the process unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * Milliseconds without a sign of life of a rank, after which another one says so and ends all; 6 s unless given,
   * 0 for never; the same on all ranks. A process that is stopped, or whose machine or network is gone, gives none;
   * one whose main thread is busy does. The job ends with status 1, and a line on standard error tells which rank was
   * lost, where and why.
   */
  readonly silenceMs?: number;
}

/** Milliseconds of waiting for ranks at the start after which it is said: nobody watches over them until all are there. */
const NOTICE_MS = 10_000;

/** Longest silence: with the two seconds that mpirun takes to end all, less than ten. */
export const SILENCE_MS = 6000;

/**
 * Opens the comm of this process, once: of all ranks under OpenMPI's `mpirun`, of one rank without it.
 *
 * Rejects without blocking when a rank never joins; the library goes on waiting in a thread of its own, so end the
 * process then (an error that nobody catches does): mpirun ends the other ranks when one ends with a status other
 * than 0.
 *
 * @throws {HatchlingError} when another launcher started the process, OpenMPI is not there, its variables make no
 * sense, permission for them (`--allow-env`) or for the library (`--allow-ffi`) is lacking, or a rank does not come
 * in time.
 *
 * @example
 * ```ts
 * import { openComm } from "@hatchling/hatchling/comm";
 *
 * const comm = await openComm({ timeoutMs: 60_000, env: {} }); // without env: the one of the process
 * await comm.barrier();
 * console.assert(comm.rank < comm.size);
 * await comm.close();
 * ```
 */
export async function openComm(options: OpenCommOptions = {}): Promise<Comm> {
  const timeoutMs = checkTimeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const silenceMs = checkSilence(options.silenceMs ?? SILENCE_MS);
  const launch = launchOf(options.env ?? readEnvironment());
  if (!launch) return aloneComm();
  const [{ loadMpi }, { chooseAlgorithm }, { startMpi }, { MpiComm }] = await Promise.all([
    import("./library.ts"),
    import("./algorithm.ts"),
    import("./start.ts"),
    import("./mpi.ts"),
  ]);
  const { mpi, implementation } = loadMpi();
  chooseAlgorithm(launch.size);
  const watched = silenceMs > 0 && launch.size > 1;
  const notice = setTimeout(() => console.warn(waitingWords(launch, timeoutMs)), NOTICE_MS);
  try {
    const threads = await startMpi(mpi, launch, timeoutMs, watched);
    const comm = new MpiComm(mpi, implementation, launch, timeoutMs);
    if (watched) await watch(comm, launch, threads, { silenceMs, timeoutMs });
    return comm;
  } finally {
    clearTimeout(notice);
  }
}

/** Which rank is missing, the library does not tell. */
function waitingWords({ rank, size }: Launch, timeoutMs: number): string {
  return `note: rank ${rank} of ${size} waits for all ranks to start, for ${
    NOTICE_MS / 1000
  } s by now and ` +
    `${
      timeoutMs / 1000
    } s at most: where no more comes, look for a rank that says nothing of the kind: its process ` +
    "is stopped, or its machine is slow to start it";
}

/** Watches over all ranks, where all of them can. */
async function watch(
  comm: MpiComm,
  launch: Launch,
  threads: boolean,
  { silenceMs, timeoutMs }: { silenceMs: number; timeoutMs: number },
): Promise<void> {
  let heartbeat: Heartbeat | undefined, why = "";
  try {
    if (!threads) throw new Error("this OpenMPI cannot be called by two threads at once");
    heartbeat = await (await import("./heartbeat.ts")).Heartbeat.start(launch, silenceMs);
  } catch (error) {
    why = (error as Error).message;
  }
  // All have joined: the others start a worker as well, which takes no longer than its limit.
  const limit = { timeoutMs: Math.min(timeoutMs, 2 * START_MS) };
  const told = await comm.gather(new TextEncoder().encode(why), 0, limit);
  const reasons = told.map((bytes) => new TextDecoder().decode(bytes));
  const unable = new Int32Array([reasons.findIndex((reason) => reason)]);
  await comm.broadcast(unable, 0, limit);
  if (heartbeat && unable[0] < 0) return await comm.watch(heartbeat, limit.timeoutMs);
  heartbeat?.stop();
  if (launch.rank > 0) return;
  console.warn(
    `warning: Expected signs of life of all ranks but rank ${unable[0]} cannot give any: ${
      shown(reasons[unable[0]])
    }; a rank that stops is noticed only once an operation takes longer than timeoutMs`,
  );
}

/** Not knowing is no reason to go on alone: ranks would each train the same. */
function readEnvironment(): Record<string, string | undefined> {
  try {
    return Object.fromEntries(
      LAUNCH_VARIABLES.map((name) => [name, Deno.env.get(name)]),
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new HatchlingError(
      "openComm: expected the permission to see whether mpirun started this process but found none: start Deno with " +
        `--allow-env=${LAUNCH_VARIABLES.join()}, or take aloneComm()`,
    );
  }
}
