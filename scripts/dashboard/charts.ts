/**
 * The curves of some runs: those of the report, or of several runs drawn over each other.
 *
 * @module
 */
import { type Chart, chartsOf, type Marks, marksOf } from "../../lib/report/charts.ts";
import { svgFile, svgOf } from "../../lib/report/curves.ts";
import type { Point } from "../../lib/report/thin.ts";
import { PALETTE } from "./palette.ts";
import type { Entry, Runs } from "./runs.ts";

/** A chart for the page. */
export interface Drawn {
  /** Names it, whatever the runs. */
  key: string;
  /** What it shows. */
  title: string;
  /** The picture. */
  svg: string;
  /** Where its values lie in it: size, edges and steps, in its pixels. */
  frame: { width: number; left: number; right: number; top: number; bottom: number; x: number[] };
  /** The values, for the pointer. */
  series: { name: string; color: string; points: Point[] }[];
}

/** Results that are kept: one for each of a few pages. */
const KEPT = 4;

/** Runs over each other: more cannot be told apart. */
const MOST = 32;

/** Charts of runs, drawn again only when a run has changed. */
export class Charts {
  readonly #runs: Runs;
  readonly #known = new Map<string, { charts: Drawn[] }>();

  /** Charts of these runs. */
  constructor(runs: Runs) {
    this.#runs = runs;
  }

  /** The charts of some runs by their ids, coloured in this order. */
  of(ids: readonly string[]): { charts: Drawn[] } {
    const entries = [...new Set(ids)].slice(0, MOST).flatMap((id) => this.#runs.get(id) ?? []);
    const key = JSON.stringify(entries.map(({ id, version }) => [id, version]));
    const known = this.#known.get(key);
    if (known) return known;
    const found = { charts: draw(entries) };
    this.#known.set(key, found);
    for (const old of [...this.#known.keys()].slice(0, -KEPT)) this.#known.delete(old);
    return found;
  }
}

function draw(entries: readonly Entry[]): Drawn[] {
  if (!entries.length) return [];
  const all = entries.map(({ data }) => marksOf(data));
  const marks: Marks = all.length === 1
    ? all[0]
    : { resumes: [], bad: [], last: Math.max(...all.map(({ last }) => last)) };
  const charts = entries.length === 1 ? chartsOf(entries[0].data) : overlaid(entries);
  return charts.map((chart) => {
    const { name, title, series } = chart;
    const svg = svgFile(svgOf(chart, marks));
    const numbers = (attribute: string) =>
      svg.match(new RegExp(` ${attribute}="([^"]*)"`))![1].split(" ").map(Number);
    const [from, to, left, right] = numbers("data-x");
    const [, , bottom, top] = numbers("data-y");
    const [width] = numbers("width");
    return {
      key: name,
      title,
      svg,
      frame: { width, left, right, top, bottom, x: [from, to] },
      series: series.map(({ name, color, points }) => ({ name, color, points })),
    };
  });
}

/** Every curve of the report with that of the other runs, each run in its colour. */
function overlaid(entries: readonly Entry[]): Chart[] {
  const found = new Map<string, Chart>();
  const compared = (chart: Chart) => JSON.stringify(chart.references);
  entries.forEach(({ data }, i) => {
    for (const { right, ...chart } of chartsOf(data)) {
      if (right) chart.title = chart.title.replace(/, and .*/, ""); // a second scale is one run's own
      for (const series of chart.series) {
        const key = chart.series.length > 1 || series.dots
          ? `${chart.name} ${series.name}`
          : chart.name;
        const title = key === chart.name ? chart.title : `${chart.title}: ${series.name}`;
        if (!found.has(key)) found.set(key, { ...chart, name: key, title, series: [] });
        const one = found.get(key)!;
        if (compared(one) !== compared(chart)) one.references = [];
        one.log &&= chart.log; // a curve may touch 0 where another does not
        one.series.push({ ...series, name: data.name, color: PALETTE[i % PALETTE.length] });
      }
    }
  });
  return [...found.values()];
}
