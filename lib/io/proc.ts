/**
 * What Linux tells in /proc.
 *
 * @module
 */
import { systemLibrary } from "./platform.ts";

let files: ReturnType<typeof openFiles> | undefined;

function openFiles() {
  return Deno.dlopen(systemLibrary({ os: "linux" }), {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  }).symbols;
}

/** Text of a file in /proc, 4 KiB at most. Deno itself reads those under --allow-all only. */
export function readProc(path: string): string | undefined {
  // Never asks the user for it.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return;
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
