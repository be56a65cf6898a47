/**
 * The document, a little shorter.
 *
 * @module
 */

/** The element of an id, which is there. */
export function $<E extends HTMLElement = HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

/** A new element with properties and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<Omit<HTMLElementTagNameMap[K], "style">> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Shows lines as items of a list. */
export function setNotes(id: string, lines: readonly string[]): void {
  $(id).replaceChildren(...lines.map((line) => el("li", {}, line)));
}

/** Shows a bitmap on a canvas of its own. */
export function canvasOf(bitmap: ImageBitmap, label: string): HTMLCanvasElement {
  const { width, height } = bitmap;
  const canvas = el("canvas", { width, height, className: "thumb", title: label });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  canvas.getContext("2d")!.drawImage(bitmap, 0, 0);
  if (width < 64) canvas.classList.add("pixelated");
  return canvas;
}

/** Offers a file for saving. */
export function saveFile(name: string, bytes: Uint8Array<ArrayBuffer> | string): void {
  const url = URL.createObjectURL(new Blob([bytes]));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A text on the status line; an error stays until the next one. */
export function say(text: string, isBad = false): void {
  $("status").textContent = text;
  $("status").classList.toggle("bad", isBad);
}

/** Does something; what goes wrong is said. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    say((error as Error).message, true);
  }
}
