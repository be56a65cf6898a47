/**
 * A child that locks the folder of its first argument and ends its main thread, while another thread goes on for the
 * milliseconds of the second: a process that has ended, and still holds what it has opened. Linux only.
 */
import { lockFolder } from "../../scripts/train/run_lock.ts";
import { exitNow } from "../../scripts/train/libc.ts";
import { systemLibrary } from "../../lib/io/platform.ts";

/** Number of the system call that ends a thread alone. */
const EXIT = { x86_64: 60, aarch64: 93 }[Deno.build.arch as string]!;

/** Name of the worker. */
const LATE = "late";
const scope = self as unknown as Omit<Worker, "onmessage"> & {
  name?: string;
  onmessage: (event: MessageEvent<number>) => void;
};

if (scope.name !== LATE) {
  const [folder, ms] = Deno.args;
  await lockFolder(folder);
  const worker = new Worker(import.meta.url, { type: "module", name: LATE });
  await new Promise((resolve) => {
    worker.onmessage = resolve;
    worker.postMessage(Number(ms));
  });
  Deno.stdout.writeSync(new TextEncoder().encode("ending\n"));
  Deno.dlopen(systemLibrary(), { syscall: { parameters: ["i64", "i64"], result: "i64" } })
    .symbols.syscall(BigInt(EXIT), 0n);
} else {
  scope.onmessage = ({ data }) => {
    setTimeout(() => exitNow(0), data);
    scope.postMessage("waits");
  };
}
