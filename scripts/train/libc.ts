/**
 * The little that Deno has no function for, from the system's C library.
 *
 * @module
 */

import { systemLibrary } from "../../lib/io/platform.ts";

/** Ends the whole process from any thread; `Deno.exit` would end a worker only. */
export function exitNow(code: number): never {
  const name = Deno.build.os === "windows" ? "ExitProcess" : "_exit";
  try {
    const { symbols } = Deno.dlopen(systemLibrary(), {
      [name]: { parameters: ["i32"], result: "void" },
    });
    (symbols[name] as (code: number) => void)(code);
  } catch {
    // without --allow-ffi, or another C library: what is left has a status of its own
  }
  Deno.kill(Deno.pid, "SIGKILL");
  throw new Error("unreachable");
}

let screens: ReturnType<typeof openScreens> | undefined;

function openScreens() {
  return Deno.dlopen(systemLibrary(), {
    poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
  }).symbols;
}

/** A bit of poll(): something can be written. */
const POLLOUT = 4;

/**
 * Whether a pipe or terminal takes 4 KiB at once: one that is not read (a pager that waits, Ctrl-S) would stop the
 * thread. True where that cannot be known.
 */
export function takesNow(file: number): boolean {
  if (Deno.build.os === "windows") return true;
  try {
    screens ??= openScreens();
    const poll = new DataView(new ArrayBuffer(8)); // int fd; short events, revents
    poll.setInt32(0, file, true);
    poll.setInt16(4, POLLOUT, true);
    return screens.poll(new Uint8Array(poll.buffer), 1n, 0) !== 0; // an error is for the write to find
  } catch {
    return true; // no such library, or not allowed
  }
}

const UNKNOWN_HOST = "this machine";

/** Name of this machine; "this machine" where the system does not tell. */
export function hostName(): string {
  try {
    const { symbols } = Deno.dlopen(systemLibrary(), {
      gethostname: { parameters: ["buffer", "usize"], result: "i32" },
    });
    const name = new Uint8Array(256);
    if (symbols.gethostname(name, BigInt(name.length - 1)) !== 0) return UNKNOWN_HOST;
    return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
  } catch {
    return UNKNOWN_HOST; // Windows, or not allowed
  }
}
