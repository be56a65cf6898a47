/**
 * The teacher: a moving average of the student.
 *
 * @module
 */
import code from "../kernels/ema.wgsl" with { type: "text" };
import { defineKernel, type Gpu, grid, type Scalar, type Tensor } from "./gpu.ts";
import type { Parameters } from "./model/parameters.ts";

const EMA = defineKernel("ema", code);

/**
 * teacher ← m · teacher + (1 − m) · student over all parameters (Caron et al. 2021, section 3.1), after
 * the optimiser's step. What is frozen is the same in both, and left out.
 *
 * @param momentum m; 1 − m follows it in the table.
 * @param flag The step's non-finite flag; none for eager use.
 * @param from First chunk of the arenas; by default the first that is trained.
 *
 * @category Training
 */
export function emaUpdate(
  gpu: Gpu,
  teacher: Parameters,
  student: Parameters,
  momentum: Scalar,
  flag?: Tensor,
  from: number = teacher.layout.frozen,
): void {
  teacher.data.slice(from).forEach((data, i) =>
    gpu.dispatch(EMA, {
      bindings: { teacher: data, student: student.data[from + i], scalars: momentum.table, flag },
      params: { n: data.size, momentum_index: momentum.index },
      workgroups: grid(data.size / 16, 64),
      flops: 3 * data.size,
    })
  );
}
