/**
 * The pictures, small: one of them is chosen.
 *
 * @module
 */
import { many } from "../../../lib/words.ts";
import type { Added } from "../protocol.ts";
import { $, canvasOf, setNotes } from "./dom.ts";

/** Notes on files that could not be taken in, at most. */
const NOTED = 5;

/** A list of pictures. */
export class Gallery {
  /** Small pictures by number. */
  readonly thumbnails: ImageBitmap[] = [];
  /** Names by number. */
  readonly names: string[] = [];
  readonly #box = $("gallery");
  readonly #onChoose: (index: number) => void;
  #chosen = -1;

  /** @param onChoose Told which picture was chosen. */
  constructor(onChoose: (index: number) => void) {
    this.#onChoose = onChoose;
    this.#box.addEventListener("click", ({ target }) => {
      const index = this.#indexOf(target as Element);
      if (index >= 0) this.choose(index);
    });
    this.#box.addEventListener("keydown", (event) => this.#key(event));
  }

  /** The picture that is chosen; −1 where there is none. */
  get chosen(): number {
    return this.#chosen;
  }

  /** How many pictures there are. */
  get length(): number {
    return this.names.length;
  }

  /** Shows pictures that were taken in, and says which were not. */
  add({ pictures, skipped }: Added): void {
    for (const { index, name, thumbnail } of pictures) {
      this.thumbnails[index] = thumbnail;
      this.names[index] = name;
      const canvas = canvasOf(thumbnail, name);
      canvas.setAttribute("role", "option");
      canvas.setAttribute("aria-selected", "false");
      canvas.tabIndex = -1;
      this.#box.append(canvas);
    }
    const lines = skipped.slice(0, NOTED).map(({ name, reason }) => `${name}: ${reason}`);
    const more = skipped.length - lines.length;
    setNotes("picture-notes", more > 0 ? [...lines, `and ${many(more, "more file")}`] : lines);
    this.#count();
    if (this.#chosen < 0 && pictures.length) this.choose(pictures[0].index, { silent: true });
  }

  /** Forgets all. */
  clear(): void {
    this.#box.replaceChildren();
    for (const bitmap of this.thumbnails) bitmap.close();
    this.thumbnails.length = this.names.length = 0;
    this.#chosen = -1;
    setNotes("picture-notes", []);
    this.#count();
  }

  /** Chooses a picture. */
  choose(index: number, { focus = false, silent = false } = {}): void {
    this.#mark(false);
    this.#chosen = index;
    this.#mark(true);
    const canvas = this.#box.children[index] as HTMLElement;
    canvas.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (focus) canvas.focus();
    if (!silent) this.#onChoose(index);
  }

  #mark(is: boolean): void {
    const canvas = this.#box.children[this.#chosen] as HTMLElement | undefined;
    canvas?.setAttribute("aria-selected", String(is));
    if (canvas) canvas.tabIndex = is ? 0 : -1;
  }

  #indexOf(target: Element): number {
    return [...this.#box.children].indexOf(target);
  }

  #key(event: KeyboardEvent): void {
    const columns = getComputedStyle(this.#box).gridTemplateColumns.split(" ").length;
    const steps: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -this.length,
      End: this.length,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(this.length - 1, Math.max(0, this.#chosen + step));
    if (next !== this.#chosen) this.choose(next, { focus: true });
  }

  #count(): void {
    $("count").textContent = this.length ? String(this.length) : "";
    $("clear").hidden = !this.length;
  }
}
