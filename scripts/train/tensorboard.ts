/**
 * A run's curves for TensorBoard, in event files beside metrics.jsonl.
 *
 * @module
 */
import type { SideFiles } from "../../lib/run/side_files.ts";
import { scalarsRecord, startRecord, versionRecord } from "./tfevents.ts";

/** What event files are called: TensorBoard knows them by it, and reads them by rising name. */
const NAME = /^events\.out\.tfevents\.(\d{10})\./;

/** How to write. */
export interface EventFileOptions {
  /** Seconds since 1970. */
  now?: () => number;
}

/** One event file. Every start of a run has its own, as TensorBoard reads a file only forwards. */
export class EventFile {
  readonly #files: SideFiles;
  readonly #name: string;
  readonly #now: () => number;

  private constructor(files: SideFiles, name: string, now: () => number) {
    this.#files = files;
    this.#name = name;
    this.#now = now;
  }

  /** Starts a file for what comes after `step` steps: earlier files lose what they hold beyond. */
  static async open(
    files: SideFiles,
    step: number,
    { now = () => Date.now() / 1000 }: EventFileOptions = {},
  ): Promise<EventFile> {
    let after = 0; // neither a quick restart nor a clock that was put back may change the order
    for (const name of [...await namesIn(files.folder), ...files.names]) {
      after = Math.max(after, Number(name.match(NAME)?.[1] ?? 0) + 1);
    }
    const time = String(Math.max(Math.floor(now()), after)).padStart(10, "0");
    const name = `events.out.tfevents.${time}.hatchling.${Deno.pid}`;
    const seconds = now();
    await files.add(name, versionRecord(seconds));
    await files.add(name, startRecord({ seconds, step: step + 1 }));
    return new EventFile(files, name, now);
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
    if (!scalars.length) return;
    await this.#files.add(this.#name, scalarsRecord({ seconds: this.#now(), step }, scalars));
  }
}

/** Whether a folder holds event files already. */
export async function hasEventFile(folder: string): Promise<boolean> {
  return (await namesIn(folder)).some((name) => NAME.test(name));
}

/** Names in a folder; none where it cannot be listed: then nothing can be written either, which is said there. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch {
    return [];
  }
}
