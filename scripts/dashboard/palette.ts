/**
 * Colours of the runs that are compared, in order: apart in lightness as well as in hue.
 *
 * @module
 */

/** The colours. */
export const PALETTE: readonly string[] = [
  "#1f5fbf",
  "#c2410c",
  "#15803d",
  "#7e22ce",
  "#0e7490",
  "#a16207",
  "#be185d",
  "#475569",
];
