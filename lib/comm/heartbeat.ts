/**
 * Whether the other ranks live: a rank that is stopped, or whose machine is gone, ends no operation of the others.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { HatchlingError } from "../errors.ts";
import {
  BEAT_BYTES,
  CELL,
  type HeartbeatAnswer,
  type HeartbeatOrder,
  type HeartbeatSettings,
  START_MS,
} from "./heartbeat_shared.ts";
import type { Launch } from "./launch.ts";
import { within } from "./wait.ts";

/** Such a worker starts from files only; a module of elsewhere can be imported by one that is nowhere. */
function workerUrl(): URL {
  const url = new URL("./heartbeat_worker.ts", import.meta.url);
  if (url.protocol === "file:") return url;
  return new URL(
    `data:text/javascript,${encodeURIComponent(`import ${JSON.stringify(url.href)};`)}`,
  );
}

/** What may still be written to by messages of the library: it must stay. */
const held: HeartbeatSettings[] = [];

/**
 * A ring of signs of life. Each rank sends one to the next every second, and hears those of the one before; when
 * these fail it says so and ends all ranks. It lives in a worker, as a main thread that compiles kernels or waits
 * for the GPU stands still for minutes and yet lives.
 */
export class Heartbeat {
  readonly #worker: Worker;
  readonly #settings: HeartbeatSettings;
  readonly #answers = new Map<HeartbeatAnswer, () => void>();
  #fail: (error: Error) => void = () => {};

  private constructor(settings: HeartbeatSettings) {
    held.push(settings);
    this.#settings = settings;
    // One of Node's kind, as others keep a process that would have ended.
    this.#worker = new Worker(workerUrl());
    this.#worker.unref();
    this.#worker.on("message", (answer: HeartbeatAnswer) => this.#answers.get(answer)?.());
    this.#worker.on("error", (error: Error) => {
      this.#fail(new HatchlingError(`heartbeat: expected its worker to run but: ${error.message}`));
    });
  }

  /**
   * Starts the worker, which waits for `go`.
   *
   * @param silenceMs longest time without a sign of life.
   * @throws {HatchlingError} when it does not start.
   */
  static async start({ rank, size }: Launch, silenceMs: number): Promise<Heartbeat> {
    const heartbeat = new Heartbeat({
      ...{ rank, size, silenceMs },
      cells: new Int32Array(new SharedArrayBuffer(4)),
      out: new Uint8Array(new SharedArrayBuffer(BEAT_BYTES)),
      into: new Uint8Array(new SharedArrayBuffer(BEAT_BYTES)),
      requests: new BigUint64Array(new SharedArrayBuffer(16)),
    });
    try {
      await heartbeat.#ask(heartbeat.#settings, "ready", START_MS);
    } catch (error) {
      heartbeat.stop();
      throw error;
    }
    return heartbeat;
  }

  /** Begins, once all ranks have started theirs, and waits for the first sign of life. */
  go(timeoutMs: number): Promise<void> {
    return this.#ask("go", "heard", timeoutMs);
  }

  /** This rank ends all others: no silence is worth a word from now on. */
  quieten(): void {
    Atomics.store(this.#settings.cells, CELL.quiet, 1);
  }

  /** Ends it, on all ranks at once: no message is under way any more. */
  async end(timeoutMs: number): Promise<void> {
    await this.#ask("end", "ended", timeoutMs);
    this.stop();
  }

  /** Ends the worker. */
  stop(): void {
    void this.#worker.terminate();
  }

  #ask(
    message: HeartbeatSettings | HeartbeatOrder,
    answer: HeartbeatAnswer,
    timeoutMs: number,
  ): Promise<void> {
    const answered = new Promise<void>((resolve, reject) => {
      this.#answers.set(answer, resolve);
      this.#fail = reject;
    });
    this.#worker.postMessage(message);
    return within(answered, "heartbeat", timeoutMs);
  }
}
