/**
 * The figure of how the cost of a step grows.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { BLUE, figure, GREEN, label, line, ORANGE } from "../lib/draw/svg.ts";
import type { ScaleSeries } from "./scale.ts";

/** Where the figure goes. */
const FIGURE = new URL("../docs/performance-scale.svg", import.meta.url);

const WIDTH = 720, HEIGHT = 320, TOP = 48, BOTTOM = 268;

/** Draws the figure of docs/performance.md. */
export async function writeScaleFigure(series: ScaleSeries, adapter: string): Promise<void> {
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
  const base = series.dim.find(({ value }) => value === 128) ?? series.dim[0];
  return figure(
    { width: WIDTH, height: HEIGHT },
    "The cost of a training step",
    "Left: milliseconds per image fall as the batch grows. Right: milliseconds of a step against its " +
      "operations, by number of tokens, width, K and local crops; grey is a constant rate.",
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
      slope: base.ms / base.gflop,
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

/** Axes in powers of two, lines with their names at their ends, and y = slope · x. */
function panel({ left, right, title, xTicks, lines, slope }: {
  left: number;
  right: number;
  title: string;
  xTicks: number[];
  lines: readonly (readonly [string, Points])[];
  slope?: number;
}): string {
  const yTicks = powers(lines.flatMap(([, list]) => list.map(([, y]) => y)));
  const axis = (ticks: number[], from: number, to: number) => {
    const [a, b] = [Math.log2(ticks[0]), Math.log2(ticks.at(-1)!)];
    return (value: number) => from + (Math.log2(value) - a) / (b - a || 1) * (to - from);
  };
  const x = axis(xTicks, left, right), y = axis(yTicks, BOTTOM, TOP);
  const ends = lines.map(([, list]) => y(list.at(-1)![1]));
  const places = spread(ends);
  const constant = slope === undefined ? "" : line(
    [
      Math.max(xTicks[0], yTicks[0] / slope),
      Math.min(xTicks.at(-1)!, yTicks.at(-1)! / slope),
    ].map((a) => [x(a), y(slope * a)]),
    { class: "grid", "stroke-width": 6 },
  );
  return [
    label(left, TOP - 20, title, { class: "title" }),
    ...yTicks.map((tick) =>
      line([[left, y(tick)], [right, y(tick)]], { class: "grid", "stroke-width": 1 }) +
      label(left - 6, y(tick) + 4, `${tick}`, { "text-anchor": "end" })
    ),
    ...xTicks.map((tick) => label(x(tick), BOTTOM + 18, `${tick}`, { "text-anchor": "middle" })),
    constant,
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
