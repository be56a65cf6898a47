/** Work that counts only when all ranks succeed. */
import assert from "node:assert/strict";
import { aloneComm } from "../../lib/comm.ts";
import { allOrNone, numbersOfAll } from "../../lib/comm/all_or_none.ts";
import { commsOf } from "../support/comms.ts";

/** What each rank returned or threw, in words. */
async function outcomes(size: number, work: (rank: number) => unknown): Promise<string[]> {
  const found = await Promise.allSettled(
    commsOf(size).map(async (comm) => {
      const one = await allOrNone(comm, () => work(comm.rank));
      await comm.barrier(); // still in step
      return one;
    }),
  );
  return found.map((one) => one.status === "fulfilled" ? `${one.value}` : `${one.reason}`);
}

Deno.test("numbers of all ranks are known to all", async () => {
  const all = await Promise.all(
    commsOf(3).map((comm) => numbersOfAll(comm, [comm.rank, 1e15 + 1])),
  );
  for (const found of all) {
    assert.deepEqual(found.map((own) => [...own]), [0, 1, 2].map((r) => [r, 1e15 + 1]));
  }
  assert.deepEqual(await numbersOfAll(aloneComm(), [5]), [new Float64Array([5])]);
});

Deno.test("each rank gets what its work returned", async () => {
  assert.deepEqual(await outcomes(3, (rank) => Promise.resolve(rank)), ["0", "1", "2"]);
  assert.equal(await allOrNone(undefined, () => 4), 4);
  assert.equal(await allOrNone(aloneComm(), () => 4), 4);
});

Deno.test("where ranks fail all throw: they their own error, the others whose it was", async () => {
  class Odd extends RangeError {}
  const work = (rank: number) => {
    if (rank % 2) throw new Odd(`no picture ${rank}: “é”`);
    return rank;
  };
  const told = "HatchlingError: rank 1: no picture 1: “é”; rank 3: no picture 3: “é”";
  const own = (rank: number) => `RangeError: no picture ${rank}: “é”`;
  assert.deepEqual(await outcomes(5, work), [told, own(1), told, own(3), told]);
  const errors = await Promise.allSettled(
    commsOf(2).map((comm) => {
      return allOrNone(comm, () => work(comm.rank));
    }),
  );
  assert.ok(errors[1].status === "rejected" && errors[1].reason instanceof Odd);
  await assert.rejects(allOrNone(aloneComm(), () => work(1)), Odd);
});

Deno.test("all go on together after a failure", async () => {
  const log = await Promise.all(
    commsOf(3).map(async (comm) => {
      const fail = () => {
        if (comm.rank === 2) throw new Error("");
      };
      const first = await allOrNone(comm, fail).catch(String);
      return [first, await allOrNone(comm, () => "on")];
    }),
  );
  const told = ["HatchlingError: rank 2: Error", "on"];
  assert.deepEqual(log, [told, told, ["Error", "on"]]);
});
