/**
 * How long each dispatch of a program takes.
 *
 * @module
 */
import type { Gpu } from "./gpu.ts";
import { encode, type Encoded } from "./submit_queue.ts";

/** Start and end of each dispatch in nanoseconds. */
export async function timestamps(
  gpu: Gpu,
  dispatches: readonly Encoded[],
): Promise<BigUint64Array> {
  const { device } = gpu;
  const count = 2 * dispatches.length;
  const querySet = device.createQuerySet({ type: "timestamp", count });
  const resolved = device.createBuffer({ size: count * 8, usage: 0x200 | 0x04 });
  const staging = device.createBuffer({ size: count * 8, usage: 0x01 | 0x08 });
  const encoder = device.createCommandEncoder();
  dispatches.forEach((dispatch, i) => {
    const pass = encoder.beginComputePass({
      timestampWrites: {
        querySet,
        beginningOfPassWriteIndex: 2 * i,
        endOfPassWriteIndex: 2 * i + 1,
      },
    });
    encode(pass, dispatch);
    pass.end();
  });
  encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, count * 8);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  gpu.check();
  const times = new BigUint64Array(staging.getMappedRange().slice(0));
  for (const x of [querySet, resolved, staging]) x.destroy();
  return times;
}
