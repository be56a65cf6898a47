/**
 * The comm of this process: alone, or with those that `mpirun` started with it.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { aloneComm } from "./alone.ts";
import { checkTimeout, type Comm, type CommLimit, DEFAULT_TIMEOUT_MS } from "./comm.ts";
import { LAUNCH_VARIABLES, launchOf } from "./launch.ts";

/** How to open a comm. */
export interface OpenCommOptions extends CommLimit {
  /** Milliseconds that opening, and any operation without a limit of its own, may take; 10 minutes unless given. */
  readonly timeoutMs?: number;
  /** The variables that tell of a launcher; those of the process unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

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
  await startMpi(mpi, launch, timeoutMs);
  return new MpiComm(mpi, implementation, launch, timeoutMs);
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
