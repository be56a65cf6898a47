/** Preloaded into a command: at its end it says the most memory that it held, in KiB, where the system tells. */
addEventListener("unload", () => {
  if (Deno.build.os !== "linux") return;
  const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
  Deno.stderr.writeSync(new TextEncoder().encode(`peak ${peak} KiB\n`));
});
