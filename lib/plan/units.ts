/**
 * Rates and times of networks as people write them.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";

const PREFIX: Record<string, number> = { "": 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const SECONDS: Record<string, number> = { s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, μs: 1e-6, ns: 1e-9 };

/**
 * Reads a rate: `10gbit`, `100 Mbit/s` in bits, `1.25GB/s` in bytes. Prefixes are powers of 1,000.
 *
 * @returns Bytes in a second, above 0.
 * @throws {HatchlingError} When it is none, or says neither bits nor bytes: Gb is one to some and the other to others.
 *
 * @example
 * ```ts
 * import { parseRate } from "./units.ts";
 *
 * console.assert(parseRate("10gbit") === 1.25e9 && parseRate("1.25GB/s") === 1.25e9);
 * ```
 */
export function parseRate(text: string): number {
  const [, number = "", prefix = "", unit = ""] =
    /^(\d+(?:\.\d+)?) ?([kmgtKMGT]?)(bit(?:\/s)?|B\/s|(?<=[kmgt])b\/s)$/.exec(text.trim()) ?? [];
  const bytes = Number(number) * PREFIX[prefix.toLowerCase()] / (unit.startsWith("bit") ? 8 : 1);
  if (unit && bytes > 0) return bytes;
  throw new HatchlingError(
    `Expected a rate such as 10gbit or 1.25GB/s but found "${
      shown(text)
    }": write bits as kbit, mbit or gbit, and ` +
      "bytes as MB/s or GB/s",
  );
}

/**
 * Reads a short time: `50us`, `1.5ms`, `2s`.
 *
 * @returns Seconds, 0 or more.
 * @throws {HatchlingError} When it is none.
 *
 * @example
 * ```ts
 * import { parseShortTime } from "./units.ts";
 *
 * console.assert(parseShortTime("50us") === 50e-6);
 * ```
 */
export function parseShortTime(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([mun]?s|[µμ]s)$/.exec(text.trim()) ?? [];
  if (unit) return Number((Number(number) * SECONDS[unit]).toPrecision(15));
  throw new HatchlingError(
    `Expected a time such as 50us, 1.5ms or 2s but found "${
      shown(text)
    }": write a number with ns, us, ms or s`,
  );
}

/** "10 Gbit/s", "100 Mbit/s", of bytes in a second. */
export function rateText(bytesPerSecond: number): string {
  const bits = 8 * bytesPerSecond;
  const [name, size] = bits >= 1e9
    ? ["Gbit/s", 1e9]
    : bits >= 1e6
    ? ["Mbit/s", 1e6]
    : ["kbit/s", 1e3];
  return `${Number((bits / Number(size)).toPrecision(3))} ${name}`;
}

/** "160 ms", "2.4 s", "50 µs". */
export function shortTimeText(seconds: number): string {
  const [name, size] = seconds >= 1
    ? ["s", 1]
    : seconds >= 1e-3 || seconds === 0
    ? ["ms", 1e-3]
    : ["µs", 1e-6];
  return `${Number((seconds / Number(size)).toPrecision(3))} ${name}`;
}
