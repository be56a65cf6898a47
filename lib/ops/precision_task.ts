/**
 * Whether activations as halves are right and faster here.
 *
 * @module
 */
import type { DType, Gpu, Tensor, TuningTask } from "../gpu.ts";
import { layerNorm } from "./layer_norm.ts";
import { geluInput, linear } from "./linear.ts";
import { MATRIX_KERNELS } from "./matmul/kernels.ts";

/** The name under which {@linkcode Gpu.choices} holds what activations are stored as. */
export const PRECISION = "precision";

/**
 * The MLP of a transformer's block, forward and backward, with its activations as f32 and as halves. Four roundings to
 * halves lie between input and result, each of less than 2⁻¹⁰ of a number; ten times as much is no rounding.
 */
export function precisionTask(gpu: Gpu): TuningTask {
  const [rows, dim] = [8192, 256];
  return {
    name: PRECISION,
    candidates: ["f32", "f16"].filter((precision) => gpu.allows(PRECISION, precision)),
    usual: "f32",
    code: Object.values(MATRIX_KERNELS).map(({ code }) => code).join("\n"),
    tolerance: 4 * 10 * 2 ** -10,
    prepare() {
      const some = (shape: number[], scale: number, dtype: DType = "f32"): Tensor => {
        const size = shape.reduce((a, b) => a * b, 1);
        const values = Float32Array.from(
          { length: size },
          (_, i) => scale * (i * Math.SQRT2 % 2 - 1),
        );
        return gpu.tensor(values, shape, "tuning", dtype);
      };
      const x = { f32: some([rows, dim], 1), f16: some([rows, dim], 1, "f16") };
      const weights = [[dim], [dim], [4 * dim, dim], [4 * dim], [dim, 4 * dim], [dim]]
        .map((shape) => ({ data: some(shape, 0.1) }));
      const [gain, shift, w1, b1, w2, b2] = weights;
      const dy = some([rows, dim], 1), output = gpu.persistent([2, 4 * dim * dim]);
      const run = (precision: string) => {
        const input = x[precision as DType];
        const norm = layerNorm(gpu, input, gain, shift);
        // The gradients of both matrices say all: one is of what the norm gives, the other of what GELU does.
        const grad = ({ data }: { data: Tensor }, at: number) => ({
          data,
          grad: output.view(data.shape, at * data.size),
        });
        const fc1 = linear(gpu, norm.y, grad(w1, 0), b1, { gelu: true });
        const fc2 = linear(gpu, fc1.y, grad(w2, 1), b2, { residual: input });
        norm.backward(fc1.backward(fc2.backward(dy, { geluGradOf: geluInput(fc1) })!)!, dy);
      };
      const tensors = [x.f32, x.f16, ...weights.map(({ data }) => data), dy, output];
      return { tensors, output, run, reference: () => run("f32") };
    },
  };
}
