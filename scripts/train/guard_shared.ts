/**
 * What the guard's two threads agree upon.
 *
 * @module
 */
import { endingSignals } from "../../lib/io/platform.ts";

/**
 * Signals that ask a run to stop, with their numbers: it then exits with 128 + number. mpirun passes on SIGUSR2, and
 * does not kill what got it; SIGUSR1 opens the inspector of Deno.
 */
export const SIGNALS: { readonly [name in Deno.Signal]?: number } = {
  ...endingSignals(),
  ...Deno.build.os === "linux" && { SIGUSR2: 12 },
  ...Deno.build.os === "darwin" && { SIGUSR2: 31 },
};

/** Stands for a signal where the program that started the run is gone. */
export const GONE = 100;

/** Stands for a signal where somebody stopped the run from its dashboard: as SIGINT would. */
export const ASKED = 101;

/** Signals within so many milliseconds after the first are taken for the same. */
export const DEBOUNCE = 100;

/** Places in the shared memory. */
export const CELL = { stop: 0, saved: 1, beat: 2, armed: 3 } as const;

/** What the worker is told at its start. */
export interface GuardSettings {
  /** Shared: number of the signal, GONE or ASKED, 1 once all is saved, beats of the GPU, 1 while they are expected. */
  cells: Int32Array;
  /** Longest time without a beat. */
  watchdogSeconds: number;
  /** Folder of the run, for messages. */
  folder: string;
  /** Among several ranks: the name of this one, and whether it leads. */
  team?: { name: string; leads: boolean };
}
