/**
 * Gradient norms and clip factors, one per parameter tensor or one for all.
 *
 * @module
 */
import clipCode from "../../kernels/clip.wgsl" with { type: "text" };
import clipTotalCode from "../../kernels/clip_total.wgsl" with { type: "text" };
import flagCode from "../../kernels/flag.wgsl" with { type: "text" };
import squaresCode from "../../kernels/sum_squares.wgsl" with { type: "text" };
import totalCode from "../../kernels/total_norm.wgsl" with { type: "text" };
import { HatchlingError } from "../errors.ts";
import { defineKernel, type Gpu, grid, type Scalar, sizeOf, type Tensor } from "../gpu.ts";
import type { Parameters } from "../model/parameters.ts";
import { rowLaunch } from "../ops/row_launch.ts";

const SUM_SQUARES = defineKernel("sum_squares", squaresCode);
const CLIP = defineKernel("clip", clipCode);
const FLAG = defineKernel("flag", flagCode);
const TOTAL_NORM = defineKernel("total_norm", totalCode);
const CLIP_TOTAL = defineKernel("clip_total", clipTotalCode);

/** Elements of a block, a multiple of 4: few enough to spread the work, many enough to read in a row. */
const BLOCK = 4096;

/** Norms and factors of the tensors of one arena chunk, in layout order. */
export interface ClipResult {
  /** Parameter names of the chunk. */
  names: string[];
  /** [T], the norms before clipping; NaN where an element is not finite. */
  norms: Tensor;
  /** [T], min(1, clip / (norm + 1e-6)), of the tensor's norm or of that of all gradients. */
  factors: Tensor;
}

/** What a clip limits: the norm of each tensor by itself, or of all gradients together. */
export type ClipMode = "per_tensor" | "global_norm";

/**
 * Norm and clip factor of every gradient tensor: by itself, as facebookresearch/dino clips, or one factor for all, as
 * PyTorch's `clip_grad_norm_` does; the optimiser applies the factors. A clip of 0 only measures.
 *
 * @returns One result per chunk of gradients.
 * @throws {HatchlingError} When `clip` is negative or the parameters hold no gradients.
 */
export function clipFactors(
  gpu: Gpu,
  params: Parameters,
  clip: number,
  mode: ClipMode = "per_tensor",
): ClipResult[] {
  if (!(clip >= 0)) {
    throw new HatchlingError(`Expected a gradient clip of 0 (off) or more but found ${clip}`);
  }
  if (!params.grads.length) {
    throw new HatchlingError("Expected parameters with gradients but they have none");
  }
  const results = params.grads.map((grad, i) => {
    const slots = params.layout.slots.filter(({ chunk }) => chunk === params.layout.frozen + i);
    const blocks: number[] = [];
    const ranges: number[] = [];
    for (const { spec, start } of slots) {
      const size = sizeOf(spec.shape);
      ranges.push(blocks.length / 2, Math.ceil(size / BLOCK));
      for (let at = 0; at < size; at += BLOCK) blocks.push(start + at, Math.min(BLOCK, size - at));
    }
    const count = blocks.length / 2;
    const partial = gpu.empty([count, 2], "sum_squares");
    gpu.dispatch(SUM_SQUARES, {
      ...rowLaunch(gpu, count, BLOCK),
      bindings: {
        grad,
        blocks: gpu.tensor(new Uint32Array(blocks), [count, 2], "blocks"),
        partial,
      },
      params: { n: count },
      flops: 3 * grad.size,
    });
    const norms = gpu.empty([slots.length], "norms");
    const factors = gpu.empty([slots.length], "clip_factors");
    gpu.dispatch(CLIP, {
      bindings: {
        partial,
        ranges: gpu.tensor(new Uint32Array(ranges), [slots.length, 2], "ranges"),
        norms,
        factors,
      },
      params: { n: slots.length, clip: mode === "per_tensor" ? clip : 0 },
      workgroups: grid(slots.length, 64),
    });
    return { names: slots.map(({ spec }) => spec.name), norms, factors };
  });
  if (mode === "global_norm" && clip > 0) clipTotal(gpu, results, clip);
  return results;
}

/** Gives all tensors the factor of the norm of all gradients. */
function clipTotal(gpu: Gpu, chunks: readonly ClipResult[], clip: number): void {
  const total = gpu.empty([2], "total_norm");
  chunks.forEach(({ norms }, i) =>
    gpu.dispatch(TOTAL_NORM, {
      bindings: { norms, total },
      params: { n: norms.size, more: +(i > 0) },
      workgroups: [1],
    })
  );
  for (const { factors } of chunks) {
    gpu.dispatch(CLIP_TOTAL, {
      bindings: { total, factors },
      params: { n: factors.size, clip },
      workgroups: grid(factors.size, 64),
    });
  }
}

/** What {@linkcode flagNonFinite} looks at, and what it says of it. */
export interface FlagOptions {
  /** Numbers to look at. */
  values: Tensor;
  /** How many of them; all by default. */
  count?: number;
  /** What the first of them is called in the flag. */
  first: number;
  /** The step's number. */
  step: Scalar;
  /** Another such flag, of the step's micro-batches: the first of them, from 1, or 0. */
  microBatches?: Tensor;
}

/**
 * Sets a non-finite flag [3], u32, at the first of some values that is not finite: flag[0] = 1 + step, flag[1] =
 * 1 + `first` + its index, flag[2] = the first element of `microBatches`. Does nothing when it is already set.
 */
export function flagNonFinite(gpu: Gpu, flag: Tensor, options: FlagOptions): void {
  const { values, count = values.size, first, step, microBatches } = options;
  gpu.dispatch(FLAG, {
    bindings: { values, scalars: step.table, micro_batches: microBatches, flag },
    params: { n: count, first, step_index: step.index },
    workgroups: [1],
  });
}
