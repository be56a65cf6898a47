/**
 * A curve that grows.
 *
 * @module
 */
import { many } from "../../../lib/words.ts";
import { el } from "./dom.ts";

const SVG = "http://www.w3.org/2000/svg";

/** Size of the drawing, and room for its numbers. */
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [420, 190, 44, 20, 8];

/** Points that are drawn, at most: neighbours are averaged. */
const MOST = 300;

/** Weight of what was before in the smooth line. */
const SMOOTH = 0.9;

/** A chart of one figure. */
export class Chart {
  /** Its element. */
  readonly element: HTMLElement;
  readonly #svg = document.createElementNS(SVG, "svg");
  readonly #title: string;
  readonly #steps: number[] = [];
  readonly #values: number[] = [];

  /** @param title What it shows. */
  constructor(title: string) {
    this.#title = title;
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#svg.setAttribute("role", "img");
    this.element = el("div", { className: "chart" }, el("b", {}, title), this.#svg);
  }

  /** Adds a point. */
  add(step: number, value: number): void {
    this.#steps.push(step);
    this.#values.push(value);
  }

  /** Draws all points. */
  draw(): void {
    const { steps, values } = this.#thinned();
    const least = Math.min(...values), most = Math.max(...values), range = most - least || 1;
    const [from, to] = [steps[0], steps.at(-1)!];
    const x = (step: number) =>
      LEFT + (WIDTH - LEFT - 6) * (to > from ? (step - from) / (to - from) : 0.5);
    const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - least) / range);
    let mean = values[0];
    const smooth = values.map((value, i) =>
      mean = i ? SMOOTH * mean + (1 - SMOOTH) * value : value
    );
    const path = (line: readonly number[]) =>
      line.map((value, i) => `${i ? "L" : "M"}${x(steps[i]).toFixed(1)} ${y(value).toFixed(1)}`)
        .join("");
    this.#svg.replaceChildren(
      node("line", { x1: LEFT, x2: WIDTH - 6, y1: y(least), y2: y(least) }),
      node("path", { d: path(values), class: values.length > 20 ? "raw" : "" }),
      ...values.length > 20 ? [node("path", { d: path(smooth) })] : [],
      label(LEFT - 5, y(most) + 8, "end", digits(most)),
      ...most > least ? [label(LEFT - 5, y(least), "end", digits(least))] : [],
      label(LEFT, HEIGHT - 5, "start", String(from)),
      label(WIDTH - 6, HEIGHT - 5, "end", `step ${to}`),
    );
    const last = this.#values.at(-1)!;
    this.#svg.setAttribute(
      "aria-label",
      `${this.#title}: ${digits(last)} after ${many(to, "step")}`,
    );
  }

  #thinned(): { steps: number[]; values: number[] } {
    const width = Math.ceil(this.#values.length / MOST);
    const mean = (all: readonly number[], at: number) => {
      const some = all.slice(at, at + width);
      return some.reduce((a, b) => a + b, 0) / some.length;
    };
    const starts = Array.from(
      { length: Math.ceil(this.#values.length / width) },
      (_, i) => i * width,
    );
    return {
      steps: starts.map((at) => this.#steps[Math.min(at + width, this.#steps.length) - 1]),
      values: starts.map((at) => mean(this.#values, at)),
    };
  }
}

const digits = (value: number) => Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);

function node(name: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

function label(x: number, y: number, anchor: string, text: string): SVGElement {
  const element = node("text", { x, y, "text-anchor": anchor });
  element.textContent = text;
  return element;
}
