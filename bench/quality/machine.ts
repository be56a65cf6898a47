/**
 * The machine's name.
 *
 * @module
 */

/** Threads and processor, where the system tells it. */
export async function machineName(): Promise<string> {
  const info = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  const name = /^model name\s*:\s*(.+)$/m.exec(info)?.[1] ?? Deno.build.arch;
  return `${navigator.hardwareConcurrency} threads of ${name}`;
}
