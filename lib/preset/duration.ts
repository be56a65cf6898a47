/**
 * Durations as people write them.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/** Seconds of a unit, largest first: the order in which a duration names them. */
const UNITS = { d: 86400, h: 3600, m: 60, s: 1 };
const FORM = new RegExp(
  `^${Object.keys(UNITS).map((unit) => `(?:(\\d+(?:\\.\\d+)?)${unit})?`).join("")}$`,
);

/**
 * Reads a duration: `90s`, `45m`, `2h`, `1h30m`, `3d`.
 *
 * @returns Seconds, above 0.
 * @throws {HatchlingError} When it is none.
 *
 * @example
 * ```ts
 * import { parseDuration } from "./duration.ts";
 *
 * console.assert(parseDuration("1h30m") === 5400);
 * ```
 */
export function parseDuration(text: string): number {
  const parts = FORM.exec(text.trim()) ?? [];
  const seconds = Object.values(UNITS).reduce(
    (sum, unit, i) => sum + unit * Number(parts[i + 1] ?? 0),
    0,
  );
  if (seconds > 0 && Number.isFinite(seconds)) return seconds;
  throw new HatchlingError(
    `Expected a duration such as 90s, 45m, 2h, 1h30m or 3d but found "${text}": ` +
      "write numbers with d, h, m or s, the largest unit first",
  );
}

/** Rounded up, for people: "45 s", "12 min", "2 h 5 min", "3 d 4 h". */
export function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  const [large, small] = hours < 24
    ? [`${hours} h`, minutes % 60 && `${minutes % 60} min`]
    : [`${Math.floor(hours / 24)} d`, hours % 24 && `${hours % 24} h`];
  return small ? `${large} ${small}` : large;
}
