/**
 * The tuning tasks of matmul: one for each pair of transposes and size.
 *
 * @module
 */
import type { Gpu, TuningTask } from "../../gpu.ts";
import { MATRIX_KERNELS } from "./kernels.ts";
import { launch } from "./launch.ts";
import {
  type MatmulVariant,
  type Product,
  shapeClass,
  splitsOf,
  usable,
  usualVariant,
} from "./variants.ts";

/** [M, K, N] of a product of each size, as they come in transformers: forward, back, weights' gradients. */
const SHAPES: Record<"NN" | "NT" | "TN", readonly [number, number, number][]> = {
  NN: [[16, 2048, 2048], [256, 192, 192], [1024, 768, 192], [2048, 1536, 768]],
  NT: [[16, 2048, 2048], [256, 192, 192], [1024, 192, 768], [2048, 768, 1536]],
  TN: [[192, 1024, 192], [768, 2048, 384], [1536, 2048, 1024]],
};

/** The tiles that are worth a try at each size. */
const TILES_OF: Readonly<Record<string, readonly MatmulVariant[]>> = {
  skinny: ["staged 32x32", "staged 32x64", "staged 64x32"],
  small: ["staged 32x32", "staged 32x64", "staged 64x64", "staged 64x64 deep", "staged 64x64 wide"],
  medium: [
    "staged 64x64",
    "staged 64x64 deep",
    "staged 64x64 wide",
    "staged 64x128",
    "staged 128x64",
  ],
  large: [
    "staged 64x64",
    "staged 64x128",
    "staged 128x64",
    "staged 128x128",
    "staged 128x128 deep",
  ],
};

/** The variants that this adapter has for a product, the simple one first, which needs no workgroup memory. */
export function candidatesOf(gpu: Gpu, product: Product): MatmulVariant[] {
  const size = shapeClass(product).split(" ").at(-1)!;
  const all: MatmulVariant[] = ["plain", "subgroup", ...TILES_OF[size]];
  return all.filter((variant) => usable(gpu, variant, product));
}

/** What {@linkcode autotune} needs to choose matmul's kernels on a GPU. */
export function matmulTasks(gpu: Gpu): TuningTask[] {
  return Object.entries(SHAPES).flatMap(([mode, shapes]) =>
    shapes.map(([m, k, n]) =>
      task(gpu, { m, k, n, transA: mode[0] === "T", transB: mode[1] === "T" })
    )
  );
}

function task(gpu: Gpu, product: Product): TuningTask {
  const { m, k, n } = product;
  return {
    name: shapeClass(product),
    candidates: candidatesOf(gpu, product),
    usual: usualVariant(gpu, product),
    code: Object.values(MATRIX_KERNELS).map(({ code }) => code).join("\n"),
    tolerance: 1e-5,
    prepare() {
      const numbers = (size: number, step: number) =>
        gpu.tensor(Float32Array.from({ length: size }, (_, i) => i * step % 2 - 1));
      const [a, b] = [numbers(m * k, Math.SQRT2), numbers(k * n, Math.E)];
      const out = gpu.persistent([m, n], "out");
      return {
        tensors: [a, b, out],
        output: out,
        run(name) {
          const variant = name as MatmulVariant;
          launch(gpu, variant, product, { a, b, out }, 0, splitsOf(gpu, variant, product));
        },
        reference: () => launch(gpu, "naive", product, { a, b, out }, 0, 1),
      };
    },
  };
}
