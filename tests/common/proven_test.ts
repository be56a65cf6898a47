/** What is said of kernels that compute wrong. */
import assert from "node:assert/strict";
import { strikeLine } from "../../scripts/common/proven.ts";
import { gpuTest } from "../support/gpu.ts";

gpuTest("a line tells what takes the place of what was struck off, itself never", (gpu) => {
  const before = gpu.struck, usual = gpu.isSoftware ? 1 : 64, next = gpu.isSoftware ? 64 : 8;
  const name = `rows ${usual}`;
  gpu.struck = new Set([name]);
  const line = strikeLine(gpu, { name, kernel: "layer_norm", fault: "stats[1]: 2 for 1" });
  gpu.struck = before;
  assert.equal(
    line,
    `struck off: ${name}, since kernel layer_norm computes wrong: stats[1]: 2 for 1; ${next} is used instead`,
  );
});
