/**
 * Workers as a browser has them, by those of Node.
 *
 * @module
 */
import type { Worker as Thread } from "node:worker_threads";

type Listener = (event: { data?: unknown; message?: string; preventDefault(): void }) => void;

/** A worker of a module. */
export class NodeWorker {
  onmessage: Listener | null = null;
  onerror: Listener | null = null;
  readonly #thread: Thread;

  constructor(url: URL | string) {
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    const start = new URL("./worker_start.js", import.meta.url);
    this.#thread = new Worker(start, { workerData: String(url) });
    const preventDefault = () => {};
    this.#thread.on("message", (data) => this.onmessage?.({ data, preventDefault }));
    this.#thread.on("error", ({ message }: Error) => this.onerror?.({ message, preventDefault }));
  }

  postMessage(message: unknown, transfer: readonly ArrayBuffer[] = []): void {
    this.#thread.postMessage(message, transfer);
  }

  terminate(): void {
    this.#thread.terminate();
  }
}
