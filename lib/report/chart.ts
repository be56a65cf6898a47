/**
 * A chart: curves, with what they are to be compared with.
 *
 * @module
 */
import { BLUE, GREEN, ORANGE } from "../draw/svg.ts";
import type { Point } from "./thin.ts";

/** A line of a chart. */
export interface Series {
  name: string;
  color: string;
  /** By rising step; thinned, with every peak. */
  points: Point[];
  /** A moving mean, thinned; the points are then drawn pale. */
  mean?: Point[];
  /** Also draw a dot for each point. */
  dots?: boolean;
}

/** A value to compare with. */
export interface Reference {
  value: number;
  label: string;
}

/** A chart. */
export interface Chart {
  /** Name of its files. */
  name: string;
  /** What it shows, with the unit. */
  title: string;
  series: Series[];
  references: Reference[];
  /** Logarithmic. */
  log?: boolean;
  /** A second scale on the right: a value is this many of its units. */
  right?: { label: string; unit: number };
}

/** Colours that stand out on light and dark pages; what they mean is written beside them. */
export const COLORS = [BLUE, ORANGE, GREEN, "#a64d8a", "#a67c00", "#3a8fd6", "#c0392b", "#6b7a89"];

/** Most lines of a chart, which could not be told apart otherwise. */
export const MOST_SERIES = COLORS.length;

/** Stretches that a curve is thinned to: at most four points each. */
export const STRETCHES = 120;
