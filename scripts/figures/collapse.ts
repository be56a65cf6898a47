/**
 * The figure of a healthy run beside two that collapse.
 *
 * @module
 */
import { area, BLUE, el, figure, GREEN, label, line, ORANGE, scale } from "../../lib/draw/svg.ts";

/** Curves of one run by logged step; losses and entropies in nats. */
export interface RunCurves {
  /** What the panel is called. */
  name: string;
  /** What the run had besides the common command. */
  flags: string;
  /** What `deno task doctor` says about it. */
  verdict: string;
  /** Steps done. */
  step: number[];
  /** The loss. */
  loss: number[];
  /** Mean entropy of the teacher's distributions. */
  teacher_entropy: number[];
  /** Entropy of their mean over the batch. */
  teacher_entropy_of_mean: number[];
  /** Spread of the teacher's features. */
  feature_std: number[];
  /** Their effective rank. */
  feature_rank: number[];
}

/** The runs, and where they ran. */
export interface CollapseData {
  /** The adapter that they ran on. */
  adapter: string;
  /** What all of them were started with. */
  command: string;
  /** K. */
  outDim: number;
  /** The runs. */
  runs: RunCurves[];
}

type Point = [number, number];

/** The drawing: loss = entropy + KL in each panel, in units of ln K. */
export function collapseFigure({ runs, outDim }: CollapseData): string {
  const width = 760, height = 330, left = 62, panel = 234, plot = 202, top = 86, bottom = 272;
  const lnK = Math.log(outDim);
  const most = Math.max(1, ...runs.flatMap(({ loss }) => loss.map((x) => x / lnK)));
  const last = Math.max(...runs.map(({ step }) => step.at(-1)!));
  const y = scale([0, Math.ceil(10 * most) / 10], [bottom, top]);
  const panels = runs.flatMap((run, i) => {
    const from = left + i * panel;
    const x = scale([0, last], [from, from + plot]);
    const curve = (values: number[]) =>
      values.map((value, n): Point => [x(run.step[n]), y(value / lnK)]);
    const [loss, entropy, ofMean] = [
      curve(run.loss),
      curve(run.teacher_entropy),
      curve(run.teacher_entropy_of_mean),
    ];
    return [
      label(from + plot / 2, 58, run.name, { "text-anchor": "middle", class: "title" }),
      label(from + plot / 2, 75, run.flags, { "text-anchor": "middle" }),
      ...[0, 0.5, 1].map((value) =>
        line([[from, y(value)], [from + plot, y(value)]], { class: "grid", "stroke-width": 1 })
      ),
      ...[0, last / 2, last].map((step) =>
        label(x(step), bottom + 18, String(step), { "text-anchor": "middle" })
      ),
      area(loss, entropy, { fill: BLUE, "fill-opacity": 0.18 }),
      line(ofMean, { stroke: GREEN, "stroke-dasharray": "2 3" }),
      line(entropy, { stroke: ORANGE, "stroke-dasharray": "7 3" }),
      line(loss, { stroke: BLUE }),
    ];
  });
  const middle = (top + bottom) / 2;
  return figure(
    { width, height },
    "A healthy run and two that collapse",
    `Loss, teacher entropy and entropy of the mean teacher by step, as shares of ln K, for three runs: ${
      runs.map(({ name, flags }) => `${name} (${flags})`).join(", ")
    }.`,
    ...legend(left),
    ...[0, 0.5, 1].map((value) =>
      label(left - 8, y(value) + 4, String(value), { "text-anchor": "end" })
    ),
    label(16, middle, "nats / ln K", {
      "text-anchor": "middle",
      transform: `rotate(-90 16 ${middle})`,
    }),
    ...panels,
    label(left + panel + plot / 2, height - 16, "step", { "text-anchor": "middle" }),
  );
}

/** The ends of the runs as rows of a Markdown table: medians of the last five lines. */
export function collapseRows({ runs, outDim }: CollapseData): string[] {
  return runs.map((run) => {
    const end = (values: number[]) => values.slice(-5).sort((a, b) => a - b)[2];
    const over = (a: number[], b: number[]) => end(a.map((value, i) => value - b[i])).toFixed(2);
    return `| ${
      [
        run.name,
        `\`${run.verdict}\``,
        (end(run.loss) / Math.log(outDim)).toFixed(2),
        over(run.loss, run.teacher_entropy),
        over(run.teacher_entropy_of_mean, run.teacher_entropy),
        end(run.feature_std).toFixed(2),
        end(run.feature_rank).toFixed(1),
      ].join(" | ")
    } |`;
  });
}

function legend(left: number): string[] {
  const stroke = (x: number, attributes: Record<string, string>) =>
    line([[x, 20], [x + 26, 20]], attributes);
  return [
    stroke(left, { stroke: BLUE }),
    label(left + 32, 24, "loss"),
    stroke(left + 82, { stroke: ORANGE, "stroke-dasharray": "7 3" }),
    label(left + 114, 24, "teacher entropy"),
    el("rect", { x: left + 230, y: 13, width: 26, height: 14, fill: BLUE, "fill-opacity": 0.18 }),
    label(left + 262, 24, "KL = loss − teacher entropy"),
    stroke(left + 442, { stroke: GREEN, "stroke-dasharray": "2 3" }),
    label(left + 474, 24, "entropy of the mean teacher"),
  ];
}
