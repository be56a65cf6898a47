/**
 * The curves of a comparison.
 *
 * @module
 */
import { BLUE, figure, GREEN, label, line, ORANGE, scale } from "../../lib/draw/svg.ts";
import { curveMetrics, type StepLine, type Summary } from "./results.ts";

const WIDTH = 760, PANEL = 300, ROW = 230, LEFT = 56, TOP = 64, HEIGHT = 150;

/** Hatchling a broad line, PyTorch a dashed one upon it, thin ones for the yardsticks. */
const STYLES: Record<string, string | number>[] = [
  { stroke: BLUE, "stroke-width": 5, "stroke-opacity": 0.45 },
  { stroke: ORANGE, "stroke-width": 2, "stroke-dasharray": "6 3" },
  { stroke: GREEN, "stroke-width": 1.5 },
  { stroke: "#8250df", "stroke-width": 1.5, "stroke-dasharray": "2 3" },
  { stroke: "#808080", "stroke-width": 1.5, "stroke-dasharray": "9 3 2 3" },
];

const styleOf = (i: number) => STYLES[i % STYLES.length];

/** Points that a line of losses is reduced to. */
const POINTS = 100;

type Points = (readonly [number, number])[];

/** Loss and figures against steps, one line for each who trained. */
export function curvesSvg(
  { setup, evaluations }: Summary,
  steps: readonly StepLine[],
): string {
  const { names } = setup;
  const figures = evaluations.flatMap((e) => e.figures);
  const panels: { title: string; lines: Points[] }[] = [{
    title: "loss",
    lines: names.map((_, i) => smooth(steps.map(({ step, loss }) => [step + 1, loss[i]]))),
  }];
  for (const metric of curveMetrics(figures)) {
    panels.push({
      title: `${metric}, %`,
      lines: names.map((name) =>
        evaluations.flatMap(({ step, figures }) => {
          const found = figures.find((f) => f.metric === metric && f.encoder === name);
          return found?.percent === undefined ? [] : [[step, found.percent] as const];
        })
      ),
    });
  }
  const last = Math.max(1, ...steps.map(({ step }) => step + 1)); // at the start there is none
  const rows = Math.ceil(panels.length / 2);
  const height = TOP + rows * ROW;
  return figure(
    { width: WIDTH, height },
    `Training in ${names.slice(0, 2).join(" and in ")}`,
    "Loss and figures against steps, on the same crops from the same weights.",
    ...names.map((name, i) => {
      const x = LEFT + (WIDTH - LEFT) / names.length * i;
      return line([[x, 20], [x + 28, 20]], styleOf(i)) + label(x + 34, 24, name);
    }),
    ...panels.map((panel, p) =>
      draw(panel, last, LEFT + (p % 2) * (PANEL + 80), TOP + Math.floor(p / 2) * ROW)
    ),
    label(WIDTH - 8, height - 6, `${setup.adapter}; PyTorch ${setup.torch}`, {
      "text-anchor": "end",
    }),
  );
}

/** Means of as many neighbours as leave {@linkcode POINTS} points. */
export function smooth(points: Points): Points {
  const n = Math.max(1, Math.ceil(points.length / POINTS));
  const mean = (of: number[]) => of.reduce((sum, x) => sum + x, 0) / of.length;
  return Array.from({ length: Math.ceil(points.length / n) }, (_, i) => {
    const part = points.slice(i * n, (i + 1) * n);
    return [mean(part.map(([x]) => x)), mean(part.map(([, y]) => y))] as const;
  });
}

function draw(
  { title, lines }: { title: string; lines: Points[] },
  most: number,
  left: number,
  top: number,
) {
  const all = lines.flat();
  if (!all.length) return "";
  const [yTicks, low, high] = ticks(
    Math.min(...all.map(([, y]) => y)),
    Math.max(...all.map(([, y]) => y)),
  );
  const x = scale([0, most], [left, left + PANEL]);
  const y = scale([low, high], [top + HEIGHT, top]);
  return [
    label(left, top - 12, title, { class: "title" }),
    ...yTicks.map((tick) =>
      line([[left, y(tick)], [left + PANEL, y(tick)]], { class: "grid", "stroke-width": 1 }) +
      label(left - 6, y(tick) + 4, `${tick}`, { "text-anchor": "end" })
    ),
    ...[0, most].map((step) =>
      label(x(step), top + HEIGHT + 18, step === 0 ? "0" : `${step} steps`, {
        "text-anchor": step === 0 ? "middle" : "end",
      })
    ),
    // The yardsticks below, PyTorch on top.
    ...[...lines.keys()].sort((a, b) => Number(a < 2) - Number(b < 2) || a - b).map((i) =>
      lines[i].length ? line(lines[i].map(([a, b]) => [x(a), y(b)]), styleOf(i)) : ""
    ),
  ].join("");
}

/** About four round numbers, and the range that they span with the values. */
export function ticks(low: number, high: number): [number[], number, number] {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 5, 10].map((n) => n * power).find((s) => span / s <= 5)!;
  const from = Math.floor(low / step), to = Math.max(from + 1, Math.ceil(high / step));
  const list = Array.from({ length: to - from + 1 }, (_, i) => {
    return Number(((from + i) * step).toPrecision(12));
  });
  return [list, list[0], list.at(-1)!];
}
