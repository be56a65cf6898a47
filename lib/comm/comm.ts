/**
 * What ranks can do together, whatever carries it.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/** Arrays that can be sent: their bytes are, as they lie in memory, so all ranks need one byte order. */
export type CommData =
  | Uint8Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigUint64Array;

/** How long an operation may take. */
export interface CommLimit {
  /** Milliseconds until it rejects; that of `openComm` when it is left out. */
  readonly timeoutMs?: number;
}

/**
 * Ranks 0 to `size` − 1, each a process, that do the same operations in the same order with arrays of the same
 * lengths.
 *
 * Operations run one at a time in the order of their calls, none blocks the event loop. An array belongs to its
 * operation until that has ended: neither change it nor transfer its buffer before. An operation that takes longer
 * than its limit rejects with a `HatchlingError`; the others cannot know, so nothing works from then on but `abort`.
 *
 * @example
 * ```ts
 * import { aloneComm, type Comm } from "@hatchling/hatchling/comm";
 *
 * async function mean(comm: Comm, x: number): Promise<number> {
 *   const sum = new Float32Array([x]);
 *   await comm.allreduceSum(sum, { timeoutMs: 10_000 });
 *   return sum[0] / comm.size;
 * }
 * console.assert(await mean(aloneComm(), 3) === 3);
 * ```
 */
export interface Comm {
  /** Which of the ranks this is, from 0. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /** Which of the ranks on this machine this is, from 0: the number of its GPU, say. */
  readonly localRank: number;
  /** What carries it, "Open MPI v4.1.4" say; "" where there is one rank and no library. */
  readonly implementation: string;
  /**
   * Replaces every value by its sum over ranks. All ranks get the same bits, and the same bits each time as long as
   * lengths, the number of ranks, machines and library stay.
   *
   * @param values of the same length on all ranks, at any offset of its buffer.
   * @throws {HatchlingError} when it takes too long, the library fails, or the comm is closed or broken.
   */
  allreduceSum(values: Float32Array, limit?: CommLimit): Promise<void>;
  /**
   * Replaces the values of all ranks by those of `root`.
   *
   * @param data of the same type and length on all ranks.
   * @throws {HatchlingError} as `allreduceSum`, and when there is no rank `root`.
   */
  broadcast(data: CommData, root?: number, limit?: CommLimit): Promise<void>;
  /**
   * Sends a part of the bytes to each rank: part r goes to rank r.
   *
   * @param bytes `size` parts of one length, on all ranks the same.
   * @returns `size` parts: part r comes from rank r.
   * @throws {HatchlingError} as `allreduceSum`, and when they do not divide into so many parts.
   */
  alltoall(bytes: Uint8Array, limit?: CommLimit): Promise<Uint8Array>;
  /**
   * Brings the bytes of all ranks to all.
   *
   * @param bytes of one length, on all ranks the same.
   * @returns Those of rank 0, of rank 1, and so on.
   * @throws {HatchlingError} as `allreduceSum`.
   */
  allgather(bytes: Uint8Array, limit?: CommLimit): Promise<Uint8Array>;
  /**
   * Brings bytes of all ranks to `root`.
   *
   * @param bytes of any length, another one on every rank if need be; 2 GiB together at most.
   * @returns At `root` those of all ranks, by rank; nothing elsewhere.
   * @throws {HatchlingError} as `broadcast`, and on all ranks when it is too much.
   */
  gather(bytes: Uint8Array, root?: number, limit?: CommLimit): Promise<Uint8Array[]>;
  /** Ends when all ranks have come to it. */
  barrier(limit?: CommLimit): Promise<void>;
  /**
   * Ends this process and, under `mpirun`, all others, at once and whatever they do.
   *
   * @param status the exit status, 1 to 255.
   */
  abort(status: number): Promise<never>;
  /** Waits for all ranks to close, and lets go of the library. Closing twice is closing once. */
  close(limit?: CommLimit): Promise<void>;
}

/** The limit of operations where none is given: ranks may compile kernels for minutes before their first step. */
export const DEFAULT_TIMEOUT_MS = 600_000;

/** The longest wait that timers know, 24.8 days. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** @throws {HatchlingError} when it is no time that a timer can wait. */
export function checkTimeout(timeoutMs: number): number {
  if (timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS) return timeoutMs;
  throw new HatchlingError(
    `timeoutMs: expected milliseconds, more than 0 and ${MAX_TIMEOUT_MS} at most, but found ${timeoutMs}`,
  );
}

/** The shortest silence that says something: threads of busy machines wait for a second or two. */
const MIN_SILENCE_MS = 3000;

/** @throws {HatchlingError} when it is neither 0 nor a time in which signs of life come several times. */
export function checkSilence(silenceMs: number): number {
  if (silenceMs === 0 || silenceMs >= MIN_SILENCE_MS && silenceMs <= MAX_TIMEOUT_MS) {
    return silenceMs;
  }
  throw new HatchlingError(
    `silenceMs: expected 0 or milliseconds of ${MIN_SILENCE_MS} to ${MAX_TIMEOUT_MS} but found ${silenceMs}`,
  );
}

/** @throws {HatchlingError} when there is no such rank. */
export function checkRoot(root: number, size: number): void {
  if (Number.isInteger(root) && root >= 0 && root < size) return;
  throw new HatchlingError(`root: expected a rank of 0 to ${size - 1} but found ${root}`);
}

/** @throws {HatchlingError} when bytes do not divide into a part for every rank. */
export function checkParts({ length }: Uint8Array, size: number): void {
  if (length % size === 0) return;
  throw new HatchlingError(
    `alltoall: expected bytes in ${size} parts of one length, one for every rank, but found ${length}: fill them up`,
  );
}

/** @throws {HatchlingError} when it is no status that tells of an error. */
export function checkStatus(status: number): void {
  if (Number.isInteger(status) && status >= 1 && status <= 255) return;
  throw new HatchlingError(`Exit status of abort: expected 1 to 255 but found ${status}`);
}

/** @throws {HatchlingError} when the memory of an array may go away or move while it is used. */
export function checkData(what: string, { buffer }: CommData): void {
  if (!(buffer instanceof ArrayBuffer)) return; // shared memory stays where it is
  const why = buffer.resizable ? "resizable" : buffer.detached ? "detached" : "";
  if (!why) return;
  throw new HatchlingError(
    `${what}: expected an array with a buffer of its own size, but found a ${why} buffer: copy it with slice()`,
  );
}

/** The words for a comm that was closed before. */
export function closedError(what: string): HatchlingError {
  return new HatchlingError(
    `${what}: the comm is closed: close it after its last operation, once per process`,
  );
}
