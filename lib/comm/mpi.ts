/**
 * A comm of the ranks that `mpirun` started, over OpenMPI.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import {
  checkData,
  checkParts,
  checkRoot,
  checkStatus,
  checkTimeout,
  closedError,
  type Comm,
  type CommData,
  type CommLimit,
} from "./comm.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { Launch } from "./launch.ts";
import type { Mpi } from "./library.ts";
import { check } from "./start.ts";
import { poll, timeoutError, within } from "./wait.ts";

/**
 * Bytes of one request. Sums of 88 MB by 2 and by 3 ranks, in place, took 119 and 165 ms in pieces of 4 MiB, 153 and
 * 350 ms in those of 1 MiB, 764 and 666 ms at once: the library gets as much scratch memory anew each time. Several
 * pieces under way at a time are no faster than all at once. It adds up within one call of MPI_Test, which keeps the
 * event loop for milliseconds with a piece and for 0.2 s with all. Borders depend on the length alone: so do the sums.
 */
export const PIECE_BYTES = 4 * 2 ** 20;

/** Milliseconds that the library has to end all processes, before this one ends by itself. */
const ABORT_MS = 5000;

/** Starts a request, whose handle goes to `request`; the library's answer. */
type Begin = (request: BigUint64Array<ArrayBuffer>) => number;

/** Waits for a request that uses some arrays. */
type Wait = (begin: Begin, arrays: readonly CommData[]) => Promise<void>;

/** Arrays of requests that may still be written to: nothing else may know of them, and they must stay. */
const held = new Set<readonly unknown[]>();

/** See `Comm`; `openComm` makes it. */
export class MpiComm implements Comm {
  readonly rank: number;
  readonly size: number;
  readonly localRank: number;
  readonly implementation: string;
  readonly #mpi: Mpi;
  readonly #timeoutMs: number;
  /** Instead of an array to send: send the one to receive. MPI_IN_PLACE, which stands for no address. */
  readonly #inPlace = Deno.UnsafePointer.create(1n);
  /** The last operation that was asked for. Ranks must start requests in one order, so each waits for the one before. */
  #last: Promise<unknown> = Promise.resolve();
  /** What ended all others. */
  #broken: string | undefined;
  #closing: Promise<void> | undefined;
  #heartbeat: Heartbeat | undefined;

  constructor(mpi: Mpi, implementation: string, launch: Launch, timeoutMs: number) {
    this.#mpi = mpi;
    this.implementation = implementation;
    ({ rank: this.rank, size: this.size, localRank: this.localRank } = launch);
    this.#timeoutMs = timeoutMs;
  }

