/**
 * Encoding the dispatches of a program, and how long each takes.
 *
 * @module
 */
import type { Gpu } from "./gpu.ts";
import type { Cost } from "./pace.ts";

/** A dispatch ready to be put into a pass. */
export interface Encoded {
  /** The compiled kernel. */
  pipeline: GPUComputePipeline;
  /** Its uniforms and tensors. */
  group: GPUBindGroup;
  /** Workgroups per dimension. */
  workgroups: readonly [number, number, number];
  /** What it is expected to take. */
  cost: Cost;
}

/** Puts a dispatch into a pass. */
export function encode(
  pass: GPUComputePassEncoder,
  { pipeline, group, workgroups }: Encoded,
): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
}

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
