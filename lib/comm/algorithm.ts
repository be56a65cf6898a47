/**
 * How OpenMPI adds up over ranks.
 *
 * Sums in place, which save a copy, are added up at rank 0 and told from there by its own choice (a binomial tree:
 * ompi/mca/coll/libnbc/nbc_iallreduce.c of 4.1 and 5.0): 2 ⌈log₂ N⌉ times the bytes, one after the other, where
 * 2 (N − 1) / N times is the least (Patarasuk and Yuan, J. Parallel Distrib. Comput. 69, 2009). Two others reach that:
 * halving and doubling, in 2 log₂ N messages where N is a power of two (Rabenseifner; Thakur, Rabenseifner and Gropp,
 * Int. J. High Perform. Comput. Appl. 19, 2005), and the ring, in 2 (N − 1). Sums of 4 MiB by 2, 3 and 4 hosts on
 * 200 Mbit/s took 345 to 363, 710 and 900 to 915 ms by the tree; 181 to 188 and 326 to 348 ms by halving (2 and 4
 * hosts), 290 and 296 ms by the ring (3 hosts; bench/netns.ts with bench/ranks/sums.ts). In all of them each number is
 * added up in one place and told from there, so all ranks get its bits.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/** The variable that OpenMPI reads when it starts; that of `mpirun --mca coll_libnbc_iallreduce_algorithm`. */
export const ALGORITHM_VARIABLE = "OMPI_MCA_coll_libnbc_iallreduce_algorithm";

/** Numbers that OpenMPI gives them. */
const NUMBERS = { ring: "1", halving: "3" } as const;

/** Ranks beyond which a ring's messages take longer than what halving sends twice, for 4 MiB at 10 Gbit/s and 50 µs. */
const LONG_RING = 64;

/**
 * What suits a number of ranks. Halving needs twice the bytes where that is no power of two.
 *
 * @example
 * ```ts
 * import { algorithmFor } from "./algorithm.ts";
 *
 * console.assert(algorithmFor(8) === "halving" && algorithmFor(6) === "ring");
 * ```
 */
export function algorithmFor(size: number): keyof typeof NUMBERS {
  return Number.isInteger(Math.log2(size)) || size > LONG_RING ? "halving" : "ring";
}

/**
 * Tells the library before it starts, unless somebody chose another one.
 *
 * @throws {HatchlingError} without the permission to: the ranks of a run may not differ in it.
 */
export function chooseAlgorithm(size: number): void {
  try {
    if (Deno.env.get(ALGORITHM_VARIABLE) !== undefined) return;
    Deno.env.set(ALGORITHM_VARIABLE, NUMBERS[algorithmFor(size)]);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new HatchlingError(
      `openComm: expected the permission to tell OpenMPI how to add up but found none: start Deno with --allow-env=${ALGORITHM_VARIABLE} ` +
        "as well",
    );
  }
}
