/**
 * Numbers of a command line, for commander.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";

/** A whole number from 1 on. */
export function positive(text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1) return n;
  throw new InvalidArgumentError("Expected a whole number from 1 on.");
}

/** A number in (0, 1]. */
export function share(text: string): number {
  const x = Number(text);
  if (text.trim() && x > 0 && x <= 1) return x;
  throw new InvalidArgumentError("Expected a number in (0, 1].");
}
