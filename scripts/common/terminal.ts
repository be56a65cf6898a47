/**
 * What commands say. Nothing here throws: a terminal that has closed, a pipe whose reader has gone or a full disk
 * under a log must not end the work.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import { shownLines } from "../../lib/text.ts";
import { asCalled } from "./called.ts";

/** Where lines go: a standard stream, or what a test makes of it. */
export interface Screen {
  /** Whether somebody can see a line being rewritten. */
  isTerminal(): boolean;
  /** Writes some of the bytes; returns how many. */
  writeSync(bytes: Uint8Array): number;
}

/** Milliseconds between tries where a pipe takes nothing at the moment, and how many tries are made. */
const PAUSE = 5, TRIES = 400;

/** What went wrong with standard output, other than that nobody reads it any more. */
let lost: Error | undefined;

/**
 * Writes text as it is; use it for text that this project has made.
 *
 * @returns What went wrong, if anything: the rest of the text is lost then.
 */
export function writeRaw(screen: Screen, text: string): Error | undefined {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0, tries = 0; at < bytes.length;) {
    try {
      at += screen.writeSync(bytes.subarray(at));
      tries = 0;
    } catch (error) {
      const busy = error instanceof Deno.errors.WouldBlock ||
        error instanceof Deno.errors.Interrupted;
      if (!busy || ++tries > TRIES) return error as Error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
    }
  }
}

/** Says a result, on standard output; control characters of names are made visible. */
export function print(text: string): void {
  const error = writeRaw(Deno.stdout, asCalled(shownLines(text)) + "\n");
  if (error && !(error instanceof Deno.errors.BrokenPipe)) lost = error;
}

/** Says an object as a result: JSON, with what a terminal would obey as escapes that JSON has. */
export function printJson(value: unknown): void {
  const escape = (c: string) => `\\u00${c.charCodeAt(0).toString(16)}`;
  print(JSON.stringify(value, null, 2).replace(/[\x7f-\x9f]/g, escape));
}

/** Says what goes on (notes, warnings, errors), on standard error; control characters are made visible. */
export function say(text: string): void {
  writeRaw(Deno.stderr, asCalled(shownLines(text)) + "\n");
}

/**
 * Runs a command and ends the process with its exit status: 0, or what `main` returns; 1 after a
 * `HatchlingError`, which is said without a stack, and where the result could not be written to standard output.
 *
 * @param statusOf Another status for an error.
 */
export async function runCommand(
  main: () => Promise<number | void>,
  statusOf: (error: HatchlingError) => number = () => 1,
): Promise<never> {
  let status: number;
  try {
    status = await main() ?? 0;
  } catch (error) {
    if (!(error instanceof HatchlingError)) throw error;
    if (error.message) say(`error: ${error.message}`);
    status = statusOf(error);
  }
  if (lost) say(`error: Cannot write to standard output: ${lost.message}`);
  Deno.exit(status || (lost ? 1 : 0));
}
