/**
 * What the environment tells of who started this process, and as which rank.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";

/** The place of a process among those that `mpirun` started. */
export interface Launch {
  readonly rank: number;
  readonly size: number;
  /** Among the ranks of this machine. */
  readonly localRank: number;
}

/** The variables that are looked at, and no others: so permission for these will do. */
export const LAUNCH_VARIABLES = [
  "OMPI_COMM_WORLD_RANK",
  "OMPI_COMM_WORLD_SIZE",
  "OMPI_COMM_WORLD_LOCAL_RANK",
  "PMIX_RANK",
  "PMI_RANK",
] as const;

/**
 * The place that OpenMPI's `mpirun` gave this process.
 *
 * @returns undefined where no launcher is seen: a process by itself.
 * @throws {HatchlingError} when another launcher started it, or its variables are not what `mpirun` sets. Going on
 * as one rank would train the same model several times, each to the same files.
 *
 * @example
 * ```ts
 * import { launchOf } from "./launch.ts";
 *
 * const OMPI_COMM_WORLD_RANK = "2", OMPI_COMM_WORLD_SIZE = "3", OMPI_COMM_WORLD_LOCAL_RANK = "0";
 * const env = { OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE, OMPI_COMM_WORLD_LOCAL_RANK };
 * console.assert(launchOf(env)?.rank === 2 && launchOf({}) === undefined);
 * ```
 */
export function launchOf(env: Readonly<Record<string, string | undefined>>): Launch | undefined {
  if (!LAUNCH_VARIABLES.some((name) => name.startsWith("OMPI_") && env[name] !== undefined)) {
    // mpirun sets PMIX_RANK as well.
    const other = (["PMIX_RANK", "PMI_RANK"] as const).find((name) => env[name] !== undefined);
    if (!other) return;
    throw new HatchlingError(
      `Environment: expected the variables of OpenMPI's mpirun (OMPI_COMM_WORLD_RANK) but found ${other}=${
        shown(env[other]!)
      } alone, which another launcher sets (srun, or the mpiexec of MPICH or Intel MPI): start it with the mpirun ` +
        `of OpenMPI, or unset ${other} for one process by itself`,
    );
  }
  const size = whole(env, "OMPI_COMM_WORLD_SIZE", 1, 2 ** 31 - 1);
  const rank = whole(env, "OMPI_COMM_WORLD_RANK", 0, size - 1);
  return { rank, size, localRank: whole(env, "OMPI_COMM_WORLD_LOCAL_RANK", 0, size - 1) };
}

function whole(
  env: Readonly<Record<string, string | undefined>>,
  name: typeof LAUNCH_VARIABLES[number],
  least: number,
  most: number,
): number {
  const text = env[name];
  const value = /^\d+$/.test(text ?? "") ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  const found = text === undefined ? "none" : `"${shown(text)}"`;
  throw new HatchlingError(
    `Environment, ${name}: expected a whole number of ${least} to ${most} but found ${found}: start it with the ` +
      "mpirun of OpenMPI, which sets it, or unset all OMPI_COMM_WORLD_* for one process by itself",
  );
}
