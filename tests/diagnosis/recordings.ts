/** Recorded runs. */
import type { MetricLine } from "../../lib/diagnosis.ts";

/** A recorded run: `command` made it, every line holds the numbers of `keys`. */
export interface Recording {
  command: string;
  settings: Record<string, number | string>;
  keys: string;
  lines: string[];
}

/** Its lines. */
export function recordingOf({ keys, lines }: Pick<Recording, "keys" | "lines">): MetricLine[] {
  const names = keys.split(" ");
  return lines.map((line) =>
    Object.fromEntries(line.split(" ").map((value, i) => [names[i], Number(value)]))
  ) as unknown as MetricLine[];
}
