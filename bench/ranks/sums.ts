/**
 * How long sums over ranks take: `mpirun -np 4 deno run -A bench/ranks/sums.ts [--bytes 1048576,…] [--turns 5]`.
 * Rank 0 prints a line of JSON for each length: medians, in milliseconds.
 *
 * @module
 */
import { Command } from "commander";
import { openComm } from "../../lib/comm.ts";
import { print } from "../../scripts/common/terminal.ts";
import { median } from "../timing.ts";

/** Sums of a turn. */
const SUMS = 4;

const list = (text: string) => text.split(",").map(Number);
const { bytes, turns } = new Command("sums")
  .option("--bytes <list>", "lengths", list, [4, 4096, 65536, 1048576, 4194304, 16777216])
  .option("--turns <n>", "turns behind a median", Number, 5)
  .parse(Deno.args, { from: "user" })
  .opts<{ bytes: number[]; turns: number }>();

const comm = await openComm({ timeoutMs: 120_000 });
for (const length of bytes) {
  const values = new Float32Array(length / 4);
  const found: number[] = [];
  for (let turn = 0; turn <= turns; turn++) {
    await comm.barrier();
    const start = performance.now();
    // In a row, as a rank that only sends what another adds has ended sooner than the sum is everywhere.
    for (let i = 0; i < SUMS; i++) await comm.allreduceSum(values);
    if (turn > 0) found.push((performance.now() - start) / SUMS); // the first one connects
  }
  const ms = Number(median(found).toPrecision(3));
  if (comm.rank === 0) print(JSON.stringify({ ranks: comm.size, bytes: length, ms }));
}
await comm.close();
