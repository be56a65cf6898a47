/**
 * What a run and the process of its dashboard tell each other: lines of JSON through its standard input and output.
 *
 * @module
 */
import type { Address } from "./address.ts";

/** The first line to the dashboard, which is started in the run's folder. */
export interface Settings extends Address {
  /** What the page has to know to be let in. */
  token: string;
}

/** How far a run is. */
export interface Status {
  /** Steps done. */
  step: number;
  /** Steps to do. */
  total: number;
  /** Seconds to the end at the speed so far. */
  eta: number;
  /** Whether it waits for somebody to let it go on. */
  paused: boolean;
  /** The last checkpoint's step. */
  saved?: number;
}

/** How a run ended. */
export interface End {
  /** Exit status. */
  code: number;
  /** Why, where something went wrong. */
  error?: string;
}

/** What a run tells: what it shows on its own screen, how far it is, how it ended. */
export type News = { line: string } | { status: Status } | { end: End };

/** What somebody who watches can ask of the run. */
export const COMMANDS = ["pause", "resume", "checkpoint", "stop"] as const;

/** One of {@linkcode COMMANDS}. */
export type Command = typeof COMMANDS[number];

/** What the dashboard tells the run: where it is, what is wrong with it, what is asked. */
export type Reply = { url: string } | { error: string } | { command: Command };

/** Messages of a stream of lines; a line that is none is left out. */
export async function* messages<T>(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<T> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      try {
        yield JSON.parse(line);
      } catch {
        // something else has written there
      }
    }
  }
}
