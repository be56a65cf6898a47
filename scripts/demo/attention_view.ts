/**
 * Attention over a picture as the pointer moves: of the patch below it, or of the class token.
 *
 * @module
 */
import { colorOf } from "../../lib/draw/colors.ts";
import type { Seen } from "./protocol.ts";

/** Pixels of the canvas. */
const SIDE = 672;

/** Keys that move the patch: columns and rows. */
const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const COLORS = Array.from({ length: 256 }, (_, i) => colorOf("inferno", i / 255));

/** A canvas that shows attention. */
export class AttentionView {
  /** The head that is shown, from 0; −1 shows the mean of all. */
  head = -1;
  /** Weight of the colours, 0 to 1. */
  alpha = 0.85;
  readonly #canvas: HTMLCanvasElement;
  readonly #say: (text: string) => void;
  #seen?: Seen;
  #patch = -1;
  #frame = 0;

  /** @param say Told in words whose attention is shown. */
  constructor(canvas: HTMLCanvasElement, say: (text: string) => void) {
    this.#canvas = canvas;
    this.#say = say;
    canvas.width = canvas.height = SIDE;
    canvas.addEventListener("pointermove", (event) => this.#point(event));
    canvas.addEventListener("pointerdown", (event) => this.#point(event));
    canvas.addEventListener("pointerleave", () => this.#choose(-1));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#choose(-1));
  }

  /** Shows what a model sees. */
  show(seen: Seen): void {
    const same = this.#seen?.grid.join() === seen.grid.join();
    this.#seen?.picture.close();
    this.#seen = seen;
    if (!same) this.#patch = -1;
    this.draw();
    this.#tell();
  }

  /** Draws before the next frame. */
  draw(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#seen) this.#draw(this.#seen);
    });
  }

  #point({ clientX, clientY }: PointerEvent): void {
    if (!this.#seen) return;
    const [rows, columns] = this.#seen.grid;
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    const at = (share: number, n: number) => Math.min(n - 1, Math.max(0, Math.floor(share * n)));
    const row = at((clientY - top) / height, rows), column = at((clientX - left) / width, columns);
    this.#choose(row * columns + column);
  }

  #key(event: KeyboardEvent): void {
    if (!this.#seen) return;
    const step = STEPS[event.key], [rows, columns] = this.#seen.grid;
    if (!step && event.key !== "Escape") return;
    event.preventDefault();
    if (!step) return this.#choose(-1);
    const middle = Math.floor(rows / 2) * columns + Math.floor(columns / 2);
    if (this.#patch < 0) return this.#choose(middle);
    const move = (i: number, by: number, n: number) => Math.min(n - 1, Math.max(0, i + by));
    const column = move(this.#patch % columns, step[0], columns);
    const row = move(Math.floor(this.#patch / columns), step[1], rows);
    this.#choose(row * columns + column);
  }

  #choose(patch: number): void {
    if (patch === this.#patch || !this.#seen) return;
    this.#patch = patch;
    this.draw();
    this.#tell();
  }

  #tell(): void {
    const { grid: [, columns], tokens, grid } = this.#seen!, patch = this.#patch;
    const hasClass = tokens > grid[0] * grid[1];
    if (patch >= 0) {
      this.#say(
        `of the patch in row ${Math.floor(patch / columns) + 1}, column ${patch % columns + 1}`,
      );
    } else {this.#say(
        hasClass ? "of the class token: the whole picture" : "of all patches, on average",
      );}
  }

  /** Attention to every patch, from the least to the most attended as 0 to 1. */
  #values({ heads, tokens, grid, attention }: Seen): Float64Array {
    const count = grid[0] * grid[1], first = tokens - count;
    const which = this.head < 0 ? Array.from({ length: heads }, (_, h) => h) : [this.head];
    const rows = this.#patch >= 0
      ? [first + this.#patch]
      : first
      ? [0]
      : Array.from({ length: tokens }, (_, t) => t);
    const values = new Float64Array(count);
    for (const h of which) {
      for (const row of rows) {
        const from = (h * tokens + row) * tokens + first;
        for (let i = 0; i < count; i++) values[i] += attention[from + i];
      }
    }
    const least = values.reduce((a, b) => Math.min(a, b)),
      most = values.reduce((a, b) => Math.max(a, b));
    return values.map((value) => most > least ? (value - least) / (most - least) : 0);
  }

  #draw(seen: Seen): void {
    const context = this.#canvas.getContext("2d")!;
    const { grid: [rows, columns], picture } = seen;
    context.filter = this.alpha > 0 ? `grayscale(${this.alpha})` : "none";
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, SIDE, SIDE);
    context.filter = "none";
    const field = new ImageData(columns, rows);
    this.#values(seen).forEach((value, i) => {
      field.data.set(COLORS[Math.round(255 * value)], 4 * i);
      field.data[4 * i + 3] = 255 * this.alpha * (1 + 2 * value) / 3;
    });
    const small = new OffscreenCanvas(columns, rows);
    small.getContext("2d")!.putImageData(field, 0, 0);
    context.drawImage(small, 0, 0, SIDE, SIDE);
    if (this.#patch < 0) return;
    const [width, height] = [SIDE / columns, SIDE / rows];
    const left = this.#patch % columns * width, top = Math.floor(this.#patch / columns) * height;
    context.lineWidth = 3;
    context.strokeStyle = "#fff";
    context.strokeRect(left, top, width, height);
    context.lineWidth = 1;
    context.strokeStyle = "#000";
    context.strokeRect(left - 2, top - 2, width + 4, height + 4);
  }
}

/** Draws the components of patches as colours. */
export function drawComponents(canvas: HTMLCanvasElement, { components, grid }: Seen): void {
  const [rows, columns] = grid, field = new ImageData(columns, rows);
  field.data.fill(255);
  for (let i = 0; i < rows * columns; i++) {
    field.data.set(components.subarray(3 * i, 3 * i + 3), 4 * i);
  }
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d")!.putImageData(field, 0, 0);
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d")!;
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, SIDE, SIDE);
}
