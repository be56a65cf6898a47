/**
 * Cases posembed_*: resampling of the position embedding.
 *
 * @module
 */
import type { Gpu } from "../../../lib/gpu.ts";
import { posEmbed, type PosInterp, resampleMatrix } from "../../../lib/ops/pos_embed.ts";
import type { Case } from "./case.ts";
import type { Results } from "./compare.ts";
import { download, upload } from "./tensors.ts";

interface Config {
  grid: number;
  rows: number;
  cols: number;
  mode: PosInterp;
}

/** Resampled positions, their gradient, and the weights of both axes. */
export async function runPosEmbed(gpu: Gpu, testCase: Case): Promise<Results> {
  const { grid, rows, cols, mode } = testCase.doc.config as unknown as Config;
  const made = gpu.scope(() => {
    const data = upload(gpu, testCase, "pos");
    const grad = gpu.empty(data.shape, "grad_pos");
    const { y, backward } = posEmbed(gpu, { data, grad }, rows, cols, mode);
    backward(upload(gpu, testCase, "grad_y"));
    return new Map([["y", y], ["grad_pos", grad]]);
  });
  try {
    const weights: [string, Float64Array][] = [
      ["row_weights", resampleMatrix(grid, rows, mode)],
      ["col_weights", resampleMatrix(grid, cols, mode)],
    ];
    const values = await download(gpu, made);
    return { tensors: new Map<string, ArrayLike<number>>([...values, ...weights]) };
  } finally {
    for (const tensor of made.values()) tensor.destroy();
  }
}
