/**
 * `<hatchling-attention>`: a picture with what a model looks at in it, for any page.
 *
 * @example
 * ```html
 * <script type="module" src="hatchling-attention.js"></script>
 * <hatchling-attention model="teacher.safetensors" src="cat.jpg" alt="A cat"></hatchling-attention>
 * ```
 *
 * @module
 */
import { AttentionView } from "../attention_view.ts";
import type { GivenFile } from "../protocol.ts";
import { type Client, clientOf } from "../rpc.ts";

const STYLE = `
:host { display: inline-block; width: 20rem; max-width: 100%; font: inherit; }
:host([hidden]) { display: none; }
canvas, img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: inherit; }
canvas { touch-action: pan-y; cursor: crosshair; }
canvas:focus-visible { outline: 2px solid Highlight; outline-offset: 2px; }
[hidden] { display: none; }
p { margin: 0.3em 0 0; font-size: 0.85em; opacity: 0.75; overflow-wrap: anywhere; }
`;

/** Patches across where the attribute names none and the model has fewer. */
const FINE = 14;

/** The worker of a page, and the models that it has loaded: elements share them. */
let shared: Client | undefined, loaded = "", pictures = 0;
let turn: Promise<unknown> = Promise.resolve();

function client(): Client {
  return shared ??= clientOf(
    new Worker(new URL("worker.js", import.meta.url), { type: "module" }),
    () => {},
  );
}

/** One element after the other: the worker has one model at a time. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = turn.then(work, work);
  turn = mine.catch(() => {});
  return mine;
}

async function fileAt(address: string): Promise<Blob> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} cannot be loaded: ${response.status}`);
  return await response.blob();
}

const nameOf = (address: string) =>
  new URL(address, document.baseURI).pathname.split("/").at(-1) || address;

/**
 * Attention over a picture as the pointer moves.
 *
 * Attributes: `model`, the address of weights, with `config` that of their configuration where they need one; `src`
 * and `alt` of the picture; `head`, from 1, the mean of all by default; `patches`, how many across; `alpha`, weight of
 * the colours. Without WebGPU the picture stays as it is. Fires `load` and `error`.
 */
export class HatchlingAttention extends HTMLElement {
  /** Attributes whose changes are heard. */
  static readonly observedAttributes = [
    "model",
    "config",
    "src",
    "alt",
    "head",
    "patches",
    "alpha",
  ];
  readonly #canvas = document.createElement("canvas");
  readonly #image = document.createElement("img");
  readonly #words = document.createElement("p");
  readonly #view: AttentionView;
  #asked = 0;

  /** Draws nothing yet. */
  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" }), sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const canvas = this.#canvas;
    canvas.hidden = true;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    this.#words.setAttribute("aria-live", "polite");
    this.#view = new AttentionView(canvas, (text) => this.#words.textContent = `attention ${text}`);
    root.append(canvas, this.#image, this.#words);
  }

  /** Called when an attribute has changed, and once for each at the start. */
  attributeChangedCallback(name: string): void {
    const alt = this.getAttribute("alt") ?? "";
    this.#image.alt = alt;
    this.#canvas.setAttribute("aria-label", `${alt}: attention; arrow keys choose a patch`);
    this.#view.head = Number(this.getAttribute("head") ?? 0) - 1;
    this.#view.alpha = Number(this.getAttribute("alpha") ?? 0.85);
    if (["alt", "head", "alpha"].includes(name)) this.#view.draw();
    else this.#update();
  }

  /** Several attributes that change at once are one change. */
  #update(): void {
    const mine = ++this.#asked;
    queueMicrotask(() => {
      if (mine === this.#asked) void this.#show(mine);
    });
  }

  async #show(mine: number): Promise<void> {
    const model = this.getAttribute("model"), src = this.getAttribute("src");
    if (src) this.#image.src = src;
    if (!model || !src) return;
    this.#words.textContent = "looking …";
    try {
      const seen = await inTurn(() => this.#look(model, src, this.getAttribute("config")));
      if (mine !== this.#asked) return;
      this.#view.show(seen);
      this.#canvas.hidden = false;
      this.#image.hidden = true;
      this.dispatchEvent(new Event("load"));
    } catch (error) {
      if (mine !== this.#asked) return;
      this.#words.textContent = (error as Error).message;
      this.dispatchEvent(new ErrorEvent("error", { message: (error as Error).message }));
    }
  }

  async #look(model: string, src: string, config: string | null) {
    const worker = client(), key = `${model} ${config ?? ""}`;
    let facts = known;
    if (!facts || loaded !== key) {
      await worker.open();
      const addresses = config ? [model, config] : [model];
      const files: GivenFile[] = await Promise.all(addresses.map(async (address) => {
        return { name: nameOf(address), file: await fileAt(address) };
      }));
      facts = known = await worker.load(files);
      loaded = key;
    }
    if (!facts.patch) {
      throw new Error("Expected a vision transformer but found a model without attention");
    }
    const own = Math.round(facts.imageSize / facts.patch);
    const patches = Number(this.getAttribute("patches") ?? Math.max(own, FINE));
    if (++pictures > 64) {
      await worker.clear(); // a page may show one after the other for ever
      pictures = 1;
    }
    const { pictures: [added], skipped } = await worker.add([
      { name: nameOf(src), file: await fileAt(src) },
    ]);
    if (!added) throw new Error(`${src}: ${skipped[0].reason}`);
    added.thumbnail.close();
    return await worker.look(added.index, patches);
  }
}

let known: Awaited<ReturnType<Client["load"]>> | undefined;

customElements.define("hatchling-attention", HatchlingAttention);
