/** What is said when a device is lost. */
import assert from "node:assert/strict";
import { DeviceError, openGpu } from "../../lib/gpu.ts";
import { lossError, type LostDevice } from "../../lib/gpu/lost.ts";
import type { Pipeline } from "../../lib/gpu/kernel.ts";
import { Pace } from "../../lib/gpu/pace.ts";
import { gpuTest } from "../support/gpu.ts";

/** A device of a maker whose last submission was measured to last so long. */
function device(vendor: string, ms: number, software = false): LostDevice {
  const pace = new Pace();
  const pipeline = { name: "matmul_staged" } as Pipeline;
  const cost = pace.costOf({ pipeline, flops: 1e9, tensors: [] });
  pace.measured(pace.submit([cost, cost], 2 * pace.expected(cost)), ms);
  return {
    info: { vendor, description: `${vendor} GPU`, isFallbackAdapter: software },
    pace,
    memory: { liveBytes: 3 * 2 ** 20, peakBytes: 5 * 2 ** 20 },
  };
}

const cases: [string, LostDevice, string, string, RegExp][] = [
  ["a long submission on Windows", device("nvidia", 2400), "Win32", "", /watchdog.*2400 ms.*TDR/],
  [
    "a long submission on Metal",
    device("apple", 5000),
    "MacIntel",
    "",
    /Metal ends command buffers/,
  ],
  [
    "a long submission with amdgpu",
    device("amd", 3000),
    "Linux x86_64",
    "",
    /amdgpu.*resets a ring/,
  ],
  ["a long submission on Intel", device("intel", 700), "Linux x86_64", "", /Intel.*engine/],
  [
    "memory, by the driver",
    device("amd", 20),
    "Linux x86_64",
    "VK_ERROR_OUT_OF_DEVICE_MEMORY",
    /out of memory.*lower data.batch_size/,
  ],
  [
    "the driver's own words",
    device("nvidia", 20),
    "Win32",
    "DXGI_ERROR_DEVICE_HUNG",
    /watchdog, by the driver's own words.*TDR/,
  ],
  ["nothing long", device("nvidia", 20), "Linux x86_64", "", /reset or updated.*deno task prove/],
  [
    "a CPU",
    device("Mesa", 5000, true),
    "Linux x86_64",
    "",
    /software driver ended.*memory is full/,
  ],
];

for (const [what, lost, platform, message, expected] of cases) {
  Deno.test(`device loss names the likely cause: ${what}`, () => {
    const error = lossError(lost, { reason: "unknown", message }, platform);
    assert.ok(error instanceof DeviceError);
    assert.match(error.message, expected);
    assert.match(
      error.message,
      /last submission: \d+ ms \(matmul_staged … matmul_staged, 2 dispatches\)/,
    );
    assert.match(error.message, /tensors: 3 MiB, at most 5 MiB/);
    assert.match(error.message, /What to do: .+, then resume from the last checkpoint$/);
  });
}

gpuTest("a device that is lost says so wherever it is asked for something", async () => {
  const gpu = await openGpu();
  gpu.device.destroy();
  await gpu.device.lost;
  assert.throws(() => gpu.check(), /device was lost \(destroyed\).*Likely cause: .*What to do: /);
});
