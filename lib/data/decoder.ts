/**
 * A pool of decoding workers.
 *
 * @module
 */

import { HatchlingError } from "../errors.ts";
import type { DecodeChannels } from "./decode.ts";
import type { Picture } from "./image.ts";

/** What a worker is asked: one file. */
export interface DecodeRequest {
  /** Path of the file, read inside the worker, or its contents. */
  source: string | Uint8Array;
  /** Limit for width × height of the result. */
  maxPixels: number;
  /** Channels of the result. */
  channels: DecodeChannels;
}

/**
 * What a worker says: `ready` or `failed` once when it has started, then a picture or a reason per file;
 * `failed` instead when a codec that a file needs cannot be loaded, which ends it all.
 */
export type DecodeReply =
  | { ready: true }
  | { failed: string }
  | { picture: Picture }
  | { reason: string };

/** A file to decode: a path, or a name for messages and the contents. */
export type DecodeSource = string | { name: string; bytes: Uint8Array };

/** Result of one file. A file that cannot be decoded is a value, not an exception. */
export type Decoded =
  | { file: string; picture: Picture; reason?: undefined }
  | { file: string; picture?: undefined; reason: string };

/** Options of {@linkcode Decoder}. */
export interface DecoderOptions {
  /** Number of workers, at least 1; they are started as files arrive. Default 2. */
  workers?: number;
  /** Reduce larger pictures (antialiased) to at most this many pixels. Default: keep every size. */
  maxPixels?: number;
  /**
   * Channels of the pictures: 3 colour, composited on white; 1 gray, the luma of that; 4 colour that is not
   * composited, and alpha. Default 3.
   */
  channels?: DecodeChannels;
  /** Longest time for one file, milliseconds; its worker is then replaced. Default 60000. */
  timeoutMs?: number;
  /** Longest time for a worker to start, a download of the codecs included. Default 180000. */
  startTimeoutMs?: number;
  /** Another worker module of the same protocol, for formats of your own. */
  workerUrl?: string | URL;
}

interface Job {
  file: string;
  source: string | Uint8Array;
  resolve: (result: Decoded) => void;
  reject: (error: HatchlingError) => void;
}

interface Slot {
  worker: Worker;
  ready: boolean;
  job?: Job;
  timer?: ReturnType<typeof setTimeout>;
}

/**
 * Decodes files in a bounded number of workers. Results do not depend on how many there are. A file that
 * takes too long or kills its worker is reported by name, the worker replaced.
 *
 * Needs `--allow-read` and `--allow-env`. Call {@linkcode Decoder.close} at the end: workers keep the
 * process alive.
 *
 * @example
 * ```ts ignore
 * import { Decoder } from "./decoder.ts";
 *
 * const decoder = new Decoder({ workers: 2, maxPixels: 256 * 256 });
 * for (const { file, picture, reason } of await decoder.decodeAll(["a.png", "b.jpg"])) {
 *   console.log(file, picture ? `${picture.width} × ${picture.height}` : reason);
 * }
 * decoder.close();
 * ```
 */
export class Decoder {
  readonly #options: Required<DecoderOptions>;
  readonly #slots = new Set<Slot>();
  readonly #queue: Job[] = [];
  #head = 0; // of #queue: shift() would make long queues quadratic
  #error?: HatchlingError; // set once nothing can be decoded any more

