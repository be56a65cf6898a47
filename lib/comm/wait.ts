/**
 * Waiting for what other processes do, with a limit and without blocking the event loop.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/**
 * Milliseconds that a wait may keep the event loop without a pause, and after which it asks once per timer only.
 *
 * Measured on two busy cores, OpenMPI 4.1, medians. A sum of one number takes 4.6 ms when asked about once per timer,
 * some 10 µs when asked about without a pause. Sums of 88 MB in pieces, by 2 and by 3 ranks: 213 and 286 ms when a wait
 * may last 1 ms, 162 and 100 ms with 10 ms, 152 and 78 ms with no limit. Blocking calls in a thread of their own took
 * 64 and 174 ms; but such a thread cannot be stopped and needs a core to itself for as long as it waits, where a poll
 * ends when its caller likes. A rank that waits for long leaves the core to those it waits for.
 */
const SPIN_MS = 10;
const EAGER_MS = 200;

/** "1.5 s". */
function seconds(ms: number): string {
  return `${Number((ms / 1000).toPrecision(3))} s`;
}

/** The words for what took too long. */
export function timeoutError(what: string, timeoutMs: number): HatchlingError {
  return new HatchlingError(
    `${what}: expected all ranks to take part within ${
      seconds(timeoutMs)
    } (timeoutMs) but at least one did not: look for ` +
      "the first rank that stopped or is behind, abort this one, and raise the limit if it was only slow",
  );
}

/**
 * Asks until the answer is yes.
 *
 * @param done asks, and returns soon; what it throws ends the wait.
 * @param deadline by `performance.now()`.
 * @returns Whether it was yes in time.
 *
 * @example
 * ```ts
 * import { poll } from "./wait.ts";
 *
 * let n = 0;
 * console.assert(await poll(() => ++n > 3, performance.now() + 1000));
 * console.assert(!await poll(() => false, performance.now() + 5));
 * ```
 */
export async function poll(done: () => boolean, deadline: number): Promise<boolean> {
  const begin = performance.now();
  for (;;) {
    const turn = performance.now();
    const spin = turn - begin < EAGER_MS ? SPIN_MS : 0;
    do {
      if (done()) return true;
    } while (performance.now() - turn < spin);
    if (performance.now() >= deadline) return false;
    // A timer rather than a microtask: signals, watchdogs and the GPU have their turn.
    await new Promise((resolve) => setTimeout(resolve, spin ? 0 : 2));
  }
}

/**
 * Waits for a call that runs in a thread of its own. When it takes too long the call goes on, and keeps the process
 * until that exits.
 *
 * @throws {HatchlingError} when it takes too long.
 */
export async function within<T>(call: Promise<T>, what: string, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timeoutError(what, timeoutMs)), timeoutMs);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}
