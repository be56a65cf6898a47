/**
 * The terminal, pipe or file that a run's lines go to.
 *
 * @module
 */
import type { RunScreen } from "../common/progress.ts";
import { takesNow } from "./libc.ts";

/** Standard error, which can tell whether it would stop the thread. */
export const SCREEN: RunScreen = {
  isTerminal: () => Deno.stderr.isTerminal(),
  writeSync: (bytes) => Deno.stderr.writeSync(bytes),
  takes: () => takesNow(2),
};
