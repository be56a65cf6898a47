/**
 * All pictures on a plane, similar ones near each other.
 *
 * @module
 */
import { $ } from "./dom.ts";
import type { Gallery } from "./gallery.ts";

/** Pixels of a picture at the first zoom, at least and at most. */
const [SMALL, LARGE] = [14, 96];

/** Room around the pictures, as a share. */
const MARGIN = 0.06;

const TIP = "Drag to move, scroll or + and − to zoom, press a picture to look at it.";

/** The canvas of the map. */
export class PictureMap {
  readonly #canvas = $<HTMLCanvasElement>("map-canvas");
  readonly #gallery: Gallery;
  readonly #onOpen: (index: number) => void;
  #places = new Float32Array(0);
  #zoom = 1;
  #center = [0.5, 0.5];
  #frame = 0;
  #drag?: { x: number; y: number; moved: boolean };

  /** @param onOpen Told which picture was pressed. */
  constructor(gallery: Gallery, onOpen: (index: number) => void) {
    this.#gallery = gallery;
    this.#onOpen = onOpen;
    const canvas = this.#canvas;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#zoomBy(Math.exp(-event.deltaY / 300), this.#at(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#drag = { x: event.clientX, y: event.clientY, moved: false };
    });
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => {
      const found = this.#drag?.moved === false ? this.#nearest(this.#at(event)) : -1;
      this.#drag = undefined;
      if (found >= 0) this.#onOpen(found);
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(canvas);
  }

  /** Shows pictures at places [n, 2] from 0 to 1. */
  show(places: Float32Array): void {
    this.#places = new Float32Array(places);
    this.#zoom = 1;
    this.#center = [0.5, 0.5];
    $("map-tip").textContent = TIP;
    this.#draw();
  }

  /** Pixels of the side of the plane. */
  get #side(): number {
    const { clientWidth, clientHeight } = this.#canvas;
    return Math.min(clientWidth, clientHeight) * this.#zoom * (1 - 2 * MARGIN);
  }

  #screen(i: number): [number, number] {
    const { clientWidth, clientHeight } = this.#canvas, side = this.#side;
    return [
      clientWidth / 2 + (this.#places[2 * i] - this.#center[0]) * side,
      clientHeight / 2 + (this.#places[2 * i + 1] - this.#center[1]) * side,
    ];
  }

  #at({ clientX, clientY }: MouseEvent): [number, number] {
    const { left, top } = this.#canvas.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  #zoomBy(factor: number, [x, y]: readonly [number, number]): void {
    const { clientWidth, clientHeight } = this.#canvas, before = this.#side;
    this.#zoom = Math.min(60, Math.max(0.5, this.#zoom * factor));
    const after = this.#side;
    // What is below the pointer stays there.
    const offset = [x - clientWidth / 2, y - clientHeight / 2];
    this.#center = this.#center.map((c, d) => c + offset[d] / before - offset[d] / after);
    this.#draw();
  }

  #move(event: PointerEvent): void {
    const drag = this.#drag;
    if (!drag) {
      const found = this.#nearest(this.#at(event));
      $("map-tip").textContent = found >= 0 ? this.#gallery.names[found] : TIP;
      return;
    }
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    this.#drag = { x: event.clientX, y: event.clientY, moved: true };
    this.#center = [this.#center[0] - dx / this.#side, this.#center[1] - dy / this.#side];
    this.#draw();
  }

  #key(event: KeyboardEvent): void {
    const step = 0.1 / this.#zoom, { clientWidth, clientHeight } = this.#canvas;
    const middle = [clientWidth / 2, clientHeight / 2] as const;
    const moves: Record<string, readonly [number, number]> = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
    };
    const move = moves[event.key], found = this.#nearest(middle, Infinity);
    if (move) this.#center = this.#center.map((c, d) => c + move[d]);
    else if (event.key === "+" || event.key === "=") return this.#zoomBy(1.3, middle);
    else if (event.key === "-") return this.#zoomBy(1 / 1.3, middle);
    else if (event.key === "Enter" && found >= 0) return this.#onOpen(found);
    else return;
    event.preventDefault();
    const now = this.#nearest(middle, Infinity);
    if (now >= 0) $("map-tip").textContent = `in the middle: ${this.#gallery.names[now]}`;
    this.#draw();
  }

  #nearest([x, y]: readonly [number, number], most = this.#size / 2 + 4): number {
    let best = -1, least = most;
    for (let i = 0; i < this.#places.length / 2; i++) {
      const [left, top] = this.#screen(i),
        distance = Math.max(Math.abs(left - x), Math.abs(top - y));
      if (distance < least) [best, least] = [i, distance];
    }
    return best;
  }

  get #size(): number {
    const n = Math.max(1, this.#places.length / 2);
    const { clientWidth, clientHeight } = this.#canvas;
    const fits = 0.55 * Math.min(clientWidth, clientHeight) / Math.sqrt(n);
    return Math.min(LARGE, Math.max(SMALL, fits) * Math.sqrt(this.#zoom));
  }

  #draw(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const canvas = this.#canvas, scale = devicePixelRatio || 1;
      const { clientWidth, clientHeight } = canvas;
      canvas.width = clientWidth * scale;
      canvas.height = clientHeight * scale;
      const context = canvas.getContext("2d")!, size = this.#size;
      context.scale(scale, scale);
      for (let i = 0; i < this.#places.length / 2; i++) {
        const [x, y] = this.#screen(i);
        const out = x < -size || y < -size || x > clientWidth + size || y > clientHeight + size;
        const picture = this.#gallery.thumbnails[i];
        if (!out && picture) context.drawImage(picture, x - size / 2, y - size / 2, size, size);
      }
    });
  }
}
