/**
 * Little drawings as SVG text: readable on a light and on a dark page, all text as text.
 *
 * @module
 */

/** Colours with a contrast of 3 or more on both pages; what they mean is also written beside them. */
export const BLUE = "#0072b2", ORANGE = "#d55e00", GREEN = "#009e73";

/** The page brings its own ground, so that it is never dark ink on a dark page. */
const STYLE = `
  .page { fill: #ffffff; }
  .grid { stroke: #d1d9e0; }
  text { fill: #1f2328; font: 12px system-ui, sans-serif; }
  .title { font-weight: bold; }
  .halo { stroke: #ffffff; stroke-width: 4px; paint-order: stroke; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; }
    .grid { stroke: #3d444d; }
    text { fill: #f0f6fc; }
    .halo { stroke: #0d1117; }
  }
`;

type Attributes = Record<string, string | number>;

const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** An element; children are SVG, already escaped. */
export function el(name: string, attributes: Attributes, ...children: string[]): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${escape(`${value}`)}"`);
  return `<${name}${list.join("")}>${children.join("")}</${name}>`;
}

/** A line of text; `text-anchor` is its start unless given. */
export function label(x: number, y: number, text: string, attributes: Attributes = {}): string {
  return el("text", { x: tenth(x), y: tenth(y), ...attributes }, escape(text));
}

/** A line through points. */
export function line(points: readonly (readonly [number, number])[], attributes: Attributes) {
  const at = points.map(([x, y]) => `${tenth(x)} ${tenth(y)}`);
  return el("path", { fill: "none", "stroke-width": 2, ...attributes, d: `M${at.join("L")}` });
}

/** The area between two lines over the same steps. */
export function area(
  upper: readonly (readonly [number, number])[],
  lower: readonly (readonly [number, number])[],
  attributes: Attributes,
): string {
  const points = [...upper, ...lower.toReversed()];
  return line(points, { stroke: "none", ...attributes });
}

/** A linear map. */
export function scale([a, b]: [number, number], [from, to]: [number, number]) {
  return (value: number) => from + (value - a) / (b - a) * (to - from);
}

/** A whole drawing; `title` and `description` are what a screen reader says. */
export function figure(
  size: { width: number; height: number },
  title: string,
  description: string,
  ...content: string[]
): string {
  const { width, height } = size;
  const head = {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
  };
  return el(
    "svg",
    head,
    el("title", {}, escape(title)),
    el("desc", {}, escape(description)),
    el("style", {}, STYLE),
    el("rect", { class: "page", width, height }),
    ...content,
  ) + "\n";
}

const tenth = (value: number) => Math.round(10 * value) / 10;
