/** A rank of tests/comm/faults_test.ts, started by mpirun: `fault_child.ts SCENARIO SILENCE_MS`. */
import { openComm } from "../../lib/comm.ts";

const [scenario, silenceMs] = Deno.args;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Holds this thread in native code, as a compiler does. */
function sleep(ms: number): void {
  Deno.dlopen("libc.so.6", { usleep: { parameters: ["u32"], result: "i32" } }).symbols.usleep(
    ms * 1000,
  );
}

if (scenario === "late" && Deno.env.get("OMPI_COMM_WORLD_RANK") === "1") {
  Deno.stdout.writeSync(new TextEncoder().encode(`late is process ${Deno.pid}\n`));
  Deno.kill(Deno.pid, "SIGSTOP");
}
const comm = await openComm({ timeoutMs: 50_000, silenceMs: Number(silenceMs) });
const { rank } = comm;
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

const scenarios: Record<string, () => Promise<void>> = {
  /** Goes on until somebody ends it. */
  async works() {
    await comm.barrier();
    say(`rank ${rank} is process ${Deno.pid}`);
    for (;;) await comm.barrier();
  },
  /** The main thread of one rank stands still. */
  async busy() {
    await comm.barrier();
    if (rank === 1) sleep(3 * Number(silenceMs));
    await comm.barrier();
    await comm.close();
    say(`rank ${rank} is done`);
  },
  /** Ranks close one after another, and wait longer than any silence may last. */
  async closes() {
    await pause(rank * 1.5 * Number(silenceMs));
    await comm.close();
    say(`rank ${rank} is done`);
  },
  /** All wait for a rank that does not close. */
  async waits() {
    say(`rank ${rank} is process ${Deno.pid}`);
    if (rank === 1) await pause(60_000);
    await comm.close();
  },
  /** Ends without closing. */
  async forgets() {
    await comm.barrier();
    say(`rank ${rank} is done`);
  },
  /** One is stopped before it comes, until somebody wakes it. */
  async late() {
    await comm.close();
    say(`rank ${rank} is done`);
  },
  async fails() {
    await comm.barrier();
    if (rank === 1) throw new Error("out of luck");
    await comm.barrier();
  },
};

await scenarios[scenario]();
