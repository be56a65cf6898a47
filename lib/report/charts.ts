/**
 * What is drawn of a run: its curves, with what they are to be compared with.
 *
 * @module
 */
import type { MetricKey } from "../diagnosis/lines.ts";
import { isEncoderOf } from "../eval/readout.ts";
import type { BadMark, RunData } from "../run/data.ts";
import { type Chart, COLORS, MOST_SERIES, type Series, STRETCHES } from "./chart.ts";
import { rankCharts } from "./rank_charts.ts";
import { type Point, smoothed, thinned } from "./thin.ts";

export type { Chart, Reference, Series } from "./chart.ts";

/** Steps that are marked in every chart. */
export interface Marks {
  /** The run went on after these. */
  resumes: number[];
  /** Not finite. */
  bad: BadMark[];
  /** The last step that charts show. */
  last: number;
}

/** Dashed lines of a chart: more would hide the curves. */
const MOST_RESUMES = 100;

/** A chart of logged figures. */
interface Logged {
  name: string;
  title: string;
  keys: readonly (readonly [key: MetricKey, name: string])[];
  /** What values are multiplied by. */
  scale?: number;
  /** Set by a schedule, or counted: nothing to smooth. */
  plain?: boolean;
  log?: boolean;
}

const LOGGED: readonly Logged[] = [
  { name: "loss", title: "loss, nats", keys: [["loss", "loss"]] },
  {
    name: "entropy",
    title: "entropy of the teacher, nats",
    keys: [["teacher_entropy_of_mean", "of the mean"], ["teacher_entropy", "of a picture"]],
  },
  {
    name: "kl",
    title: "KL(teacher || student), nats",
    keys: [["kl_teacher_student", "KL"]],
  },
  {
    name: "feature-rank",
    title: "effective rank of the features (RankMe)",
    keys: [["feature_rank", "rank"]],
  },
  { name: "feature-std", title: "std of the features", keys: [["feature_std", "std"]] },
  {
    name: "gradient-norm",
    title: "gradient norm before clipping",
    keys: [["gradient_norm", "norm"]],
    log: true,
  },
  { name: "center-norm", title: "norm of the centre", keys: [["center_norm", "norm"]] },
  { name: "koleo", title: "KoLeo × weight", keys: [["koleo", "KoLeo"]] },
  { name: "ibot", title: "loss of masked patches (iBOT), nats", keys: [["ibot", "iBOT"]] },
  {
    name: "ibot-entropy",
    title: "entropy of the teacher for masked patches, nats",
    keys: [["ibot_teacher_entropy_of_mean", "of the mean"], ["ibot_teacher_entropy", "of a patch"]],
  },
  { name: "gram", title: "difference of Gram matrices", keys: [["gram", "Gram"]] },
  { name: "learning-rate", title: "learning rate", keys: [["lr", "lr"]], plain: true },
  { name: "weight-decay", title: "weight decay", keys: [["weight_decay", "decay"]], plain: true },
  {
    name: "teacher-momentum",
    title: "momentum of the teacher",
    keys: [["teacher_momentum", "momentum"]],
    plain: true,
  },
  {
    name: "teacher-temperature",
    title: "temperature of the teacher",
    keys: [["teacher_temp", "temperature"]],
    plain: true,
  },
  {
    name: "images-per-second",
    title: "images/s since the run or its part began",
    keys: [["images_per_second", "images/s"]],
    plain: true,
  },
  {
    name: "data-wait",
    title: "waiting for pictures, ms per step",
    keys: [["data_wait_ms", "wait"]],
  },
  {
    name: "communication",
    title: "communication of ranks, ms per step",
    keys: [["comm_ms", "gradients added up"], ["comm_hidden_ms", "of that while the GPU worked"], [
      "comm_wait_ms",
      "waiting for the slowest rank",
    ]],
  },
  {
    name: "communication-bytes",
    title: "sent per step and rank, MiB",
    keys: [["comm_bytes", "sent"]],
    scale: 2 ** -20,
    plain: true,
  },
  {
    name: "memory",
    title: "memory, GiB",
    keys: [["process_bytes", "process"], ["gpu_bytes", "buffers on the GPU"]],
    scale: 2 ** -30,
    plain: true,
  },
];

/** What comes before the evaluations. */
const FIRST = ["loss", "entropy", "kl"];

