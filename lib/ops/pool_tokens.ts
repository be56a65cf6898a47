/**
 * From tokens to features: the class token and means of patch tokens over the cells of a grid, side by side.
 *
 * @module
 */
import poolCode from "../../kernels/pool_tokens.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, type Tensor } from "../gpu.ts";
import { type Feature, featureDim, featureParts } from "../model/feature.ts";
import { moveLaunch } from "./row_launch.ts";
import { PUT, SOURCE } from "./wgsl_parts.ts";

const POOL_TOKENS = defineKernel("pool_tokens", poolCode, { shared: [PUT, SOURCE] });

/** Patches of an image. */
export type PatchGrid = readonly [rows: number, cols: number];

/** Where features lie among the rows [S, F], and what becomes of them. */
export interface PoolOptions {
  /** Row of the first image; 0 by default. */
  first?: number;
  /** Rows from one image to the next; 1 by default. With 2, features of two kinds lie side by side. */
  stride?: number;
  /** Factor; 1 by default. */
  scale?: number;
  /** Add to what is there; false by default. */
  accumulate?: boolean;
  /** Tokens before the patches: the class token, 1 by default, and registers, which are in no feature. */
  prefix?: number;
}

/**
 * Features of n images into n rows of `out` [S, F], from `first` on; other rows stay. F is `featureDim(feature,
 * D)`. Cells are those of adaptive_avg_pool2d of PyTorch: of c cells along m patches, cell i covers ⌊i · m / c⌋ to
 * ⌈(i + 1) · m / c⌉; always exactly c, which repeat patches where there are fewer.
 *
 * @param tokens [n, prefix + rows · cols, D], the class token first, the patches row by row at the end.
 * @param patches Patches down and across: rows and cols.
 * @param options `out` is a new tensor [n, F] by default.
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
  options: PoolOptions & { out?: Tensor } = {},
): Tensor {
  const [n, , dim] = tokens.shape;
  checkTokens(tokens, patches, feature, options);
  const width = featureDim(feature, dim);
  checkRows(options.out?.shape ?? [n, width], width, n, options);
  if (options.accumulate && !options.out) {
    throw new HatchlingError("poolTokens: expected `out` beside `accumulate` but found none");
  }
  const out = options.out ?? gpu.empty([n, width], "features");
  dispatch(gpu, tokens, out, { n, dim, patches, feature, options, backward: false });
  return out;
}

/**
 * The adjoint of {@linkcode poolTokens}: the gradient of tokens from that of their features. Class tokens of a feature
 * that has none get 0, or with `accumulate` keep what they have.
 *
 * @param dy [S, F], of which n rows are used, from `first` on.
 * @param dTokens Receives [n, prefix + rows · cols, D], all of it.
 * @param patches Patches down and across: rows and cols.
 * @throws {HatchlingError} As {@linkcode poolTokens} does.
 */
export function poolTokensBackward(
  gpu: Gpu,
  dy: Tensor,
  dTokens: Tensor,
  patches: PatchGrid,
  feature: Feature,
  options: PoolOptions = {},
): void {
  const [n, , dim] = dTokens.shape;
  checkTokens(dTokens, patches, feature, options);
  checkRows(dy.shape, featureDim(feature, dim), n, options);
  dispatch(gpu, dy, dTokens, { n, dim, patches, feature, options, backward: true });
}

interface Launch {
  /** Images. */
  n: number;
  dim: number;
  patches: PatchGrid;
  feature: Feature;
  options: PoolOptions;
  backward: boolean;
}

function dispatch(gpu: Gpu, src: Tensor, out: Tensor, launch: Launch): void {
  const { n: images, dim, patches: [rows, cols], feature, options, backward } = launch;
  const { first = 0, stride = 1, scale = 1, accumulate = false, prefix = 1 } = options;
  const { classTokens: cls, cells } = featureParts(feature);
  const n = images * (backward ? prefix + rows * cols : cls + cells * cells);
  const { constants, width, workgroups } = moveLaunch(n, dim);
  // Patches that all cells cover: those that several share count as often.
  const along = (patches: number) => Math.max(patches, cells);
  gpu.dispatch(POOL_TOKENS, {
    constants: { ...constants, BACKWARD: backward, ACCUMULATE: accumulate },
    bindings: { src, out },
    params: { n, width, rows, cols, cls, cells, first, stride, scale, prefix },
    workgroups,
    flops: cells ? images * along(rows) * along(cols) * dim : 0,
  });
}

function checkTokens(
  tokens: Tensor,
  [rows, cols]: PatchGrid,
  feature: Feature,
  { prefix = 1 }: PoolOptions,
): void {
  const whole = [rows, cols].every((side) => Number.isInteger(side) && side >= 1) &&
    Number.isInteger(prefix) && prefix >= 0;
  if (tokens.shape.length !== 3 || !whole || tokens.shape[1] !== prefix + rows * cols) {
    throw new HatchlingError(
      `poolTokens: expected tokens [n, ${prefix} + ${rows} · ${cols}, D] but found ${tokens}`,
    );
  }
  if (featureParts(feature).classTokens > prefix) {
    throw new HatchlingError(
      `poolTokens: expected a feature of patches, as no token comes before them, but found ${feature}: ` +
        "read mean, quad or grid",
    );
  }
}

function checkRows(
  shape: readonly number[],
  width: number,
  n: number,
  { first = 0, stride = 1, scale = 1 }: PoolOptions,
): void {
  const [rows, columns] = shape;
  const found = `[${shape.join(", ")}]`;
  if (shape.length !== 2 || columns !== width) {
    throw new HatchlingError(`poolTokens: expected features [S, ${width}] but found ${found}`);
  }
  const whole = Number.isInteger(first) && first >= 0 && Number.isInteger(stride) && stride >= 1;
  if (!whole || first + (n - 1) * stride >= rows) {
    throw new HatchlingError(
      `poolTokens: expected ${n} rows within features ${found} but found them from ${first} on, each ${stride} ` +
        "after the one before: pass whole `first` and `stride` that fit",
    );
  }
  if (!Number.isFinite(scale)) {
    throw new HatchlingError(`poolTokens: expected a finite scale but found ${scale}`);
  }
}
