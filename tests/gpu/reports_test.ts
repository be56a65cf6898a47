import assert from "node:assert/strict";
import { DeviceError } from "../../lib/errors.ts";
import type { LostDevice } from "../../lib/gpu/lost.ts";
import { Pace } from "../../lib/gpu/pace.ts";
import { Reports } from "../../lib/gpu/reports.ts";

/** A device that reports what it is told to. */
function device() {
  const target = new EventTarget();
  const { promise: lost, resolve: lose } = Promise.withResolvers<unknown>();
  const what: LostDevice = {
    info: { vendor: "maker", description: "GPU", isFallbackAdapter: false },
    pace: new Pace(),
    memory: { liveBytes: 0, peakBytes: 0 },
  };
  const reports = new Reports(Object.assign(target, { lost }) as unknown as GPUDevice, what);
  const report = (message: string, name = "GPUValidationError") => {
    const error = { constructor: { name }, message };
    target.dispatchEvent(Object.assign(new Event("uncapturederror"), { error }));
  };
  const loseIt = async () => {
    lose({ reason: "unknown", message: "gone" });
    await lost;
  };
  return { reports, report, loseIt };
}

Deno.test("Reports.check() throws the first error once, and none that was forgotten", () => {
  const { reports, report } = device();
  reports.check();
  report("one");
  report("two");
  assert.throws(
    () => reports.check(),
    (error) => error instanceof DeviceError && error.message === "The GPU reported: one",
  );
  reports.check();
  report("full", "GPUOutOfMemoryError");
  assert.throws(() => reports.check(), /ran out of memory \(full\)/);
  report("three");
  reports.forget();
  reports.check();
});

Deno.test("Reports.check() throws the device's loss every time, unless it was closed", async () => {
  const { reports, report, loseIt } = device();
  report("one");
  await loseIt();
  for (let i = 0; i < 2; i++) assert.throws(() => reports.check(), /The GPU device was lost/);

  const closed = device();
  closed.reports.close();
  await closed.loseIt();
  closed.reports.check();
});
