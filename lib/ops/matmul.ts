/**
 * Matrix product with transposes and fused epilogues.
 *
 * @module
 */
import code from "../../kernels/matmul.wgsl" with { type: "text" };
import wide from "../../kernels/matmul_wide.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel } from "../gpu/kernel.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";

const MATMUL = defineKernel("matmul", code);
const MATMUL_WIDE = defineKernel("matmul_wide", wide);

/** Options of {@linkcode matmul}; the epilogues apply in the order in which they stand here. */
export interface MatmulOptions {
  /** A is stored [K, M]. */
  transA?: boolean;
  /** B is stored [N, K], as PyTorch stores the weight of a linear layer. */
  transB?: boolean;
  /** Where to write; a new [M, N] tensor by default. */
  out?: Tensor;
  /** Add the product to what `out` holds. */
  accumulate?: boolean;
  /** [N], added to every row. */
  bias?: Tensor;
  /** [M, N], receives the value before GELU; C is then its exact GELU. */
  geluPre?: Tensor;
  /** [M, N] pre-activations: the product is multiplied by GELU′ of them. */
  geluGradOf?: Tensor;
  /** [M, N], added. */
  add?: Tensor;
  /** Which kernel; by default the one that suits the adapter. */
  tile?: "8x8" | "16x8";
}

/**
 * C = op(A) · op(B), [M, K] · [K, N] → [M, N], with leading dimensions flattened: [B, N, D] counts as
 * [B·N, D]. Each sum over K runs in a fixed order.
 *
 * @throws {HatchlingError} When the inner sizes differ or an epilogue's tensor has another size.
 *
 * @example
 * ```ts
 * import { openGpu } from "../gpu/mod.ts";
 * import { matmul } from "./matmul.ts";
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
  const { transA = false, transB = false, bias, geluPre, geluGradOf, add, accumulate = false } =
    options;
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
  if (geluGradOf && add) throw new HatchlingError("matmul: geluGradOf and add exclude each other");
  const out = options.out ?? gpu.empty([...(transA ? [m] : a.shape.slice(0, -1)), n], "matmul");
  const flags = [accumulate, bias, geluPre, geluGradOf, add];
  const epilogue = flags.reduce<number>((bits, on, i) => bits | (on ? 1 << i : 0), 0);
  // Without whole vec4 loads the wide tile gains nothing.
  const tile = options.tile ?? (gpu.isSoftware && ac % 4 + bc % 4 === 0 ? "16x8" : "8x8");
  const [rows, wx, wy] = tile === "16x8" ? [16, 8, 1] : [8, 8, 8];
  gpu.dispatch(tile === "16x8" ? MATMUL_WIDE : MATMUL, {
    constants: {
      TRANS_A: transA,
      TRANS_B: transB,
      VEC_A: ac % 4 === 0,
      VEC_B: bc % 4 === 0,
      VEC_C: n % 4 === 0,
      EXACT_K: k % 4 === 0,
      WX: wx,
      WY: wy,
    },
    tensors: [a, b, out, bias ?? a, geluGradOf ?? add ?? a, geluPre ?? gpu.dummy()],
    u32: [m, n, k, ac, bc, n, epilogue],
    workgroups: [Math.ceil(n / (8 * wx)), Math.ceil(m / (rows * wy))],
    flops: 2 * m * n * k,
  });
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
