/**
 * Charts as SVG.
 *
 * @module
 */
import { parseHTML, Plot } from "./deps.ts";
import type { Chart, Marks } from "./charts.ts";
import { short } from "../words.ts";
import { shown } from "../text.ts";

/** Size of a chart in pixels. */
export const WIDTH = 420, HEIGHT = 250;

/** Room at the edges; at the top for the title and a line of names. */
const LEFT = 48, RIGHT = 40, TOP = 30, LINE = 15;

/** Font, and the width of its average character. */
const FONT = 11, ADVANCE = 5.9;

/** What is not finite. */
const RED = "#d1242f";

/** As much of a document as is used here: who imports this may not have the types of a browser. */
interface Page {
  createElementNS(
    namespace: string,
    name: string,
  ): { setAttribute(key: string, value: string): void; textContent: string };
}

const { document } = parseHTML("<html><body></body></html>") as unknown as { document: Page };

/** Inks of a file on light and dark pages. */
const STYLE = `
  svg { color: #1f2328; background: #ffffff; }
  @media (prefers-color-scheme: dark) { svg { color: #e6e6e3; background: #16181c; } }
`;

/** A chart as SVG for a page: its ink is the page's colour of text. */
export function svgOf(chart: Chart, marks: Marks): string {
  const { series, references, log, right, title } = chart;
  const rows = legendRows(series.length > 1 ? series : []);
  const marginTop = TOP + LINE * rows.length;
  const values = series.flatMap(({ points }) => points.map(([, y]) => y));
  const near = referencesNear(references, values);
  const [low, high] = domainOf([...values, ...near.map(({ value }) => value)], !!log);
  const step = (x: number) => x.toLocaleString("en");
  const figure = Plot.plot({
    document: document as unknown as Plot.PlotOptions["document"],
    width: WIDTH,
    height: HEIGHT + LINE * rows.length,
    marginLeft: LEFT,
    marginRight: RIGHT,
    marginTop,
    marginBottom: 34,
    style: { fontSize: `${FONT}px` },
    x: { domain: [0, marks.last], label: null },
    y: { domain: [low, high], type: log ? "log" : "linear", label: null },
    marks: [
      Plot.gridY({ ticks: 5, strokeOpacity: 0.12 }),
      Plot.axisY({ ticks: 5, tickSize: 0, tickFormat: (y: number) => tick(y, high), label: null }),
      Plot.axisX({ ticks: 5, tickFormat: step, label: "step", labelArrow: "none" }),
      ...right
        ? [Plot.axisY({
          anchor: "right",
          ticks: rightTicks(low, high, right.unit),
          tickSize: 0,
          tickFormat: (y: number) => short(y / right.unit),
          label: null,
        })]
        : [],
      ...near.map(({ value }) => Plot.ruleY([value], { strokeDasharray: "2 3" })),
      Plot.text(near, {
        y: "value",
        text: "label",
        frameAnchor: "right",
        dx: -3,
        dy: -7,
        fillOpacity: 0.75,
      }),
      ...marks.resumes.length
        ? [Plot.ruleX(marks.resumes, { strokeOpacity: 0.4, strokeDasharray: "5 4" })]
        : [],
      ...series.flatMap(({ color, points, mean, dots }) => [
        Plot.line(points, {
          stroke: color,
          strokeWidth: mean ? 1 : 1.8,
          strokeOpacity: mean ? 0.35 : 1,
        }),
        ...mean ? [Plot.line(mean, { stroke: color, strokeWidth: 2 })] : [],
        ...dots || points.length === 1 ? [Plot.dot(points, { fill: color, r: 2.2 })] : [],
      ]),
      ...marks.bad.length
        ? [
          Plot.ruleX(marks.bad, { x: "step", stroke: RED, strokeOpacity: 0.5 }),
          Plot.dot(marks.bad, {
            x: "step",
            frameAnchor: "top",
            symbol: "times",
            stroke: RED,
            strokeWidth: 2,
            r: 4,
          }),
        ]
        : [],
    ],
  });
  const lines = [...figure.querySelectorAll('g[aria-label="line"]')];
  for (const { name, mean } of series) { // the pointer names what it reads
    const [points, smooth] = lines.splice(0, mean ? 2 : 1);
    points.setAttribute("data-name", attribute(name));
    if (smooth) smooth.setAttribute("data-mean", "");
  }
  const [x, y] = (["x", "y"] as const).map((axis) => figure.scale(axis)!.range as number[]);
  figure.querySelector("style")?.remove(); // the page, or the file, has its own
  figure.setAttribute("role", "img");
  figure.setAttribute("aria-label", attribute(described(chart)));
  figure.removeAttribute("class");
  // Where values lie, for the pointer: domain and pixels of both axes.
  figure.setAttribute("data-x", [0, marks.last, ...x].join(" "));
  figure.setAttribute("data-y", [low, high, ...y, log ? 1 : 0].join(" "));
  figure.append(...[
    text(6, 15, title, { "font-weight": "600", "font-size": "12" }),
    ...right ? [text(WIDTH - 6, 15, right.label, { "text-anchor": "end", opacity: "0.75" })] : [],
    ...rows.flatMap((row, r) =>
      row.flatMap(({ name, color, at }) => {
        const y = TOP + LINE * r;
        const line = element("path", { stroke: color, "stroke-width": "2.5", d: `M${at},${y}h14` });
        return [line, text(at + 18, y + 4, name)];
      })
    ),
  ]);
  return rounded(figure.outerHTML);
}

