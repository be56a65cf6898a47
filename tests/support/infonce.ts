/** Cases of InfoNCE, on the GPU and in f64. */
import type { Gpu } from "../../lib/gpu.ts";
import { infoNce, type InfoNceOptions, type InfoNceReferenceInput } from "../../lib/loss.ts";
import { normals } from "./numbers.ts";
import { values } from "./ops.ts";

/** Rows and settings of a loss. */
export interface InfoNceCase extends InfoNceReferenceInput {
  /** Samples B. */
  batch: number;
  globals: number;
  temperature: NonNullable<InfoNceReferenceInput["temperature"]>;
}

/** What a loss says of a case. */
export interface InfoNceReport {
  loss: number;
  accuracy: number;
  pairLoss: ArrayLike<number>;
  gradQueries: ArrayLike<number>;
  gradLogScale: number;
}

/** Rows [R, D] scaled to length 1, rounded to f32. */
export function unitRows(rows: ArrayLike<number>, dim: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(rows, (x, i) => {
    let squares = 0;
    const start = i - i % dim;
    for (let d = start; d < start + dim; d++) squares += rows[d] * rows[d];
    return x / Math.sqrt(squares || 1);
  });
}

/** Rows of the shape [B, G, V, D]: views of a sample are alike, as `noise` is small. */
export function infoNceCase(
  [batch, globals, views, dim]: readonly number[],
  { seed = 1, noise = 1, keys = false, temperature = 0.1 as InfoNceCase["temperature"] } = {},
): InfoNceCase {
  const samples = normals(batch * dim, seed);
  const rows = (n: number, from: number) => {
    const own = normals(n * batch * dim, from);
    return unitRows(own.map((x, i) => samples[i % samples.length] + noise * x), dim);
  };
  return {
    ...{ batch, globals, views, dim, temperature },
    queries: rows(views, seed + 1),
    ...keys ? { keys: rows(globals, seed + 2) } : {},
  };
}

/** The loss on the GPU, twice the same bits. */
export async function runInfoNce(
  gpu: Gpu,
  c: InfoNceCase,
  options: Partial<Pick<InfoNceOptions, "weight" | "chunkRows">> = {},
): Promise<InfoNceReport> {
  const { dim, views, globals, temperature: t } = c;
  const found = await values(gpu, () => {
    const tensor = (rows: ArrayLike<number>) =>
      gpu.tensor(Float32Array.from(rows), [rows.length / dim, dim]);
    const grad = gpu.tensor(Float32Array.of(NaN)); // a first contribution overwrites
    const logScale = typeof t === "number"
      ? undefined
      : { data: gpu.tensor(Float32Array.of(t.logScale)), grad };
    const { loss, accuracy, pairLoss, gradQueries } = infoNce(gpu, tensor(c.queries), {
      ...{ views, globals, keys: c.keys && tensor(c.keys) },
      temperature: logScale ? { logScale } : t as number,
      ...options,
    });
    return [loss, accuracy, pairLoss, gradQueries, ...logScale ? [grad] : []];
  });
  const [[loss], [accuracy], pairLoss, gradQueries, [gradLogScale] = []] = found;
  return { loss, accuracy, pairLoss, gradQueries, gradLogScale };
}
