/**
 * What may end a run from outside: signals, the end of whoever started it, a GPU that hangs.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { ASKED, CELL, GONE, type GuardSettings, SIGNALS } from "./guard_shared.ts";
import type { Team } from "./ranks/team.ts";

/** Longest time for the worker to start. */
const START_MS = 30_000;

/** Why a run should stop. */
export interface StopRequest {
  /** In words: "SIGTERM", or that the program which started the run is gone. */
  why: string;
  /** Exit status of the process. */
  code: number;
}

/** The watch over a run. It lives in a worker: the main thread stands still while it waits for the GPU. */
export class Guard {
  readonly #cells = new Int32Array(new SharedArrayBuffer(16));
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /**
   * Starts watching.
   *
   * @param watchdogSeconds Longest time between two beats once {@linkcode Guard.beat} was called; the process
   * ends beyond it, as nothing else can wake the main thread.
   * @param folder Folder of the run, for messages.
   * @param ranks The ranks of the run: where there are several, messages name this one.
   */
  static async start(watchdogSeconds: number, folder: string, ranks: Team): Promise<Guard> {
    const worker = new Worker(new URL("./guard_worker.ts", import.meta.url), { type: "module" });
    const guard = new Guard(worker);
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) =>
        reject(new HatchlingError(`Expected to watch for signals but could not: ${why}`));
      timer = setTimeout(() => fail("the worker did not start"), START_MS);
      worker.onmessage = () => resolve();
      worker.onerror = (event) => {
        event.preventDefault();
        fail(event.message);
      };
      const team = ranks.size > 1 ? { name: ranks.nameOf(), leads: ranks.rank === 0 } : undefined;
      const settings: GuardSettings = { cells: guard.#cells, watchdogSeconds, folder, team };
      worker.postMessage(settings);
    }).finally(() => clearTimeout(timer));
    return guard;
  }

  /** What asked the run to stop, if anything did. */
  get stop(): StopRequest | undefined {
    const cause = Atomics.load(this.#cells, CELL.stop);
    if (cause === 0) return undefined;
    if (cause === GONE) return { why: "the end of the program that started it", code: 1 };
    if (cause === ASKED) return { why: "the dashboard", code: 128 + SIGNALS.SIGINT! };
    const [name] = Object.entries(SIGNALS).find(([, number]) => number === cause)!;
    return { why: name, code: 128 + cause };
  }

  /**
   * Asks the run to stop, as SIGINT does.
   *
   * @returns False once all is saved: the process may then end at once.
   */
  ask(): boolean {
    if (Atomics.load(this.#cells, CELL.saved)) return false;
    Atomics.compareExchange(this.#cells, CELL.stop, 0, ASKED);
    return true;
  }

  /** Stops as another rank does, which was asked to with an exit status; 0 changes nothing. */
  follow(code: number): void {
    if (code) Atomics.compareExchange(this.#cells, CELL.stop, 0, code === 1 ? GONE : code - 128);
  }

  /** The GPU has answered: the watchdog waits anew. */
  beat(): void {
    Atomics.store(this.#cells, CELL.armed, 1);
    Atomics.add(this.#cells, CELL.beat, 1);
  }

  /** No answer is expected for now. */
  rest(): void {
    Atomics.store(this.#cells, CELL.armed, 0);
  }

  /** All is saved: from now on the first signal ends the process at once. */
  saved(): void {
    this.rest();
    Atomics.store(this.#cells, CELL.saved, 1);
  }

  /** Ends the watch. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