/** A chart as a file of its own, for light and dark pages. */
export function svgFile(svg: string): string {
  return svg.replace(
    "<svg ",
    '<svg xmlns="http://www.w3.org/2000/svg" ',
  ).replace(">", `><style>${STYLE}</style>`) + "\n";
}

/** In words: title, last values, references. */
function described({ title, series, references }: Chart): string {
  const last = series.map(({ name, points, mean }) => {
    const [step, value] = (mean ?? points).at(-1)!;
    return `${series.length > 1 ? `${name} ` : ""}${short(value)} at step ${step}`;
  });
  return [title, ...last, ...references.map(({ label, value }) => `${label} ${short(value)}`)]
    .join("; ");
}

/** linkedom writes attributes as they are, but for quotes. */
function attribute(text: string): string {
  return shown(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function element(name: string, attributes: Record<string, string>, content = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = shown(content);
  return made as unknown as ReturnType<typeof Plot.plot>;
}

function text(x: number, y: number, content: string, attributes: Record<string, string> = {}) {
  return element("text", { x: `${x}`, y: `${y}`, "text-anchor": "start", ...attributes }, content);
}

/** The names of lines in rows, each as long as there is room. */
function legendRows(series: Chart["series"]) {
  const rows: { name: string; color: string; at: number }[][] = [];
  let at = Infinity;
  for (const { name, color } of series) {
    const shown = name.length > 40 ? `${name.slice(0, 39)}…` : name;
    const width = 18 + ADVANCE * shown.length + 14;
    if (at + width > WIDTH - 6) {
      rows.push([]);
      at = 8;
    }
    rows.at(-1)!.push({ name: shown, color, at });
    at += width;
  }
  return rows;
}

/** References that do not press the curve flat. */
function referencesNear(references: Chart["references"], values: readonly number[]) {
  const low = Math.min(...values), high = Math.max(...values);
  const span = Math.max(high - low, Math.abs(high) / 10);
  return references.filter(({ value }) => value >= low - 3 * span && value <= high + 3 * span);
}

function domainOf(values: readonly number[], log: boolean): [number, number] {
  const low = Math.min(...values), high = Math.max(...values);
  // The steps between ticks of such an axis would be too small for a number.
  if (Math.max(Math.abs(low), Math.abs(high)) < 1e-300) return log ? [0.1, 1] : [-1, 1];
  if (log) return [low / 1.1, high * 1.1];
  if (low === high) return low === 0 ? [-1, 1] : [low - Math.abs(low) / 2, low + Math.abs(low) / 2];
  const least = Math.max(Math.abs(low), Math.abs(high)) / 50; // noise is not blown up to a trend
  const room = Math.max((high - low) / 20, (least - (high - low)) / 2);
  const from = low >= 0 && low < (high - low) / 2 ? 0 : low - room; // 0 where it is near
  return [from, high + room];
}

/** Round values of the second scale, in units of the first. */
function rightTicks(low: number, high: number, unit: number): number[] {
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5].find((s) => (high - low) / unit / s <= 6);
  if (!step) return [];
  const first = Math.ceil(low / unit / step), last = Math.floor(high / unit / step);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step * unit);
}

/** A value of an axis that ends at `high`. */
function tick(y: number, high: number): string {
  const size = Math.abs(y), most = Math.abs(high);
  const text = size && (most < 2e-3 || most >= 1e6)
    ? Number(y.toPrecision(3)).toExponential().replace("e+", "e")
    : size >= 1e4
    ? y.toLocaleString("en", { maximumFractionDigits: 0 })
    : String(Number(y.toPrecision(6)));
  return text.replace(/(^|e)-/g, "$1−");
}

/** Coordinates to a tenth of a pixel. */
function rounded(svg: string): string {
  return svg.replace(/ (d|transform|x|y|cx|cy)="([^"]*)"/g, (_, name, value: string) => {
    return ` ${name}="${value.replace(/-?\d+\.\d{2,}/g, (n) => `${+Number(n).toFixed(1)}`)}"`;
  });
}
