/**
 * Matrix product with transposes and fused epilogues.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { DType, Gpu, Tensor } from "../gpu.ts";
import { EPILOGUE, launch, type MatmulSums } from "./matmul/launch.ts";
import { fits, type MatmulVariant, splitsOf, variantOf } from "./matmul/variants.ts";

export type { MatmulSums } from "./matmul/launch.ts";
export type { MatmulTile } from "./matmul/tiles.ts";
export type { MatmulVariant } from "./matmul/variants.ts";

/** Options of {@linkcode matmul}; the epilogues apply in the order in which they stand here. */
export interface MatmulOptions {
  /** A is stored [K, M]. */
  transA?: boolean;
  /** B is stored [N, K], as PyTorch stores the weight of a linear layer. */
  transB?: boolean;
  /** Where to write; a new [M, N] tensor by default. */
  out?: Tensor;
  /** What a new tensor holds; by default what A does. Sums and epilogues are made in f32 in any case. */
  dtype?: DType;
  /** Add the product to what `out` holds. */
  accumulate?: boolean;
  /** [N], added to every row. */
  bias?: Tensor;
  /** C is the exact GELU of the value. */
  gelu?: boolean;
  /** [M, N], receives the value before GELU, which is applied then. */
  geluPre?: Tensor;
  /** [M, N] pre-activations: the product is multiplied by GELU′ of them. */
  geluGradOf?: Tensor;
  /** [M, N], added. */
  add?: Tensor;
  /** [M], receives the sums of A's columns, which is then stored [K, M]. */
  sums?: MatmulSums;
  /** Which kernel; by default what was chosen for this shape on this adapter ({@linkcode Gpu.choices}). */
  variant?: MatmulVariant;
  /** Parts of K that are summed apart, then added in order; by default as many as keep the adapter busy. */
  splits?: number;
}

/**
 * C = op(A) · op(B), [M, K] · [K, N] → [M, N], with leading dimensions flattened: [B, N, D] counts as
 * [B·N, D]. Each sum over K runs in a fixed order.
 *
 * @throws {HatchlingError} When the inner sizes differ, an epilogue's tensor has another size, the variant asked
 * for does not compute this product here, or splits is not a whole number from 1 on.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { matmul } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const x = gpu.tensor(new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3]);
 * const w = gpu.tensor(new Float32Array([1, 0, 0, 0, 1, 0]), [2, 3]);
 * const y = matmul(gpu, x, w, { transB: true }); // [2, 2]
 * console.log(await y.read()); // 1 2 4 5
 * for (const t of [x, w, y]) t.destroy();
 * gpu.destroy();
 * ```
 */
export function matmul(gpu: Gpu, a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transA = false, transB = false, accumulate = false, sums } = options;
  const { bias, geluPre, geluGradOf, add } = options;
  const [ar, ac] = matrix(a);
  const [br, bc] = matrix(b);
  const [m, k] = transA ? [ac, ar] : [ar, ac];
  const [kb, n] = transB ? [bc, br] : [br, bc];
  if (k !== kb) {
    throw new HatchlingError(
      `matmul: expected equal inner sizes but found ${k} in ${a}${
        transA ? "ᵀ" : ""
      } and ${kb} in ${b}${transB ? "ᵀ" : ""}`,
    );
  }
  expectSize("bias", bias, n);
  for (const [name, t] of Object.entries({ geluPre, geluGradOf, add, out: options.out })) {
    expectSize(name, t, m * n);
  }
  expectSize("sums", sums?.out, m);
  if (sums && !transA) throw new HatchlingError("matmul: expected transA with sums but found none");
  if (geluGradOf && add) throw new HatchlingError("matmul: geluGradOf and add exclude each other");
  const out = options.out ??
    gpu.empty([...(transA ? [m] : a.shape.slice(0, -1)), n], "matmul", options.dtype ?? a.dtype);
  const gelu = options.gelu || geluPre;
  const flags = { accumulate, bias, gelu, geluGrad: geluGradOf, add, pre: geluPre };
  const epilogue = Object.entries(flags).reduce(
    (bits, [name, on]) => bits | (on ? EPILOGUE[name as keyof typeof flags] : 0),
    0,
  );
  const product = { m, n, k, transA, transB };
  const variant = options.variant ?? variantOf(gpu, product);
  if (!fits(gpu, variant, product)) {
    throw new HatchlingError(
      `matmul: expected for variant ${variant} ${
        variant === "subgroup"
          ? "whole vec4s and subgroups of 8 or more"
          : "an adapter with its invocations, workgroups and workgroup memory"
      } but found ${a}, ${b} and ${gpu.subgroupSize || "no"} subgroups: leave the variant out`,
    );
  }
  const splits = options.splits ?? splitsOf(gpu, variant, product);
  if (!Number.isInteger(splits) || splits < 1) {
    throw new HatchlingError(
      `matmul: expected splits to be whole and at least 1 but found ${splits}`,
    );
  }
  const tensors = { a, b, out, bias, aux: geluGradOf ?? add, pre: geluPre, sums };
  launch(gpu, variant, product, tensors, epilogue, splits);
  return out;
}

/** Rows and columns, leading dimensions flattened. */
function matrix(t: Tensor): [number, number] {
  const columns = t.shape.at(-1) ?? 1;
  return [t.size / columns, columns];
}

function expectSize(name: string, t: Tensor | undefined, size: number): void {
  if (t && t.size !== size) {
    throw new HatchlingError(`matmul: expected ${size} elements in ${name} but found ${t}`);
  }
}
