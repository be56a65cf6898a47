/**
 * What an evaluation gives: figures, and a table of them.
 *
 * @module
 */

import { shown } from "../text.ts";
import { isWhitenedName } from "./readout.ts";

/**
 * One figure of one encoder: a share in percent, or a number.
 *
 * @category Evaluation
 */
export interface Figure {
  /** The kind of label that it was measured by; "" where none was needed. */
  group: string;
  /** What was measured, "view retrieval R@1" for instance. */
  metric: string;
  /** The encoder's name. */
  encoder: string;
  /** A share of pictures, in percent. */
  percent?: number;
  /** What is no share. */
  value?: number;
}

/**
 * Figures as a table for a terminal: metrics down, encoders across, an empty line between groups. Whitened features
 * have a table of their own, as they are only compared with each other.
 *
 * @category Evaluation
 */
export function figureTable(all: readonly Figure[]): string {
  const whitened = all.filter(({ encoder }) => isWhitenedName(encoder));
  const plain = all.filter(({ encoder }) => !isWhitenedName(encoder));
  return [plain, whitened].filter((part) => part.length).map(oneTable).join("\n\n\n");
}

function oneTable(all: readonly Figure[]): string {
  const figures = all.map((f) => ({ ...f, metric: shown(f.metric), encoder: shown(f.encoder) }));
  const encoders = [...new Set(figures.map((f) => f.encoder))];
  const groups = [...new Set(figures.map((f) => f.group))];
  const width = figures.reduce((most, f) => Math.max(most, f.metric.length), 0) + 2;
  const cell = (text: string, encoder: string) => text.padStart(Math.max(18, encoder.length + 2));
  const textOf = ({ percent, value }: Figure) =>
    percent === undefined ? value!.toFixed(3) : `${percent.toFixed(1)} %`;
  const lines = groups.map((group) => {
    const mine = figures.filter((f) => f.group === group);
    return [...new Set(mine.map((f) => f.metric))].map((metric) =>
      metric.padEnd(width) + encoders.map((encoder) => {
        const found = mine.find((f) => f.metric === metric && f.encoder === encoder);
        return cell(found ? textOf(found) : "", encoder);
      }).join("")
    ).join("\n");
  });
  return [
    "".padEnd(width) + encoders.map((name) => cell(name, name)).join("") + "\n" + (lines[0] ?? ""),
    ...lines.slice(1),
  ]
    .join("\n\n");
}
