/**
 * Tabs: one panel is there, arrow keys go from one to the next.
 *
 * @module
 */
import { $ } from "./dom.ts";

/** The panels. */
export const PANELS = ["look", "near", "map", "train"] as const;

/** A panel. */
export type Panel = typeof PANELS[number];

/** The tabs of the page. */
export class Tabs {
  #panel: Panel = "look";
  readonly #onShow: (panel: Panel) => void;

  /** @param onShow Told which panel is there now. */
  constructor(onShow: (panel: Panel) => void) {
    this.#onShow = onShow;
    PANELS.forEach((panel, i) => {
      const tab = $(`tab-${panel}`);
      tab.addEventListener("click", () => this.show(panel));
      tab.addEventListener("keydown", ({ key }) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
        if (!step) return;
        const next = PANELS[(i + step + PANELS.length) % PANELS.length];
        this.show(next);
        $(`tab-${next}`).focus();
      });
    });
    this.show("look");
  }

  /** The panel that is there. */
  get panel(): Panel {
    return this.#panel;
  }

  /** Shows a panel. */
  show(panel: Panel): void {
    this.#panel = panel;
    for (const each of PANELS) {
      const is = each === panel, tab = $(`tab-${each}`);
      $(each).hidden = !is;
      tab.setAttribute("aria-selected", String(is));
      tab.tabIndex = is ? 0 : -1;
    }
    this.#onShow(panel);
  }
}
