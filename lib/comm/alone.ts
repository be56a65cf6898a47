/**
 * A comm of one rank: every sum is its only term.
 *
 * @module
 */
import {
  checkData,
  checkRoot,
  checkStatus,
  checkTimeout,
  closedError,
  type Comm,
  type CommData,
  type CommLimit,
} from "./comm.ts";

class AloneComm implements Comm {
  readonly rank = 0;
  readonly size = 1;
  readonly localRank = 0;
  readonly implementation = "";
  #closed = false;

  // deno-lint-ignore require-await -- what is wrong rejects, as with several ranks
  async #check(what: string, { timeoutMs = 1 }: CommLimit, data?: CommData, root = 0) {
    checkTimeout(timeoutMs);
    if (this.#closed) throw closedError(what);
    checkRoot(root, 1);
    if (data) checkData(what, data);
  }

  allreduceSum(values: Float32Array, limit: CommLimit = {}): Promise<void> {
    return this.#check("allreduceSum", limit, values);
  }

  broadcast(data: CommData, root = 0, limit: CommLimit = {}): Promise<void> {
    return this.#check("broadcast", limit, data, root);
  }

  async alltoall(bytes: Uint8Array, limit: CommLimit = {}): Promise<Uint8Array> {
    await this.#check("alltoall", limit, bytes);
    return bytes.slice();
  }

  async allgather(bytes: Uint8Array, limit: CommLimit = {}): Promise<Uint8Array> {
    await this.#check("allgather", limit, bytes);
    return bytes.slice();
  }

  async gather(bytes: Uint8Array, root = 0, limit: CommLimit = {}): Promise<Uint8Array[]> {
    await this.#check("gather", limit, bytes, root);
    return [bytes.slice()];
  }

  barrier(limit: CommLimit = {}): Promise<void> {
    return this.#check("barrier", limit);
  }

  // deno-lint-ignore require-await -- as above
  async abort(status: number): Promise<never> {
    checkStatus(status);
    Deno.exit(status);
  }

  // deno-lint-ignore require-await -- as above
  async close({ timeoutMs = 1 }: CommLimit = {}): Promise<void> {
    checkTimeout(timeoutMs);
    this.#closed = true;
  }
}

/**
 * A comm of one rank, which needs no library, no launcher and no permission.
 *
 * @example
 * ```ts
 * import { aloneComm } from "@hatchling/hatchling/comm";
 *
 * const comm = aloneComm();
 * const [bytes] = await comm.gather(new TextEncoder().encode("me"));
 * console.assert(comm.size === 1 && new TextDecoder().decode(bytes) === "me");
 * ```
 */
export function aloneComm(): Comm {
  return new AloneComm();
}
