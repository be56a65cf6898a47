/** Evaluations that processes share, started by mpirun. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { lacksAdapter } from "../support/gpu.ts";
import { lacksMpirun, startRanks } from "../support/mpirun.ts";
import { testUnless } from "../support/permissions.ts";

const CHILD = fileURLToPath(new URL("../support/eval_child.ts", import.meta.url));

testUnless(
  [lacksAdapter, lacksMpirun()],
  "processes encode what one encodes, to the bit, and outlive a failure",
  async () => {
    const { code, stdout, stderr } = await startRanks(3, ["-A", CHILD]).ended;
    assert.equal(code, 0, stdout + stderr);
    const { alone, ranks } = JSON.parse(stdout.split("\n").find((line) => line.startsWith("{"))!);
    assert.match(alone, /^[0-9a-f]{64}$/);
    const sound =
      "Encoding: expected 22 to be damaged, as another rank found it, but it is sound on rank 0: give all " +
      "ranks the same files";
    assert.deepEqual(ranks, [
      {
        shared: alone,
        unreadable: "HatchlingError: rank 1: disk on fire",
        damaged: `HatchlingError: ${sound}`,
        again: alone,
      },
      {
        shared: "",
        unreadable: "Error: disk on fire",
        damaged: `HatchlingError: rank 0: ${sound}`,
        again: "",
      },
      {
        shared: "",
        unreadable: "HatchlingError: rank 1: disk on fire",
        damaged: `HatchlingError: rank 0: ${sound}`,
        again: "",
      },
    ]);
  },
);
