/**
 * What both threads of a heartbeat agree upon, and when a rank is taken for lost.
 *
 * @module
 */
import { shown } from "../text.ts";

/** Longest time in milliseconds for the worker to start: its modules may come over a network. */
export const START_MS = 30_000;

/** Milliseconds between two looks of the worker, and between two of its beats. */
export const LOOK_MS = 500, BEAT_MS = 1000;

/** Milliseconds between two looks while the main thread waits for the first or the last beat. */
export const HASTE_MS = 20;

/** Its messages among ranks have a tag of their own. */
export const TAG = 0x6862;

/** Bytes of a beat: its kind, the number of the process, the name of its host and zeros. */
export const BEAT_BYTES = 261;

/** Kinds of beats: one of many, and the last one. */
export const KIND = { beat: 1, last: 2 } as const;

/** Places in the shared numbers. */
export const CELL = { quiet: 0 } as const;

/** What the worker is told at its start. */
export interface HeartbeatSettings {
  readonly rank: number;
  readonly size: number;
  /** Longest time in milliseconds without a beat of the rank before. */
  readonly silenceMs: number;
  /** Shared: not 0 once this rank ends all others by itself, and no silence is worth a word. */
  readonly cells: Int32Array<SharedArrayBuffer>;
  /** Shared, as a message may come after the worker has gone: the beats to send and to receive, and their requests. */
  readonly out: Uint8Array<SharedArrayBuffer>;
  readonly into: Uint8Array<SharedArrayBuffer>;
  readonly requests: BigUint64Array<SharedArrayBuffer>;
}

/** What the worker is told later: that all ranks are there, and that all are about to close. */
export type HeartbeatOrder = "go" | "end";

/** What it answers. */
export type HeartbeatAnswer = "ready" | "heard" | "ended";

/** Who sent a beat. */
export interface Sender {
  /** Number of the process. */
  readonly pid: number;
  readonly host: string;
}

/** Writes a beat. */
export function writeBeat(bytes: Uint8Array, kind: number, { pid, host }: Sender): void {
  bytes.fill(0);
  bytes[0] = kind;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(1, pid, true);
  // TextEncoder does not write to shared memory.
  bytes.set(new TextEncoder().encode(host).subarray(0, bytes.length - 5), 5);
}

/** Reads who sent a beat. */
export function readSender(bytes: Uint8Array): Sender {
  const own = bytes.slice(), end = own.indexOf(0, 5);
  return {
    pid: new DataView(own.buffer).getUint32(1, true),
    host: new TextDecoder().decode(own.subarray(5, end < 0 ? own.length : end)),
  };
}

/**
 * How long another rank has been silent, by a clock that stands still while this process does: after a pause of the
 * machine or of the whole job all ranks have been silent, and none is lost.
 *
 * @example
 * ```ts
 * import { Silence } from "./heartbeat_shared.ts";
 *
 * const silence = new Silence(0);
 * console.assert(silence.at(700) === 700 && silence.at(60_000) === 1700);
 * silence.heard();
 * console.assert(silence.at(60_500) === 500);
 * ```
 */
export class Silence {
  #ms = 0;
  #last: number;

  /** @param now by `performance.now()`, as everywhere here. */
  constructor(now: number) {
    this.#last = now;
  }

  /** Milliseconds of silence, when asked about every LOOK_MS. */
  at(now: number): number {
    this.#ms += Math.min(now - this.#last, 2 * LOOK_MS);
    this.#last = now;
    return this.#ms;
  }

  /** It was heard since the last question. */
  heard(): void {
    this.#ms = 0;
  }
}

/** States of a process on Linux, as `/proc/PID/stat` has them, in words. */
const STATES: Readonly<Record<string, string>> = {
  T: "is stopped (SIGSTOP)",
  t: "is stopped by a debugger",
  Z: "has ended",
  X: "has ended",
  D: "waits for a disk or a device",
};

/**
 * Why a rank is silent, as far as its machine tells.
 *
 * @param stat what `/proc/PID/stat` says of its process; "" where there is none, undefined where that is not known.
 *
 * @example
 * ```ts
 * import { whySilent } from "./heartbeat_shared.ts";
 *
 * console.assert(whySilent({ pid: 7, host: "a" }, "7 (deno) T 1") === "its process 7 is stopped (SIGSTOP)");
 * ```
 */
export function whySilent({ pid }: Sender, stat: string | undefined): string {
  if (stat === undefined) return `its process ${pid} is stopped, or its machine or network is down`;
  if (stat === "") return `its process ${pid} has ended`;
  const state = stat[stat.lastIndexOf(")") + 2]; // a name may hold anything
  return `its process ${pid} ${STATES[state] ?? "is there but does nothing"}`;
}

/**
 * The words for a rank that is lost.
 *
 * @param sender undefined where it was never heard.
 */
export function lostWords(
  { rank, size, silenceMs }: Pick<HeartbeatSettings, "rank" | "size" | "silenceMs">,
  lost: { rank: number; sender?: Sender; why: string },
  host: string,
): string {
  const where = lost.sender ? ` on ${shown(lost.sender.host)}` : "";
  return `error: Expected a sign of life of rank ${lost.rank}${where} every second but rank ${rank} of ${size} on ` +
    `${shown(host)} has had none for ${silenceMs / 1000} s: ${lost.why}: all ranks are ended`;
}
