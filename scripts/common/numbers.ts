/**
 * Numbers of a command line, for commander.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";

/** The most that a number may be, and why. */
export interface Limit {
  most: number;
  why: string;
}

/** What numbers of command lines may be at most. */
export const LIMITS = {
  /** Pictures that a set may hold: more are a slip of the finger. */
  pictures: { most: 100_000_000, why: "no set has more pictures" },
  /** Pictures that are found for one: neighbours, those of a prototype. */
  found: { most: 1000, why: "a page has to show them all" },
  /** Rows of pictures. */
  rows: { most: 1000, why: "a page has to show them all" },
  /** Pixels of a side. */
  side: { most: 8192, why: "no adapter holds the patches of a larger image" },
  /** Neighbours that a layout keeps together. */
  graph: { most: 1000, why: "time and memory of the layout grow with it" },
} as const satisfies Record<string, Limit>;

/** Pictures on one page at most: each is part of the file. */
export const MOST_ON_PAGE = 2000;

/** A whole number from 1 on. */
export function positive(text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1) return n;
  throw new InvalidArgumentError("Expected a whole number from 1 on.");
}

/** A whole number from 1 to a limit. */
export function upTo({ most, why }: Limit): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (Number.isInteger(n) && n >= 1 && n <= most) return n;
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${most}: ${why}.`);
  };
}

/** A number in (0, 1]. */
export function share(text: string): number {
  const x = Number(text);
  if (text.trim() && x > 0 && x <= 1) return x;
  throw new InvalidArgumentError("Expected a number in (0, 1].");
}