  allreduceSum(values: Float32Array, limit: CommLimit = {}): Promise<void> {
    return this.#operation("allreduceSum", limit, async (wait) => {
      const { ompi_mpi_float, ompi_mpi_op_sum, ompi_mpi_comm_world } = this.#mpi;
      for (const piece of pieces(values)) {
        await wait((request) =>
          this.#mpi.MPI_Iallreduce(
            this.#inPlace,
            pointer(piece),
            piece.length,
            ompi_mpi_float,
            ompi_mpi_op_sum,
            ompi_mpi_comm_world,
            request,
          ), [piece]);
      }
    }, () => checkData("allreduceSum", values));
  }

  broadcast(data: CommData, root = 0, limit: CommLimit = {}): Promise<void> {
    return this.#operation("broadcast", limit, async (wait) => {
      const { ompi_mpi_byte, ompi_mpi_comm_world } = this.#mpi;
      for (const piece of pieces(bytesOf(data))) {
        await wait((request) =>
          this.#mpi.MPI_Ibcast(
            pointer(piece),
            piece.length,
            ompi_mpi_byte,
            root,
            ompi_mpi_comm_world,
            request,
          ), [piece]);
      }
    }, () => {
      checkRoot(root, this.size);
      checkData("broadcast", data);
    });
  }

  alltoall(bytes: Uint8Array, limit: CommLimit = {}): Promise<Uint8Array> {
    return this.#operation("alltoall", limit, async (wait) => {
      const { ompi_mpi_byte: type, ompi_mpi_comm_world: world } = this.#mpi;
      const all = new Uint8Array(bytes.length), each = bytes.length / this.size;
      await wait((request) =>
        this.#mpi.MPI_Ialltoall(
          ...[pointer(bytes), each, type, pointer(all), each, type] as const,
          ...[world, request] as const,
        ), [bytes, all]);
      return all;
    }, () => {
      checkParts(bytes, this.size);
      checkData("alltoall", bytes);
    });
  }

  allgather(bytes: Uint8Array, limit: CommLimit = {}): Promise<Uint8Array> {
    return this.#operation("allgather", limit, async (wait) => {
      const all = new Uint8Array(this.size * bytes.length);
      await this.#allgather(wait, bytes, all);
      return all;
    }, () => checkData("allgather", bytes));
  }

  gather(bytes: Uint8Array, root = 0, limit: CommLimit = {}): Promise<Uint8Array[]> {
    return this.#operation("gather", limit, async (wait) => {
      const { ompi_mpi_byte: type, ompi_mpi_comm_world: world } = this.#mpi;
      // All ranks get the lengths, so that all refuse what is too much.
      const own = new Float64Array([bytes.length]), lengths = new Float64Array(this.size);
      await this.#allgather(wait, own, lengths);
      const counts = Int32Array.from(lengths), starts = new Int32Array(this.size);
      const total = lengths.reduce((sum, length) => sum + length, 0);
      if (total >= 2 ** 31) {
        throw new HatchlingError(
          `gather: expected less than 2 GiB of all ranks together but found ${total} bytes: gather in parts`,
        );
      }
      for (let i = 1; i < this.size; i++) starts[i] = starts[i - 1] + counts[i - 1];
      const all = new Uint8Array(this.rank === root ? total : 0);
      await wait((request) =>
        this.#mpi.MPI_Igatherv(
          ...[pointer(bytes), bytes.length, type] as const,
          ...[pointer(all), pointer(counts), pointer(starts), type] as const,
          ...[root, world, request] as const,
        ), [bytes, all, counts, starts]);
      if (this.rank !== root) return [];
      return [...counts].map((count, i) => all.slice(starts[i], starts[i] + count));
    }, () => {
      checkRoot(root, this.size);
      checkData("gather", bytes);
    });
  }

  barrier(limit: CommLimit = {}): Promise<void> {
    return this.#operation("barrier", limit, (wait) => wait(this.#barrier(), []));
  }

  async abort(status: number): Promise<never> {
    checkStatus(status);
    // Whatever polls stops: the library is asked for one thing at a time.
    this.#broken = "abort was called";
    this.#heartbeat?.quieten();
    const { MPI_Abort, ompi_mpi_comm_world } = this.#mpi;
    // The library ends this process within the call, unless it hangs. Without it the exit status tells mpirun.
    if (!this.#closing) {
      await within(MPI_Abort(ompi_mpi_comm_world, status), "abort", ABORT_MS).catch(() => {});
    }
    Deno.exit(status);
  }

  close(limit: CommLimit = {}): Promise<void> {
    return this.#closing ??= this.#queued(async () => {
      const timeoutMs = this.#limit("close", limit), deadline = performance.now() + timeoutMs;
      await this.#breaking(async () => {
        // All ranks are watched until the last has come.
        if (this.#heartbeat) {
          const begin = this.#barrier();
          await this.#request("close", begin, [], deadline, timeoutMs);
          await this.#heartbeat.end(deadline - performance.now());
        }
        const left = deadline - performance.now();
        check(this.#mpi, "close", await within(this.#mpi.MPI_Finalize(), "close", left));
      });
    });
  }

  /** Has a heartbeat end all ranks when one is lost, from now on until all close. */
  async watch(heartbeat: Heartbeat, timeoutMs: number): Promise<void> {
    this.#heartbeat = heartbeat;
    await heartbeat.go(timeoutMs);
  }

  #barrier(): Begin {
    return (request) => this.#mpi.MPI_Ibarrier(this.#mpi.ompi_mpi_comm_world, request);
  }

  /** Milliseconds for an operation, or why there can be none. */
  #limit(what: string, { timeoutMs = this.#timeoutMs }: CommLimit): number {
    if (!this.#broken) return checkTimeout(timeoutMs);
    throw new HatchlingError(
      `${what}: the ranks are no longer in step since this: ${this.#broken}: abort, and start all of them again`,
    );
  }

  /** Runs requests one after another, within one limit, when the operations before have ended. */
  async #operation<T>(
    what: string,
    limit: CommLimit,
    run: (wait: Wait) => Promise<T>,
    verify?: () => void,
  ): Promise<T> {
    if (this.#closing) throw closedError(what);
    verify?.();
    this.#limit(what, limit);
    return await this.#queued(() => {
      const timeoutMs = this.#limit(what, limit), deadline = performance.now() + timeoutMs;
      return this.#breaking(() =>
        run((begin, arrays) => this.#request(what, begin, arrays, deadline, timeoutMs))
      );
    });
  }

  #allgather(wait: Wait, own: CommData, all: CommData): Promise<void> {
    const { ompi_mpi_byte: type, ompi_mpi_comm_world: world } = this.#mpi;
    return wait((request) =>
      this.#mpi.MPI_Iallgather(
        ...[pointer(own), own.byteLength, type] as const,
        ...[pointer(all), own.byteLength, type, world, request] as const,
      ), [own, all]);
  }

  #queued<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(run, run);
    this.#last = mine;
    return mine;
  }

  /** What fails half-way fails for good: nobody knows which request the other ranks are at. */
  async #breaking<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      this.#broken ??= (error as Error).message;
      throw error;
    }
  }

  async #request(
    what: string,
    begin: Begin,
    arrays: readonly CommData[],
    deadline: number,
    timeoutMs: number,
  ): Promise<void> {
    const request = new BigUint64Array(1), flag = new Int32Array(1);
    const hold = [...arrays, request, flag];
    held.add(hold);
    check(this.#mpi, what, begin(request));
    const ended = await poll(() => {
      // After an abort the library is left alone, and the process ends soon.
      if (this.#broken) return true;
      check(this.#mpi, what, this.#mpi.MPI_Test(request, flag, null));
      return flag[0] !== 0;
    }, deadline);
    // Not after a failure or in vain: a message that comes late is still written to its array.
    if (!ended) throw timeoutError(`${what} on rank ${this.rank} of ${this.size}`, timeoutMs);
    this.#limit(what, {});
    held.delete(hold);
  }
}

/** What stands for an empty array, which has no address; the library refuses that of nothing. */
const nothing = new Uint8Array(1);

/** The address of an array's first byte. Taking it moves small arrays out of the heap, where they would be moved. */
function pointer(array: CommData): Deno.PointerValue {
  return Deno.UnsafePointer.of((array.byteLength ? array : nothing) as BufferSource);
}

function bytesOf({ buffer, byteOffset, byteLength }: CommData): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Views of an array, of at most PIECE_BYTES. */
function* pieces<T extends Float32Array | Uint8Array>(array: T): Generator<T> {
  const step = PIECE_BYTES / array.BYTES_PER_ELEMENT;
  for (let i = 0; i < array.length; i += step) yield array.subarray(i, i + step) as T;
}
