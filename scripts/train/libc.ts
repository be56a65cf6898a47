/**
 * The little that Deno has no function for, from the system's C library.
 *
 * @module
 */

const LIBRARIES: Record<string, string> = {
  windows: "kernel32.dll",
  darwin: "libSystem.dylib",
  linux: "libc.so.6",
};

/** Ends the whole process from any thread; `Deno.exit` would end a worker only. */
export function exitNow(code: number): never {
  const name = Deno.build.os === "windows" ? "ExitProcess" : "_exit";
  try {
    const { symbols } = Deno.dlopen(LIBRARIES[Deno.build.os] ?? "libc.so", {
      [name]: { parameters: ["i32"], result: "void" },
    });
    (symbols[name] as (code: number) => void)(code);
  } catch {
    // without --allow-ffi, or another C library: what is left has a status of its own
  }
  Deno.kill(Deno.pid, "SIGKILL");
  throw new Error("unreachable");
}

let files: ReturnType<typeof openFiles> | undefined;

function openFiles() {
  return Deno.dlopen(LIBRARIES.linux, {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  }).symbols;
}

/** Text of a file in /proc, 4 KiB at most. Deno itself reads those under --allow-all only. */
export function readProc(path: string): string | undefined {
  try {
    files ??= openFiles();
    const file = files.open(new TextEncoder().encode(path + "\0"), 0);
    if (file < 0) return;
    const bytes = new Uint8Array(4096);
    const length = Number(files.read(file, bytes, BigInt(bytes.length)));
    files.close(file);
    return length < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, length));
  } catch {
    return; // no such library, or not allowed
  }
}
