/**
 * All kinds of work whose kernel is chosen by autotuning.
 *
 * @module
 */
import rowCode from "../../kernels/row_sum.wgsl" with { type: "text" };
import type { Gpu, TuningTask } from "../gpu.ts";
import { attention } from "./attention.ts";
import { PLAIN, SUBGROUP, TILED } from "./attention/kernels.ts";
import {
  ATTENTION,
  type AttentionVariant,
  attentionVariants,
  suitedAttention,
} from "./attention/variants.ts";
import { matmulTasks } from "./matmul/tuning_tasks.ts";
import { precisionTask } from "./precision_task.ts";
import { rowSum } from "./reduce.ts";
import { ROWS, usualLanes } from "./row_launch.ts";

/**
 * What {@linkcode autotune} needs to choose kernels on a GPU: matmul's by transposes and size, attention's, and the
 * lanes that share a row in row-wise kernels.
 */
export function tuningTasks(gpu: Gpu): TuningTask[] {
  const tasks = [...matmulTasks(gpu), attentionTask(gpu), rowTask(gpu)];
  return gpu.hasHalves ? [...tasks, precisionTask(gpu)] : tasks;
}

/** Sums of rows as wide as a transformer's tokens, by one lane a row, some, or a whole workgroup. */
function rowTask(gpu: Gpu): TuningTask {
  const [rows, columns] = [8192, 256];
  return {
    name: ROWS,
    candidates: ["1", "8", "64"].filter((lanes) => gpu.allows(ROWS, lanes)),
    usual: `${usualLanes(gpu)}`,
    code: rowCode,
    tolerance: 1e-5,
    prepare() {
      const values = Float32Array.from({ length: rows * columns }, (_, i) => i * Math.SQRT2 % 1);
      const x = gpu.tensor(values, [rows, columns]);
      const output = gpu.persistent([rows]);
      const run = (lanes: string) => {
        const before = gpu.lanes;
        gpu.lanes = Number(lanes);
        try {
          rowSum(gpu, x, { out: output });
        } finally {
          gpu.lanes = before;
        }
      };
      return { tensors: [x, output], output, run, reference: () => run("1") };
    },
  };
}

/** Attention as a small vision transformer has it: three heads of 64, 64 sequences of 65 tokens. */
function attentionTask(gpu: Gpu): TuningTask {
  const [batch, tokens, heads, headDim] = [64, 65, 3, 64];
  const dim = heads * headDim;
  return {
    name: ATTENTION,
    candidates: attentionVariants(gpu, headDim),
    usual: suitedAttention(gpu, headDim),
    code: [PLAIN, TILED, SUBGROUP].map(({ forward }) => forward.code).join("\n"),
    tolerance: 1e-5,
    prepare() {
      const size = batch * tokens * 3 * dim;
      const values = Float32Array.from({ length: size }, (_, i) => i * Math.SQRT2 % 2 - 1);
      const qkv = gpu.tensor(values, [batch, tokens, 3 * dim]);
      const output = gpu.persistent([batch, tokens, dim]);
      const run = (variant: string) =>
        void attention(gpu, qkv, heads, { out: output, variant: variant as AttentionVariant });
      return { tensors: [qkv, output], output, run, reference: () => run("plain") };
    },
  };
}
