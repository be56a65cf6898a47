/**
 * The terminal, pipe or file that a run's lines go to.
 *
 * @module
 */
import type { Screen } from "../shared/terminal.ts";
import { takesNow } from "./libc.ts";
import type { RunScreen } from "../shared/progress.ts";

/** A standard stream, `file` its number, that can tell whether it would stop the thread. */
export function screenOf(stream: Screen, file: 1 | 2): RunScreen {
  return {
    isTerminal: () => stream.isTerminal(),
    writeSync: (bytes) => stream.writeSync(bytes),
    takes: () => takesNow(file),
  };
}
