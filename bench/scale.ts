/**
 * How the cost of a step grows: with the batch, and with tokens, width, K and crops against their operations.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Gpu } from "../lib/gpu/mod.ts";
import { BLUE, figure, GREEN, label, line, ORANGE } from "../scripts/figures/svg.ts";
import { emptyWait } from "./contender.ts";
import type { StepShape } from "./jobs.ts";
import { prepareStep } from "./ours.ts";
import { digits, table } from "./report.ts";
import { compare } from "./timing.ts";

/** Where the figure goes. */
const FIGURE = new URL("../docs/performance-scale.svg", import.meta.url);

/** The step that all others are variations of. */
const BASE: StepShape = {
  batch: 4,
  vit: { imageSize: 32, patchSize: 4, dim: 128, depth: 4, heads: 2 },
  head: { outDim: 4096, hiddenDim: 512, bottleneckDim: 128 },
  globals: 2,
  locals: 4,
  localSize: 16,
};

const vary = (change: (n: number) => Partial<StepShape>, values: number[]) =>
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

const WIDTH = 720, HEIGHT = 320, TOP = 48, BOTTOM = 268;

/** Draws the figure of docs/performance.md. */
export async function scaleFigure(series: ScaleSeries, adapter: string): Promise<void> {
  const file = fileURLToPath(FIGURE);
  await Deno.writeTextFile(file, scaleSvg(series, adapter));
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", file] }).output();
}

/** Left: milliseconds per image against the batch. Right: those of a step against its operations. */
export function scaleSvg(series: ScaleSeries, adapter: string): string {
  const perImage = series.batch.map(({ batch, ms }) => [batch, ms / batch] as const);
  const steps = Object.entries(series).filter(([name]) => name !== "batch");
  const points = steps.map(([name, list]) =>
    [name, list.map(({ gflop, ms }) => [gflop, ms] as const)] as const
  );
  return figure(
    { width: WIDTH, height: HEIGHT },
    "The cost of a training step",
    "Left: milliseconds per image fall as the batch grows. Right: milliseconds of a step against its " +
      "operations, by number of tokens, width, K and local crops.",
    panel({
      left: 56,
      right: 312,
      title: "ms per image, by batch",
      xTicks: perImage.map(([batch]) => batch),
      lines: [["", perImage]],
    }),
    panel({
      left: 400,
      right: 620,
      title: "ms per step, by GFLOP of the step",
      xTicks: powers(points.flatMap(([, list]) => list.map(([x]) => x))),
      lines: points,
    }),
    label(WIDTH - 8, HEIGHT - 8, adapter, { "text-anchor": "end" }),
  );
}

type Points = readonly (readonly [number, number])[];

const COLORS = [BLUE, ORANGE, GREEN, "#8250df"];
const DASHES = ["none", "7 3", "2 3", "10 3 2 3"];

/** Powers of two from below the smallest to above the largest. */
function powers(numbers: readonly number[]): number[] {
  const from = Math.floor(Math.log2(Math.min(...numbers)));
  const to = Math.ceil(Math.log2(Math.max(...numbers)));
  return Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));
}

/** Axes in powers of two, and lines with their names at their ends. */
function panel({ left, right, title, xTicks, lines }: {
  left: number;
  right: number;
  title: string;
  xTicks: number[];
  lines: readonly (readonly [string, Points])[];
}): string {
  const yTicks = powers(lines.flatMap(([, list]) => list.map(([, y]) => y)));
  const axis = (ticks: number[], from: number, to: number) => {
    const [a, b] = [Math.log2(ticks[0]), Math.log2(ticks.at(-1)!)];
    return (value: number) => from + (Math.log2(value) - a) / (b - a || 1) * (to - from);
  };
  const x = axis(xTicks, left, right), y = axis(yTicks, BOTTOM, TOP);
  const ends = lines.map(([, list]) => y(list.at(-1)![1]));
  const places = spread(ends);
  return [
    label(left, TOP - 20, title, { class: "title" }),
    ...yTicks.map((tick) =>
      line([[left, y(tick)], [right, y(tick)]], { class: "grid", "stroke-width": 1 }) +
      label(left - 6, y(tick) + 4, `${digits(tick)}`, { "text-anchor": "end" })
    ),
    ...xTicks.map((tick) => label(x(tick), BOTTOM + 18, `${tick}`, { "text-anchor": "middle" })),
    ...lines.map(([, list], i) =>
      line(list.map(([a, b]) => [x(a), y(b)]), {
        stroke: COLORS[i],
        "stroke-dasharray": DASHES[i],
      })
    ),
    ...lines.map(([name, list], i) =>
      label(x(list.at(-1)![0]) + 6, places[i] + 4, name, { class: "halo" })
    ),
  ].join("");
}

/** Moves labels apart that would lie on each other. */
function spread(heights: readonly number[]): number[] {
  const order = heights.map((height, i) => ({ height, i })).sort((a, b) => a.height - b.height);
  const placed: number[] = [];
  let last = -Infinity;
  for (const { height, i } of order) placed[i] = last = Math.max(height, last + 14);
  return placed;
}
