/**
 * A run's curves for TensorBoard, in event files beside metrics.jsonl.
 *
 * @module
 */
import { join } from "node:path";
import { fileError } from "../../lib/io/files.ts";
import { scalarsRecord, startRecord, versionRecord } from "./tfevents.ts";

/** What event files are called: TensorBoard knows them by it, and reads them by rising name. */
const NAME = /^events\.out\.tfevents\.(\d{10})\./;

/** How to write. */
export interface EventFileOptions {
  /** Told once when something cannot be written: what is missed is missed, and training goes on. */
  warn: (message: string) => void;
  /** Seconds since 1970. */
  now?: () => number;
}

/** One event file. Every start of a run has its own, as TensorBoard reads a file only forwards. */
export class EventFile {
  readonly #path: string;
  readonly #warn: (message: string) => void;
  readonly #now: () => number;
  #file?: Deno.FsFile;
  #sound = 0; // bytes of whole records
  #torn = false;
  #warned = false;

  private constructor(path: string, { warn, now = () => Date.now() / 1000 }: EventFileOptions) {
    this.#path = path;
    this.#warn = warn;
    this.#now = now;
  }

  /** Starts a file in `folder` for what comes after `step` steps: earlier files lose what they hold beyond. */
  static async open(folder: string, step: number, options: EventFileOptions): Promise<EventFile> {
    const now = options.now ?? (() => Date.now() / 1000);
    let after = 0; // neither a quick restart nor a clock that was put back may change the order
    try {
      for await (const { name } of Deno.readDir(folder)) {
        after = Math.max(after, Number(name.match(NAME)?.[1] ?? 0) + 1);
      }
    } catch {
      // it cannot be written to either, which is said below
    }
    const time = String(Math.max(Math.floor(now()), after)).padStart(10, "0");
    const path = join(folder, `events.out.tfevents.${time}.hatchling.${Deno.pid}`);
    const events = new EventFile(path, options);
    try {
      events.#file = await Deno.open(path, { append: true, createNew: true });
      const seconds = now();
      await events.#append(versionRecord(seconds));
      await events.#append(startRecord({ seconds, step: step + 1 }));
    } catch (error) {
      events.#missed(error);
    }
    return events;
  }

  /** Appends the numbers among `values` under `group/name`; what is no number is left out. */
  async write(
    step: number,
    group: string,
    values: Iterable<readonly [name: string, value: unknown]>,
  ): Promise<void> {
    const scalars: [string, number][] = [];
    for (const [name, value] of values) {
      if (typeof value === "number") scalars.push([`${group}/${name}`, value]);
    }
    if (scalars.length) await this.#append(scalarsRecord({ seconds: this.#now(), step }, scalars));
  }

  /** Closes the file. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** Readers stop for good at a torn record with others behind it: what is torn is cut off first. */
  async #append(record: Uint8Array): Promise<void> {
    if (!this.#file) return;
    try {
      if (this.#torn) await this.#file.truncate(this.#sound);
      this.#torn = true;
      for (let at = 0; at < record.length;) at += await this.#file.write(record.subarray(at));
      this.#torn = false;
      this.#sound += record.length;
    } catch (error) {
      this.#missed(error);
    }
  }

  #missed(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    const { message } = fileError("write", this.#path, error);
    this.#warn(`warning: ${message}; training goes on without TensorBoard's copy of its metrics`);
  }
}

/** Whether a folder holds event files already. */
export async function hasEventFile(folder: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(folder)) if (NAME.test(name)) return true;
  return false;
}
