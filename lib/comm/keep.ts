/**
 * Keeping a library in memory.
 *
 * @module
 */
import { systemLibrary } from "../io/platform.ts";

/** Flags of dlopen: RTLD_NOW, RTLD_GLOBAL, RTLD_NODELETE. */
const FLAGS: Partial<Record<typeof Deno.build.os, number>> = {
  linux: 0x2 | 0x100 | 0x1000,
  darwin: 0x2 | 0x8 | 0x80,
};

/**
 * Loads a library for as long as the process lives, with names that those find which it loads itself.
 *
 * Deno unloads libraries when it ends, before its threads do. A thread that started OpenMPI has something left to be
 * cleaned up by code of OpenMPI, and the process died of a segmentation fault after all its work.
 *
 * @returns Whether the library is there.
 */
export function keepLibrary(name: string, os: typeof Deno.build.os = Deno.build.os): boolean {
  const text = new TextEncoder().encode(`${name}\0`);
  // Before glibc 2.34 dlopen had a library of its own.
  for (const loader of [systemLibrary({ os }), ...os === "linux" ? ["libdl.so.2"] : []]) {
    try {
      const { symbols } = Deno.dlopen(loader, {
        dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
      });
      return symbols.dlopen(text, FLAGS[os]!) !== null;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
    }
  }
  return false;
}
