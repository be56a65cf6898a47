/**
 * Starting OpenMPI, and what its functions answer.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import type { Launch } from "./launch.ts";
import type { Mpi } from "./library.ts";
import { within } from "./wait.ts";

/**
 * Levels of threads: several call the library, never two at once (the event loop, and those that start and end it); or
 * two at once as well (a heartbeat and the event loop).
 */
const MPI_THREAD_SERIALIZED = 2, MPI_THREAD_MULTIPLE = 3;

/** Space for the text of an error, MPI_MAX_ERROR_STRING. */
const ERROR_BYTES = 256;

/** What the library writes to while it starts, which it may do after nobody waits for it any more. */
const provided = new Int32Array(1);

/** @throws {HatchlingError} when the library answered with an error; in its words. */
export function check(mpi: Mpi, what: string, code: number): void {
  if (code === 0) return;
  const text = new Uint8Array(ERROR_BYTES), length = new Int32Array(1);
  mpi.MPI_Error_string(code, text, length);
  const words = new TextDecoder().decode(text.subarray(0, length[0]));
  throw new HatchlingError(
    `${what}: expected success but OpenMPI found: ${
      shown(words)
    } (${code}): see what mpirun printed; lengths and ` +
      "operations must be the same on all ranks",
  );
}

/**
 * Starts the library and waits for all ranks to do so.
 *
 * @param twoThreads whether two threads want to call it at once.
 * @returns Whether they may.
 * @throws {HatchlingError} when it was started before, takes too long, cannot be called from several threads, or
 * belongs to another launcher than the environment tells of.
 */
export async function startMpi(
  mpi: Mpi,
  launch: Launch,
  timeoutMs: number,
  twoThreads: boolean,
): Promise<boolean> {
  const flag = new Int32Array(1);
  mpi.MPI_Initialized(flag);
  if (flag[0]) {
    throw new HatchlingError(
      "openComm: expected a process in which MPI has not started but found that it has: open one comm, and pass it on",
    );
  }
  const init = mpi.MPI_Init_thread(
    null,
    null,
    twoThreads ? MPI_THREAD_MULTIPLE : MPI_THREAD_SERIALIZED,
    Deno.UnsafePointer.of(provided),
  );
  check(mpi, "openComm", await within(init, "openComm", timeoutMs));
  if (provided[0] < MPI_THREAD_SERIALIZED) {
    throw new HatchlingError(
      `openComm: expected an OpenMPI that several threads may call (MPI_THREAD_SERIALIZED, ${MPI_THREAD_SERIALIZED}) ` +
        `but found level ${provided[0]}: install one that is built with threads`,
    );
  }
  // Else the library ends the process by itself, without a word from us.
  check(
    mpi,
    "openComm",
    mpi.MPI_Comm_set_errhandler(mpi.ompi_mpi_comm_world, mpi.ompi_mpi_errors_return),
  );
  const rank = new Int32Array(1), size = new Int32Array(1);
  check(mpi, "openComm", mpi.MPI_Comm_rank(mpi.ompi_mpi_comm_world, rank));
  check(mpi, "openComm", mpi.MPI_Comm_size(mpi.ompi_mpi_comm_world, size));
  if (rank[0] !== launch.rank || size[0] !== launch.size) {
    throw new HatchlingError(
      `openComm: expected rank ${launch.rank} of ${launch.size}, as mpirun says, but the library found rank ` +
        `${rank[0]} of ${size[0]}: start with the mpirun that belongs to the library`,
    );
  }
  return provided[0] >= MPI_THREAD_MULTIPLE;
}
