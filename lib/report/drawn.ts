/**
 * What the parts of a report share.
 *
 * @module
 */
import type { RunExtras } from "../run/data.ts";

/** What is drawn, and what is looked for, elsewhere. */
export interface Drawn extends RunExtras {
  /** The curves, as SVG for a page. */
  curves: readonly string[];
  /** PNG files of the run as data URIs, by path. */
  images: ReadonlyMap<string, string>;
  /** Links to pictures, by their names. */
  links: ReadonlyMap<string, string>;
}
