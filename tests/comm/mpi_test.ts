/** Ranks that OpenMPI's mpirun starts. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ALGORITHM_VARIABLE } from "../../lib/comm/algorithm.ts";
import { type Ended, ranksTest, startRanks } from "../support/mpirun.ts";

const CHILD = fileURLToPath(new URL("../support/comm_child.ts", import.meta.url));

/** Ranks of a scenario. */
function ranks(
  scenario: string,
  { np = 3, env = {} }: { np?: number; env?: Record<string, string> } = {},
): Promise<Ended> {
  // No more permissions than a comm needs; Deno.kill needs one too.
  const allow = ["--allow-env", "--allow-ffi", ...scenario === "killed" ? ["--allow-run"] : []];
  return startRanks(np, [...allow, CHILD, scenario], env).ended;
}

/** What rank 0 printed. */
function said({ code, stdout, stderr }: Ended, expected = 0) {
  assert.equal(code, expected, stdout + stderr);
  return JSON.parse(stdout.split("\n").find((line) => line.startsWith("{"))!);
}

ranksTest(
  "three ranks add, tell, gather and wait; sums have the same bits again and everywhere",
  async () => {
    const found = said(await ranks("all"));
    assert.equal(found.size, 3);
    assert.equal(found.localRank, 0);
    assert.match(found.implementation, /^Open MPI v\d/);
    assert.deepEqual(found.gathered, [[], [1], [2, 2]]);
    assert.deepEqual(found.texts, Array(3).fill(`${Math.PI} 6,1.5`));
    assert.equal(found.elsewhere, 0);
    assert.deepEqual(found.nothing, [0, 0, 0]);
    assert.equal(found.bits.length, 9);
    assert.equal(new Set(found.bits).size, 1);
    assert.equal(found.big, true);
    // Part r of what rank s sends, 10 s + 2 r and the next, is part s of what rank r gets; then all ranks' pairs.
    assert.deepEqual(found.exchanged, [
      "0,1,10,11,20,21,0,7,1,7,2,7",
      "2,3,12,13,22,23,0,7,1,7,2,7",
      "4,5,14,15,24,25,0,7,1,7,2,7",
    ]);
    assert.match(found.odd, /alltoall: expected bytes in 3 parts of one length.*but found 7/);
    assert.match(found.closed, /HatchlingError: barrier: the comm is closed/);
  },
);

ranksTest(
  "sums are right by whatever the library adds up with, and its number is set unless it was",
  async () => {
    const cases = [[2, {}, "3"], [3, {}, "1"], [4, {}, "3"], [
      2,
      { [ALGORITHM_VARIABLE]: "2" },
      "2",
    ]] as const;
    for (const [np, env, expected] of cases) {
      const { algorithm, bits, worst } = said(await ranks("sums", { np, env }));
      assert.equal(algorithm, expected, `${np} ranks`);
      assert.deepEqual([bits.length, new Set(bits).size], [np, 1], `${np} ranks`);
      assert.ok(worst <= 1, `${np} ranks: ${worst} of the bound`);
    }
  },
);

ranksTest("timers go on while a rank waits", async () => {
  const { ticks } = said(await ranks("waits"));
  assert.ok(ticks > 1, `${ticks} ticks of 20 ms in a second`);
});

ranksTest(
  "who waits for a rank that does not come says so, and ends all with its status",
  async () => {
    const ended = await ranks("late");
    const { error, next, ms } = said(ended, 9);
    assert.match(error, /^HatchlingError: allreduceSum on rank 0 of 3: .* within 0\.5 s/);
    assert.match(next, /^HatchlingError: barrier: .*since this: allreduceSum on rank 0.*abort/);
    assert.ok(ms >= 500, `${ms} ms`);
  },
);

ranksTest("a rank that is killed ends all", async () => {
  const { code, stderr } = await ranks("killed");
  assert.equal(code, 137, stderr);
});

ranksTest("a rank that never opens its comm ends all", async () => {
  const { code, stderr } = await ranks("unjoined");
  assert.equal(code, 1, stderr);
  assert.match(stderr, /HatchlingError: openComm: expected all ranks to take part within 2 s/);
});
