/**
 * Work that ranks do each for itself, and that counts only when it succeeds everywhere.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shownLines } from "../text.ts";
import type { Comm } from "./comm.ts";

/** Most bytes of a message that are told. */
const LONGEST = 2000;

/**
 * Numbers of all ranks, on all ranks.
 *
 * @param values as many on all ranks.
 * @returns Those of every rank, by rank.
 * @throws {HatchlingError} as `Comm.allgather`.
 *
 * @example
 * ```ts
 * import { aloneComm } from "../comm.ts";
 * import { numbersOfAll } from "./all_or_none.ts";
 *
 * const [own] = await numbersOfAll(aloneComm(), [7, 8]);
 * console.assert(own.join() === "7,8");
 * ```
 */
export async function numbersOfAll(
  comm: Comm,
  values: readonly number[],
): Promise<Float64Array[]> {
  const own = Float64Array.from(values), { length } = own;
  const bytes = await comm.allgather(new Uint8Array(own.buffer));
  const all = new Float64Array(bytes.slice().buffer); // where float64 may begin
  return Array.from({ length: comm.size }, (_, r) => all.subarray(length * r, length * (r + 1)));
}

/**
 * Does this rank's work, and waits until all ranks have done theirs. Where one fails all of them throw, so that none
 * waits for what never comes, and all stay in step.
 *
 * @param comm undefined stands for one rank.
 * @param work uses no operation of the comm.
 * @returns What this rank's work has returned.
 * @throws What this rank's work has thrown; elsewhere a `HatchlingError` that tells which ranks failed, and why.
 *
 * @example
 * ```ts
 * import { aloneComm } from "../comm.ts";
 * import { allOrNone } from "./all_or_none.ts";
 *
 * console.assert(await allOrNone(aloneComm(), () => 3) === 3);
 * ```
 */
export async function allOrNone<T>(
  comm: Comm | undefined,
  work: () => Promise<T> | T,
): Promise<T> {
  if (!comm || comm.size === 1) return await work();
  let done: { value: T } | { error: unknown };
  try {
    done = { value: await work() };
  } catch (error) {
    done = { error };
  }
  const own = "error" in done ? textOf(done.error) : new Uint8Array(0);
  const failures: string[] = [];
  for (const [rank, [length]] of (await numbersOfAll(comm, [own.length])).entries()) {
    if (!length) continue;
    const text = rank === comm.rank ? own : new Uint8Array(length);
    await comm.broadcast(text, rank);
    failures.push(`rank ${rank}: ${shownLines(new TextDecoder().decode(text))}`);
  }
  if ("error" in done) throw done.error;
  if (failures.length) throw new HatchlingError(failures.join("; "));
  return done.value;
}

/** At least one byte. */
function textOf(error: unknown): Uint8Array {
  const text = error instanceof Error && error.message ? error.message : `${error}`;
  return new TextEncoder().encode(text || "failed").slice(0, LONGEST);
}
