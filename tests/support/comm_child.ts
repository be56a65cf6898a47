/** A rank of tests/comm/mpi_test.ts, started by mpirun. Rank 0 prints a line of JSON. */
import { openComm } from "../../lib/comm.ts";
import { ALGORITHM_VARIABLE } from "../../lib/comm/algorithm.ts";

const rank = Number(Deno.env.get("OMPI_COMM_WORLD_RANK"));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (value: unknown) => rank === 0 && console.log(JSON.stringify(value));

/** Numbers whose sum depends on its order. */
function numbers(length: number): Float32Array<ArrayBuffer> {
  let state = rank + 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) * 10 ** (state % 7);
  });
}

async function hash(values: Float32Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", values));
}

const scenarios: Record<string, () => Promise<void>> = {
  async all() {
    const comm = await openComm({ timeoutMs: 30_000 });
    const { size, localRank, implementation } = comm;
    const sum = new Float32Array([9, rank + 1, 0.5, 9]).subarray(1, 3);
    // Called at once, these still run in order.
    const told = new Float64Array([rank === 1 ? Math.PI : 0]);
    const [, , gathered] = await Promise.all([
      comm.allreduceSum(sum),
      comm.broadcast(told, 1),
      comm.gather(new Uint8Array(rank).fill(rank), 0),
      comm.barrier(),
    ]);
    const tell = await comm.gather(new TextEncoder().encode(`${told[0]} ${sum.join()}`));
    const texts = tell.map((bytes) => new TextDecoder().decode(bytes));
    const nothing = await comm.gather(new Uint8Array(0));
    const elsewhere = await comm.gather(new Uint8Array([rank]), 2);
    // More than one piece, one of them a short one.
    const bits: string[] = [];
    for (let i = 0; i < 3; i++) {
      const values = numbers(1_500_001);
      await comm.allreduceSum(values);
      bits.push(...(await comm.gather(await hash(values))).map(String));
    }
    const big = new Uint8Array(5_000_001).fill(rank);
    await comm.broadcast(big, 2);
    await comm.allreduceSum(new Float32Array(0));
    const parts = await comm.alltoall(
      Uint8Array.from({ length: 2 * size }, (_, i) => 10 * rank + i),
    );
    const joined = await comm.allgather(Uint8Array.of(rank, 7));
    const exchanged = (await comm.gather(Uint8Array.of(...parts, ...joined))).map(String);
    const odd = await comm.alltoall(new Uint8Array(2 * size + 1)).catch((error) => `${error}`);
    await comm.close();
    await comm.close();
    const closed = await comm.barrier().catch((error) => `${error}`);
    say({
      ...{ size, localRank, implementation, gathered: gathered.map((bytes) => [...bytes]), texts },
      ...{
        elsewhere: elsewhere.length,
        nothing: nothing.map((bytes) => bytes.length),
        bits,
        big: big.every((byte) => byte === 2),
        ...{ exchanged, odd },
        closed,
      },
    });
  },
  async sums() {
    const comm = await openComm({ timeoutMs: 30_000 });
    const algorithm = Deno.env.get(ALGORITHM_VARIABLE);
    const values = numbers(1_500_001), terms = values.slice();
    await comm.allreduceSum(values);
    const bits = (await comm.gather(await hash(values))).map(String);
    const all = (await comm.gather(new Uint8Array(terms.buffer)))
      .map(({ buffer }) => new Float32Array(buffer as ArrayBuffer));
    // Of n numbers, n − 1 roundings, each of half a unit of the last place.
    let worst = 0;
    for (let i = 0; i < (all.length && values.length); i++) {
      const [sum, size] = all.reduce(([sum, size], a) => [sum + a[i], size + Math.abs(a[i])], [
        0,
        0,
      ]);
      worst = Math.max(worst, Math.abs(values[i] - sum) / ((comm.size - 1) * 2 ** -24 * size));
    }
    await comm.close();
    say({ algorithm, bits, worst });
  },
  async waits() {
    const comm = await openComm({ timeoutMs: 30_000 });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 20);
    if (rank === 1) await pause(1000);
    await comm.barrier();
    clearInterval(timer);
    await comm.close();
    say({ ticks });
  },
  async late() {
    const comm = await openComm({ timeoutMs: 30_000 });
    if (rank === 1) await pause(60_000);
    const begin = performance.now();
    const values = new Float32Array(10);
    const error = await comm.allreduceSum(values, { timeoutMs: 500 }).catch(String);
    const ms = performance.now() - begin;
    const next = await comm.barrier().catch(String);
    say({ error, next, ms });
    if (rank !== 0) await pause(60_000);
    await pause(200); // until mpirun has passed the line on
    await comm.abort(9);
  },
  async killed() {
    const comm = await openComm({ timeoutMs: 30_000 });
    await comm.barrier();
    if (rank === 1) Deno.kill(Deno.pid, "SIGKILL");
    await comm.barrier();
  },
  async unjoined() {
    if (rank === 1) await pause(60_000);
    await openComm({ timeoutMs: 2000 });
  },
};

await scenarios[Deno.args[0]]();
