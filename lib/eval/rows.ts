/**
 * Features that stay on the GPU in pieces, for products with many small matrices.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { matmul } from "../ops/matmul.ts";
import { checkRows, type FeatureArray } from "./features.ts";

/** Bytes of a piece, of features and of a product. */
const PIECE = 64 * 2 ** 20;

/** Features on the GPU. Destroy it when done. */
export class GpuRows {
  readonly #gpu: Gpu;
  readonly #dim: number;
  readonly #pieces: { first: number; tensor: Tensor }[] = [];

  /**
   * Uploads features.
   *
   * @param columns Most columns of a product with them.
   * @throws {HatchlingError} When they are not finite.
   */
  constructor(gpu: Gpu, features: FeatureArray, columns: number) {
    const { rows, dim } = checkRows(features, "features");
    this.#gpu = gpu;
    this.#dim = dim;
    const limit = Math.min(PIECE, gpu.limits.maxStorageBufferBindingSize);
    const count = Math.max(1, Math.floor(limit / 4 / Math.max(dim, columns)));
    for (let first = 0; first < rows; first += count) {
      const n = Math.min(count, rows - first);
      const part = features.data.subarray(first * dim, (first + n) * dim);
      this.#pieces.push({ first, tensor: gpu.tensor(part, [n, dim], "features") });
    }
  }

  /**
   * X · Bᵀ, row by row in order.
   *
   * @param b [N, D].
   * @param visit Gets a row's index, the values of a piece, and where the row begins in them.
   */
  async times(
    b: Float32Array,
    visit: (row: number, values: Float32Array, at: number) => void,
  ): Promise<void> {
    const columns = b.length / this.#dim;
    const right = this.#gpu.tensor(b, [columns, this.#dim], "right");
    try {
      for (const { first, tensor } of this.#pieces) {
        const product = matmul(this.#gpu, tensor, right, { transB: true });
        const values = await product.read().finally(() => product.destroy());
        for (let r = 0; r < tensor.shape[0]; r++) visit(first + r, values, r * columns);
      }
    } finally {
      right.destroy();
    }
  }

  /** Frees them. */
  destroy(): void {
    for (const { tensor } of this.#pieces) tensor.destroy();
  }
}