/** The charts of a run that there are numbers for: the most telling first, those that never move last. */
export function chartsOf(run: RunData): Chart[] {
  const { model, training } = run.config ?? {};
  const lnK = model && Math.log(model.projection_output_dim);
  const logged = LOGGED.flatMap(({ name, title, keys, scale = 1, plain, log }): Chart[] => {
    const series = keys.flatMap(([key, label], i): Series[] => {
      const all = pointsOf(run, key, scale);
      if (!all.length) return [];
      const mean = plain ? undefined : smoothed(all);
      return [{
        name: label,
        color: COLORS[i],
        points: thinned(all, STRETCHES),
        mean: mean && thinned(mean, STRETCHES),
      }];
    });
    if (!series.length) return [];
    const values = series.flatMap(({ points }) => points.map(([, y]) => y));
    const spread = Math.max(...values) / Math.min(...values);
    return [{ name, title, series, references: [], log: log && spread > 30 && spread < Infinity }];
  });
  const find = (name: string) => logged.find((chart) => chart.name === name);
  const loss = find("loss");
  if (lnK) {
    loss?.references.push({ value: lnK, label: "ln K" });
    find("entropy")?.references.push({ value: lnK, label: "ln K" });
    if (loss) {
      loss.title = "loss, nats, and loss / ln K";
      loss.right = { label: "/ ln K", unit: lnK };
    }
  }
  const clip = training?.gradient_clip;
  if (clip) find("gradient-norm")?.references.push({ value: clip, label: `clipped at ${clip}` });
  const isFirst = ({ name }: Chart) => FIRST.includes(name);
  const rest = logged.filter((chart) => !isFirst(chart));
  return [
    ...logged.filter(isFirst),
    ...evaluationCharts(run),
    ...rest.filter((chart) => !isStill(chart)),
    ...rankCharts(run),
    ...rest.filter(isStill),
  ];
}

/** Whether a schedule, or a count, has never moved. */
function isStill({ name, series }: Chart): boolean {
  return !!LOGGED.find((one) => one.name === name)?.plain &&
    series.every(({ points }) => points.every(([, y]) => y === points[0][1]));
}

/** The marks of a run. */
export function marksOf({ lines, evaluations, parts, bad }: RunData): Marks {
  const ends = [lines.at(-1)?.step, evaluations.at(-1)?.step, bad.at(-1)?.step];
  const resumes = parts.flatMap(({ step }) => step ? [step] : []);
  return {
    resumes: [...new Set(resumes)].slice(-MOST_RESUMES),
    bad,
    last: Math.max(1, ...ends.filter((step) => step !== undefined)),
  };
}

function pointsOf({ lines }: RunData, key: MetricKey, scale: number): Point[] {
  return lines.flatMap((line): Point[] => {
    const value = line[key];
    return typeof value === "number" ? [[line.step, value * scale]] : [];
  });
}

/** Most charts of evaluations. */
const MOST_CHARTS = 24;

/** Figures over training: shares together, each other number for itself. */
function evaluationCharts({ evaluations, figures }: RunData): Chart[] {
  const points = new Map<string, { shares: Point[]; values: Point[] }>();
  for (const { step, figures } of evaluations) {
    for (const { metric, percent, value } of figures) {
      if (!points.has(metric)) points.set(metric, { shares: [], values: [] });
      const { shares, values } = points.get(metric)!;
      if (percent !== undefined) shares.push([step, percent]);
      else if (value !== undefined) values.push([step, value]);
    }
  }
  const series = (kind: "shares" | "values") =>
    [...points].flatMap(([name, of]) => of[kind].length ? [{ name, points: of[kind] }] : []);
  const drawn = ({ name, points }: { name: string; points: Point[] }, i: number): Series => ({
    name,
    color: COLORS[i],
    points: thinned(points, STRETCHES),
    dots: points.length <= STRETCHES,
  });
  const fine = (name: string) => /top-5|R@5/.test(name);
  const shares = series("shares");
  const charts: Chart[] = [];
  for (
    const [name, title, chosen] of [
      ["accuracy", "k-NN and retrieval of the teacher, %", shares.filter((s) => !fine(s.name))],
      ["accuracy-top-5", "the same, among the first five, %", shares.filter((s) => fine(s.name))],
    ] as const
  ) {
    if (!chosen.length) continue;
    charts.push({
      name,
      title,
      series: chosen.slice(0, MOST_SERIES).map(drawn),
      references: [],
    });
  }
  for (const [i, one] of series("values").slice(0, MOST_CHARTS).entries()) {
    // The figures at the end of training are of the same pictures when the encoders are the run's own.
    const start = figures.find((f) =>
      f.metric === one.name && isEncoderOf("random init", f.encoder)
    )?.value;
    charts.push({
      name: `evaluation-${i + 1}`,
      title: `evaluation: ${one.name}`,
      series: [drawn(one, 0)],
      references: start !== undefined ? [{ value: start, label: "random init" }] : [],
    });
  }
  return charts;
}
