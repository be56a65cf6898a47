/**
 * Several processes as one: ranks that add up numbers, through OpenMPI where `mpirun` started them, and one rank
 * that needs no library where it did not.
 *
 * Importing it needs no permission. `openComm` reads the environment (`--allow-env`) and, under `mpirun`, loads
 * OpenMPI (`--allow-ffi`) and the module of a worker that watches over the ranks (`--allow-read`, or what importing it
 * needs; without it there is a warning, and no watch); `aloneComm` needs none of them.
 *
 * @example The mean of a gradient over all ranks
 * ```ts
 * import { aloneComm } from "@hatchling/hatchling/comm";
 *
 * const comm = aloneComm(); // `await openComm()` in a program that mpirun may have started
 * const gradient = new Float32Array([1, 2, 3]);
 * await comm.allreduceSum(gradient);
 * const mean = gradient.map((sum) => sum / comm.size);
 * await comm.close();
 * console.assert(mean.join() === "1,2,3");
 * ```
 *
 * @module
 */
export { aloneComm } from "./comm/alone.ts";
export type { Comm, CommData, CommLimit } from "./comm/comm.ts";
export { openComm, type OpenCommOptions } from "./comm/open.ts";
