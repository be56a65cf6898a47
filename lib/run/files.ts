/**
 * Reading the files of a run's folder, whatever they are: regular ones only, of a size that was expected, and not
 * for longer than it should take.
 *
 * @module
 */
import { join } from "node:path";
import type { z } from "./deps.ts";
import { HatchlingError } from "../errors.ts";
import { fileError, readFile, statFile } from "../io/files.ts";
import { shown } from "../text.ts";
import { bytes } from "../words.ts";
import type { Faults } from "./faults.ts";

/** Bytes that are read at once, characters of a line, and brackets within each other in JSON. */
const PIECE = 1 << 20, ROW = 1 << 18, DEPTH = 24;

/** Entries of a folder that are looked at. */
const ENTRIES = 100_000;

/** Milliseconds for the files of a run. */
export const READING_MS = 120_000;

/** Takes a line of a file; undefined stands for one that is too long. */
export type TakeRow = (row: string | undefined) => void;

/** Whether a path does not exist; anything else than that is said when it is read. */
export function isMissing(error: unknown): boolean {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory;
}

/** The files of one run. */
export class RunFiles {
  /** The folder. */
  readonly folder: string;
  /** Where is said what cannot be read. */
  readonly faults: Faults;
  readonly #until: number;

  /** The clock starts now. */
  constructor(folder: string, faults: Faults, ms = READING_MS) {
    this.folder = folder;
    this.faults = faults;
    this.#until = performance.now() + ms;
  }

  /** Path of a file. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** What `read` finds; where it fails, that is noted, and nothing is found. A file that is missing is no fault. */
  async attempt<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
      if (!isMissing(error)) this.faults.add(error.message);
    }
  }

  /**
   * The text of a small file.
   *
   * @throws {HatchlingError} When it is missing, no regular file or larger than `maxBytes`.
   */
  async text(name: string, maxBytes: number): Promise<string> {
    return new TextDecoder().decode(await readFile(this.path(name), { maxBytes }));
  }

  /** A file of JSON, when it is of a shape; undefined where it is missing, or cannot be read, which is noted. */
  async json<T>(name: string, maxBytes: number, shape: z.ZodType<T>): Promise<T | undefined> {
    const text = await this.attempt(() => this.text(name, maxBytes));
    if (text === undefined) return undefined;
    const value = parseJson(text);
    if (value === undefined) return void this.faults.add(`${name} is damaged and left out`);
    const { success, data } = shape.safeParse(value);
    if (success) return data;
    this.faults.add(`${name} is not what a run of this version writes and is left out`);
  }

  /**
   * A file of any length, line by line: of one that is larger than `maxBytes` the end, which is noted.
   *
   * @param last Takes what stands after the last end of a line, "" where there is nothing.
   * @returns Whether it was read from its beginning.
   * @throws {HatchlingError} When it is missing or no regular file.
   */
  async rows(name: string, maxBytes: number, take: TakeRow, last: TakeRow): Promise<boolean> {
    const path = this.path(name), { size } = await statFile(path);
    const from = Math.max(0, size - maxBytes);
    if (from) this.faults.add(`${name} is larger than ${bytes(maxBytes)}: only its end is read`);
    const decoder = new TextDecoder();
    let rest = "", tooLong = from > 0, isFirst = from > 0;
    const row = (text: string) => {
      if (!isFirst) take(tooLong || text.length > ROW ? undefined : text);
      isFirst = tooLong = false; // the first after a cut is a part of a line
    };
    try {
      using file = await Deno.open(path);
      if (from) await file.seek(from, Deno.SeekMode.Start);
      const piece = new Uint8Array(PIECE);
      for (let at = from; at < size;) {
        if (performance.now() > this.#until) {
          this.faults.add(`${name} takes too long to read: its end is left out`);
          return !from;
        }
        const n = await file.read(piece.subarray(0, Math.min(PIECE, size - at)));
        if (n === null) break;
        at += n;
        const rows = (rest + decoder.decode(piece.subarray(0, n), { stream: true })).split("\n");
        rest = rows.pop()!;
        for (const text of rows) row(text);
        if (rest.length > ROW) [rest, tooLong] = ["", true];
      }
    } catch (error) {
      throw fileError("read", path, error);
    }
    rest += decoder.decode();
    if (!isFirst) last(tooLong ? undefined : rest);
    return !from;
  }

  /** Names of what is in a folder of the run, sorted. */
  async names(below = ""): Promise<string[]> {
    const path = this.path(below), names: string[] = [];
    try {
      for await (const { name } of Deno.readDir(path)) {
        if (names.length === ENTRIES) {
          this.faults.add(`${below || "the folder"} holds more files than are looked at`);
          break;
        }
        names.push(name);
      }
    } catch (error) {
      const failure = fileError("list", path, error);
      if (!isMissing(failure)) this.faults.add(failure.message);
    }
    return names.sort();
  }
}

/** The value of JSON; undefined where it is none, or nested deeper than anything that a run writes. */
export function parseJson(text: string): unknown {
  if (isDeep(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether there are more brackets within each other than should be; those of strings do not count. */
function isDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      while (++i < text.length && text.charCodeAt(i) !== 0x22) if (text.charCodeAt(i) === 0x5c) i++;
    } else if (c === 0x5b || c === 0x7b) {
      if (++depth > DEPTH) return true;
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
  return false;
}

/**
 * Waits for `work`, but not for ever: a disk that does not answer can hold up a read without end.
 *
 * @throws {HatchlingError} When it takes longer than `ms` milliseconds.
 */
export async function within<T>(ms: number, folder: string, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const text = `Cannot read ${shown(folder)}: it does not answer within ${ms / 1000} s`;
      reject(new HatchlingError(text));
    }, ms);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
