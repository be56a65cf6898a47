/**
 * What the kernels of a program compute, as ops declare it, and how long they take, by the device's own clock.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Gpu } from "./gpu.ts";
import { encode, type Encoded } from "./submit_queue.ts";

/** Cost of all dispatches of one kernel in a program. */
export interface KernelCost {
  /** The kernel's name. */
  name: string;
  /** How often it is dispatched. */
  dispatches: number;
  /** Floating-point operations of one run. */
  flops: number;
  /** Bytes bound, an upper bound of the bytes moved. */
  bytes: number;
}

/** Time of all dispatches of one kernel in a program. */
interface KernelTime {
  name: string;
  dispatches: number;
  ms: number;
}

/** A query set holds at most 4096 timestamps: two per dispatch. */
const MOST_TIMED = 2048;

/** Cost by kernel, largest FLOP count first. */
export function costsOf(dispatches: readonly Dispatch[]): KernelCost[] {
  const rows = byKernel(dispatches, { flops: 0, bytes: 0 }, (row, { flops, tensors }) => {
    row.flops += flops;
    row.bytes += tensors.reduce((sum, t) => sum + t.bytes, 0);
  });
  return rows.sort((a, b) => b.flops - a.flops || b.bytes - a.bytes);
}

/**
 * Runs dispatches with a pass for each and gives the milliseconds by kernel, largest first.
 *
 * @throws {HatchlingError} When the adapter has no timestamp queries.
 */
export async function timesOf(
  gpu: Gpu,
  dispatches: readonly Dispatch[],
  encoded: readonly Encoded[],
): Promise<KernelTime[]> {
  if (!gpu.device.features.has("timestamp-query")) {
    throw new HatchlingError(
      "Expected an adapter with timestamp-query for a profile but this one has none",
    );
  }
  const nanoseconds: number[] = [];
  for (let from = 0; from < encoded.length; from += MOST_TIMED) {
    const times = await timestamps(gpu, encoded.slice(from, from + MOST_TIMED));
    for (let i = 0; i < times.length; i += 2) nanoseconds.push(Number(times[i + 1] - times[i]));
  }
  const rows = byKernel(dispatches, { ms: 0 }, (row, _, i) => row.ms += nanoseconds[i] / 1e6);
  return rows.sort((a, b) => b.ms - a.ms);
}

/** A row for each kernel, with sums over its dispatches that begin at zero. */
function byKernel<T extends object>(
  dispatches: readonly Dispatch[],
  zero: T,
  add: (row: T, dispatch: Dispatch, index: number) => void,
): (T & { name: string; dispatches: number })[] {
  const rows = new Map<string, T & { name: string; dispatches: number }>();
  dispatches.forEach((dispatch, i) => {
    const { name } = dispatch.pipeline;
    const row = rows.get(name) ?? { name, dispatches: 0, ...zero };
    row.dispatches++;
    add(row, dispatch, i);
    rows.set(name, row);
  });
  return [...rows.values()];
}

/** Start and end of each dispatch in nanoseconds. */
async function timestamps(
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
