/**
 * From tokens to features: the class token and means of patch tokens over the cells of a grid, side by side.
 *
 * @module
 */
import poolCode from "../../kernels/pool_tokens.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Tensor } from "../gpu.ts";
import { type Feature, featureDim, featureParts } from "../model/feature.ts";

const POOL_TOKENS = defineKernel("pool_tokens", poolCode);

/** Patches of an image. */
export type PatchGrid = readonly [rows: number, cols: number];

/**
 * Features of n images into rows `first` … `first + n − 1` of `out` [S, F]; other rows stay. F is `featureDim(feature,
 * D)`. Cells are those of adaptive_avg_pool2d of PyTorch: of c cells along m patches, cell i covers ⌊i · m / c⌋ to
 * ⌈(i + 1) · m / c⌉; always exactly c, which repeat patches where there are fewer.
 *
 * @param tokens [n, 1 + rows · cols, D], the class token first, then the patches row by row.
 * @param patches Patches down and across: rows and cols.
 * @param options `out` is a new tensor [n, F] by default, `first` 0.
 * @returns `out`.
 * @throws {HatchlingError} When the tokens are no such grid, the word is unknown, or rows do not lie within `out`.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { poolTokens } from "@hatchling/hatchling/ops";
 *
 * const gpu = await openGpu();
 * const tokens = gpu.tensor(Float32Array.of(9, 1, 2, 3, 4, 5, 6), [1, 7, 1]); // a class token, 2 × 3 patches
 * const quad = gpu.scope(() => ({ y: poolTokens(gpu, tokens, [2, 3], "quad") }));
 * console.log(await quad.y.read()); // 1.5, 2.5, 4.5, 5.5
 * for (const t of [tokens, quad.y]) t.destroy();
 * gpu.destroy();
 * ```
 */
export function poolTokens(
  gpu: Gpu,
  tokens: Tensor,
  patches: PatchGrid,
  feature: Feature,
  options: { out?: Tensor; first?: number } = {},
): Tensor {
  const [n, , dim] = tokens.shape;
  const { first = 0 } = options;
  checkTokens(tokens, patches);
  const width = featureDim(feature, dim);
  const out = options.out ?? gpu.empty([n, width], "features");
  checkRows(out, width, first, n);
  dispatch(gpu, tokens, out, n * width, { patches, feature, dim, first });
  return out;
}

/**
 * The adjoint of {@linkcode poolTokens}: the gradient of tokens from that of their features. Class tokens of a feature
 * that has none get 0, or with `accumulate` what they have.
 *
 * @param dy [S, F], of which rows `first` … `first + n − 1` are used.
 * @param dTokens Receives [n, 1 + rows · cols, D], all of it.
 * @param patches Patches down and across: rows and cols.
 * @param options `first` is 0 by default; `accumulate` adds to what `dTokens` holds.
 * @throws {HatchlingError} As {@linkcode poolTokens} does.
 */
export function poolTokensBackward(
  gpu: Gpu,
  dy: Tensor,
  dTokens: Tensor,
  patches: PatchGrid,
  feature: Feature,
  { first = 0, accumulate = false }: { first?: number; accumulate?: boolean } = {},
): void {
  const [n, , dim] = dTokens.shape;
  checkTokens(dTokens, patches);
  checkRows(dy, featureDim(feature, dim), first, n);
  const settings = { patches, feature, dim, first };
  dispatch(gpu, dy, dTokens, dTokens.size, settings, { BACKWARD: true, ACCUMULATE: accumulate });
}

function dispatch(
  gpu: Gpu,
  src: Tensor,
  out: Tensor,
  n: number,
  { patches: [rows, cols], feature, dim, first }: {
    patches: PatchGrid;
    feature: Feature;
    dim: number;
    first: number;
  },
  constants: Record<string, boolean> = {},
): void {
  const { classTokens: cls, cells } = featureParts(feature);
  const images = n / dim / (constants.BACKWARD ? 1 + rows * cols : cls + cells * cells);
  // Patches that all cells cover, those that several share as often.
  const along = (patches: number) => Math.max(patches, cells);
  gpu.dispatch(POOL_TOKENS, {
    constants,
    bindings: { src, out },
    params: { n, dim, rows, cols, cls, cells, first },
    workgroups: grid(n, 64),
    flops: cells ? images * along(rows) * along(cols) * dim : 0,
  });
}

function checkTokens(tokens: Tensor, [rows, cols]: PatchGrid): void {
  const whole = [rows, cols].every((side) => Number.isInteger(side) && side >= 1);
  if (tokens.shape.length !== 3 || !whole || tokens.shape[1] !== 1 + rows * cols) {
    throw new HatchlingError(
      `poolTokens: expected tokens [n, 1 + ${rows} · ${cols}, D] but found ${tokens}`,
    );
  }
}

function checkRows(features: Tensor, width: number, first: number, n: number): void {
  const [rows, columns] = features.shape;
  if (features.shape.length !== 2 || columns !== width) {
    throw new HatchlingError(`poolTokens: expected features [S, ${width}] but found ${features}`);
  }
  if (!(Number.isInteger(first) && first >= 0 && first + n <= rows)) {
    throw new HatchlingError(
      `poolTokens: expected ${n} rows from ${first} on within ${features}: pass a whole \`first\` of at most ${
        rows - n
      }`,
    );
  }
}
