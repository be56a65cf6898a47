/**
 * How the cost of a step grows: with the batch, and with tokens, width, K and crops against their operations.
 *
 * @module
 */
import type { Gpu } from "../lib/gpu.ts";
import { emptyWait } from "./contender.ts";
import type { StepJobShape } from "./jobs.ts";
import { prepareStep } from "./ours.ts";
import { digits, table } from "./report.ts";
import { compare } from "./timing.ts";

/** The step that all others are variations of. */
const BASE: StepJobShape = {
  batch: 4,
  vit: { imageSize: 32, patchSize: 4, dim: 128, depth: 4, heads: 2 },
  head: { outDim: 4096, hiddenDim: 512, bottleneckDim: 128 },
  globals: 2,
  locals: 4,
  localSize: 16,
};

const vary = (change: (n: number) => Partial<StepJobShape>, values: number[]) =>
  values.map((value) => ({ value, shape: { ...BASE, ...change(value) } }));

const VARIATIONS = {
  batch: vary((batch) => ({ batch }), [1, 2, 4, 8, 16]),
  tokens: [16, 32, 48, 64].map((imageSize) => ({
    value: 1 + (imageSize / 4) ** 2,
    shape: { ...BASE, vit: { ...BASE.vit, imageSize }, localSize: imageSize / 2 },
  })),
  dim: vary((dim) => ({ vit: { ...BASE.vit, dim, heads: dim / 64 } }), [64, 128, 256, 384]),
  K: vary((outDim) => ({ head: { ...BASE.head, outDim } }), [1024, 4096, 16384, 65536]),
  "local crops": vary((locals) => ({ locals }), [0, 2, 4, 8, 12]),
};

/** One step of a series. */
export interface ScalePoint {
  /** What was varied. */
  value: number;
  /** Images per batch. */
  batch: number;
  /** 10⁹ operations of the step. */
  gflop: number;
  /** Milliseconds of the step. */
  ms: number;
}

/** Steps by what varies in them. */
export type ScaleSeries = Record<string, ScalePoint[]>;

/** Times all variations. */
export async function benchScale(
  gpu: Gpu,
  repeats: number,
  note: (line: string) => void,
): Promise<ScaleSeries> {
  const waitMs = await emptyWait(() => gpu.idle());
  const series: ScaleSeries = {};
  for (const [name, variations] of Object.entries(VARIATIONS)) {
    series[name] = [];
    for (const { value, shape } of variations) {
      note(`scale: ${name} ${value}`);
      const { subject } = await prepareStep(gpu, { op: "step", ...shape }, waitMs);
      await subject.sample();
      const [{ ms }] = await compare([subject], repeats);
      subject.destroy();
      series[name].push({ value, batch: shape.batch, gflop: subject.flops! / 1e9, ms });
    }
  }
  return series;
}

/** All series as tables. */
export function scaleText(series: ScaleSeries): string {
  const body = Object.entries(series).flatMap(([name, points]) =>
    points.map(({ value, batch, gflop, ms }) => [
      `${name} ${value}`,
      digits(gflop),
      digits(ms),
      digits(ms / batch),
      digits(gflop / ms * 1000),
    ])
  );
  return `## Scale\n${table(["", "GFLOP", "ms", "ms/image", "GFLOP/s"], body)}`;
}
