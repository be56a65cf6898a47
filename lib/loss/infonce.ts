/**
 * InfoNCE over the views of a batch (van den Oord et al. 2018, arXiv:1807.03748, eq. 4; between views of a picture, Chen
 * et al. 2020, arXiv:2002.05709, eq. 1): a view finds its picture among those of the batch.
 *
 * @module
 */
import type { Gpu, Tensor } from "../gpu.ts";
import { matmul } from "../ops/matmul.ts";
import { addTo, rowSum } from "../ops/reduce.ts";
import { finish, rowPass } from "./infonce/kernels.ts";
import { checkOptions, type InfoNceMetrics, type InfoNceOptions } from "./infonce/options.ts";

/** What {@linkcode infoNce} returns. */
export interface InfoNceResult extends InfoNceMetrics {
  /** [V·B, D], the gradient of loss times weight: through queries and, unless these are given, through keys. */
  gradQueries: Tensor;
}

/**
 * L = 1/G Σ_i of the mean over views j ≠ i and samples b of −log( exp(z_jb · y_ib / τ) / Σ_b′ exp(z_jb · y_ib′ / τ) ),
 * i over the global views: a view of a sample finds its key among those that the batch has in view i.
 *
 * z are the queries, rows of length 1 of all views; they are used as they are given. y are the queries of the
 * global views themselves, and then the gradient goes through both sides, or a momentum teacher's, and then through
 * z alone. (SimCLR also takes the other rows of view j as negatives; MoCo v3, Chen et al. 2021, arXiv:2104.02057,
 * multiplies by 2τ, which is left out here: the weight can hold it.)
 *
 * Negatives lie within the batch that is given: of micro-batches, each within itself. A batch of one sample has
 * none: loss and gradient are 0.
 *
 * @param queries [V·B, D], view-major: all B samples of view 0, then of view 1, …; global views first.
 * @throws {HatchlingError} When shapes do not fit, or a setting is out of range.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { infoNce } from "@hatchling/hatchling/loss";
 *
 * const gpu = await openGpu();
 * const rows = [1, 0, 0, 1, 1, 0, 0, 1]; // two views of two samples, which are at right angles
 * const queries = gpu.tensor(new Float32Array(rows), [4, 2]);
 * const { loss, accuracy } = gpu.scope(() => infoNce(gpu, queries, { views: 2, temperature: 0.5 }));
 * console.log(await gpu.read([loss, accuracy])); // ln(1 + exp(−2)) = 0.1269; 1
 * for (const t of [queries, loss, accuracy]) t.destroy();
 * gpu.destroy();
 * ```
 */
export function infoNce(gpu: Gpu, queries: Tensor, options: InfoNceOptions): InfoNceResult {
  const checked = checkOptions(gpu, queries, options);
  const { sizes, dim, keys: given, temperature, weight, steps, copies, chunk, out } = checked;
  const { batch, views, globals } = sizes;
  const rows = views * batch, columns = globals * batch;
  return gpu.scope(() => {
    const keys = given ?? queries.view([columns, dim]);
    const room = gpu.empty([chunk, columns], "infonce.similarities");
    const terms = gpu.empty([3 * globals * views, batch], "infonce.terms");
    const gradQueries = gpu.empty([rows, dim], "infonce.grad");
    // A single chunk adds the keys' gradient to that of the queries; several need room for what is not complete.
    const whole = gradQueries.view([columns, dim]), single = chunk === rows;
    const gradKeys = given || single ? whole : gpu.empty([columns, dim], "infonce.grad_keys");
    const factor = weight / (globals * (views - 1) * batch * steps);
    for (let first = 0; first < rows; first += chunk) {
      const n = Math.min(chunk, rows - first);
      const part = (t: Tensor) => t.view([n, dim], first * dim);
      const z = part(queries);
      const s = matmul(gpu, z, keys, { transB: true, out: room.view([n, columns]) });
      rowPass(gpu, sizes, temperature, { similarities: s, terms }, { first, factor });
      matmul(gpu, s, keys, { out: part(gradQueries) });
      const accumulate = single || first > 0;
      if (!given) matmul(gpu, s, z, { transA: true, out: gradKeys, accumulate });
    }
    if (gradKeys !== whole) addTo(gpu, whole, gradKeys);
    const sums = rowSum(gpu, terms, { scale: 1 / (batch * steps * copies) });
    const metrics = out ?? {
      loss: gpu.empty([1], "infonce"),
      accuracy: gpu.empty([1], "infonce.accuracy"),
      pairLoss: gpu.empty([globals, views], "infonce.pairs"),
    };
    finish(gpu, sizes, temperature, { sums, ...metrics }, {
      weight,
      accumulate: checked.accumulate,
    });
    return { ...metrics, gradQueries };
  });
}