  /**
   * Starts no worker yet.
   *
   * @throws {HatchlingError} when an option is out of its range.
   */
  constructor(options: DecoderOptions = {}) {
    this.#options = {
      workers: options.workers ?? 2,
      maxPixels: options.maxPixels ?? Infinity,
      channels: options.channels ?? 3,
      timeoutMs: options.timeoutMs ?? 60_000,
      startTimeoutMs: options.startTimeoutMs ?? 180_000,
      workerUrl: options.workerUrl ?? new URL("./decode_worker.ts", import.meta.url),
    };
    const { workers, maxPixels, channels } = this.#options;
    if (!Number.isInteger(workers) || workers < 1) {
      throw new HatchlingError(
        `Expected at least 1 decoding worker but found ${workers}: pictures are never decoded on the ` +
          `main thread, set data.num_workers to 1 or more`,
      );
    }
    if (!(maxPixels >= 1)) {
      throw new HatchlingError(`Expected max_pixels of at least 1 but found ${maxPixels}`);
    }
    if (![1, 3, 4].includes(channels)) {
      throw new HatchlingError(
        `Expected 1 (gray), 3 (colour) or 4 (colour and alpha) channels but found ${channels}: picture ` +
          `files hold no others, set model.in_chans to one of them`,
      );
    }
  }

  /**
   * Decodes one file. Files are begun in the order of the calls.
   *
   * @param source Path, or name and contents.
   * @returns The picture, or the reason why there is none.
   * @throws {HatchlingError} when no file can be decoded at all: the codecs cannot be loaded, or the
   * decoder is closed.
   */
  decode(source: DecodeSource): Promise<Decoded> {
    if (this.#error) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      const file = typeof source === "string" ? source : source.name;
      const bytes = typeof source === "string" ? source : source.bytes;
      this.#queue.push({ file, source: bytes, resolve, reject });
      this.#pump();
    });
  }

  /**
   * Decodes many files.
   *
   * @param sources Paths, or names and contents.
   * @param onProgress Called after each file with the number of files done and of all files.
   * @returns Results in the order of `sources`.
   * @throws {HatchlingError} as {@linkcode Decoder.decode}.
   */
  decodeAll(
    sources: DecodeSource[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<Decoded[]> {
    let done = 0;
    return Promise.all(sources.map(async (source) => {
      const result = await this.decode(source);
      onProgress?.(++done, sources.length);
      return result;
    }));
  }

  /** Ends all workers; files not yet decoded are rejected. May be called twice. */
  close(): void {
    this.#fail(new HatchlingError("The decoder is closed: no more files are decoded"));
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #pump(): void {
    const waiting = () => this.#queue.length - this.#head;
    for (const slot of this.#slots) {
      if (waiting() === 0) return;
      if (slot.ready && !slot.job) this.#give(slot);
    }
    let starting = 0;
    for (const slot of this.#slots) if (!slot.ready) starting++;
    for (; this.#slots.size < this.#options.workers && starting < waiting(); starting++) {
      this.#start();
    }
  }

  #start(): void {
    const worker = new Worker(new URL(this.#options.workerUrl, import.meta.url), {
      type: "module",
    });
    const slot: Slot = { worker, ready: false };
    this.#slots.add(slot);
    this.#limit(slot, this.#options.startTimeoutMs, "its worker did not start");
    worker.onmessage = ({ data }: MessageEvent<DecodeReply>) => this.#receive(slot, data);
    worker.onerror = (event) => {
      event.preventDefault(); // otherwise the error ends the whole program
      this.#lose(slot, `the decoding worker died (${event.message.split("\n")[0]})`);
    };
  }

  #give(slot: Slot): void {
    const job = this.#queue[this.#head++];
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    slot.job = job;
    const { maxPixels, channels, timeoutMs } = this.#options;
    this.#limit(slot, timeoutMs, `decoding took longer than ${timeoutMs / 1000} s`);
    const request: DecodeRequest = { source: job.source, maxPixels, channels };
    slot.worker.postMessage(request);
  }

  #limit(slot: Slot, ms: number, reason: string): void {
    slot.timer = setTimeout(() => this.#lose(slot, reason), ms);
  }

  #receive(slot: Slot, reply: DecodeReply): void {
    clearTimeout(slot.timer);
    if ("failed" in reply) return this.#fail(new HatchlingError(reply.failed));
    if ("ready" in reply) slot.ready = true;
    else {
      const { file, resolve } = slot.job!;
      slot.job = undefined;
      resolve(
        "picture" in reply ? { file, picture: reply.picture } : { file, reason: reply.reason },
      );
    }
    this.#pump();
  }

  /** A worker died or hangs: its file is to blame; without a file, nothing can be decoded here. */
  #lose(slot: Slot, reason: string): void {
    clearTimeout(slot.timer);
    slot.worker.terminate();
    this.#slots.delete(slot);
    if (!slot.ready) return this.#fail(new HatchlingError(`Pictures cannot be decoded: ${reason}`));
    slot.job?.resolve({ file: slot.job.file, reason });
    this.#pump();
  }

  #fail(error: HatchlingError): void {
    this.#error ??= error;
    for (const slot of this.#slots) {
      clearTimeout(slot.timer);
      slot.worker.terminate();
      slot.job?.reject(error);
    }
    this.#slots.clear();
    for (const job of this.#queue.splice(this.#head)) job.reject(error);
  }
}
