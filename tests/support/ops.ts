/** Running ops in tests. */
import assert from "node:assert/strict";
import type { Gpu, Tensor } from "../../lib/gpu.ts";

/**
 * Runs an op twice, asserts that both give the same bits, frees everything and returns the values.
 * `run` makes its own tensors, so that gradients start unfilled both times.
 */
export async function values(gpu: Gpu, run: () => Tensor[]): Promise<Float32Array[]> {
  const tensors = [gpu.scope(run), gpu.scope(run)];
  const [first, second] = await Promise.all(tensors.map((list) => gpu.read(list)));
  assert.deepEqual(first, second, "the same inputs gave other bits");
  for (const t of tensors.flat()) t.destroy();
  return first;
}

/**
 * Runs `fn` with one lane per row, as software adapters do, with 64, as GPUs do, and as this adapter does,
 * perhaps through subgroups.
 */
export async function eachLanes(gpu: Gpu, fn: (what: string) => Promise<void>): Promise<void> {
  for (const lanes of [1, 64, undefined]) {
    gpu.lanes = lanes;
    try {
      await fn(`lanes ${lanes ?? "of the adapter"}`);
    } finally {
      gpu.lanes = undefined;
    }
  }
}

/** Twice each value, in f64. */
export function doubled(x: ArrayLike<number>): number[] {
  return Array.from(x, (v) => 2 * v);
}
