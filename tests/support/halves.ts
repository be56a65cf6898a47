/** Kernels on halves beside the same kernels on f32. */
import assert from "node:assert/strict";
import type { DType, Gpu, Tensor } from "../../lib/gpu.ts";
import { values } from "./ops.ts";

/** Rounded to the nearest half. */
export function rounded(x: ArrayLike<number>): Float32Array<ArrayBuffer> {
  return Float32Array.from(new Float16Array(x));
}

/**
 * Most that storing x as a half may change it: less than one unit in the last place, since Vulkan leaves open in which
 * direction is rounded, and all of a number below the smallest normal one, which may become 0.
 */
export function halfError(x: number): number {
  return Math.abs(x) * 2 ** -10 + 2 ** -14;
}

/**
 * Runs an op on f32 and on halves of the same values. What it gives of f32 in both must have the same bits, or differ by
 * no more than `allowed` of it says; what it gives of halves is that of f32, rounded.
 *
 * @param run Gets what makes its tensors of halves, and returns its results by name.
 * @param allowed By name of a result: how far it may be off as the op reads halves again that it has stored.
 */
export async function assertHalves(
  gpu: Gpu,
  what: string,
  run: (
    half: (x: ArrayLike<number>, shape: readonly number[]) => Tensor,
    dtype: DType,
  ) => Record<string, Tensor>,
  allowed: Record<string, number> = {},
): Promise<void> {
  const results = [];
  for (const dtype of ["f32", "f16"] as const) {
    let made: [string, DType][] = [];
    const found = await values(gpu, () => {
      const out = run((x, shape) => gpu.tensor(rounded(x), shape, "halves", dtype), dtype);
      made = Object.entries(out).map(([name, tensor]) => [name, tensor.dtype]);
      return Object.values(out);
    });
    results.push({ made, found });
  }
  const [full, halves] = results;
  halves.made.forEach(([name, dtype], i) => {
    const bound = (x: number) => (dtype === "f16" ? halfError(x) : 0) + (allowed[name] ?? 0);
    const off = halves.found[i].findIndex((x, j) => {
      const wanted = full.found[i][j];
      return !(Math.abs(x - wanted) <= bound(wanted)) && !Object.is(x, wanted);
    });
    assert.equal(
      off,
      -1,
      `${what}: ${name}[${off}] is ${halves.found[i][off]}, of f32 it is ${full.found[i][off]}`,
    );
  });
  assert.ok(halves.made.length, what);
}
