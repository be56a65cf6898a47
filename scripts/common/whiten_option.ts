/**
 * `--whiten`, `--no-whiten` and `--whiten-alpha A`: short for keys of `evaluation`.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Override } from "../../lib/config.ts";

/** What the options give. */
export interface WhitenOptions {
  /** Undefined where neither was given. */
  whiten?: boolean;
  whitenAlpha?: number;
}

/** Adds the options to a command that compares, shows or writes features. */
export function addWhitenOptions(command: Command): Command {
  return command
    .option("--whiten", "whiten the features: all their directions count alike")
    .option("--no-whiten", "leave them as they are (default: evaluation.whiten)")
    .addOption(whitenAlphaOption());
}

/** `--whiten-alpha` alone. */
export function whitenAlphaOption(): Option {
  return new Option("--whiten-alpha <a>", "shrinkage (default: evaluation.whiten_alpha)")
    .argParser(alpha);
}

function alpha(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value < Infinity) return value;
  throw new InvalidArgumentError("Expected a number ≥ 0.");
}

/** What they set. */
export function whitenOverrides({ whiten, whitenAlpha }: WhitenOptions): Override[] {
  const given = { "evaluation.whiten": whiten, "evaluation.whiten_alpha": whitenAlpha };
  return Object.entries(given).flatMap(([key, value]) => {
    return value === undefined ? [] : [{ key, value: String(value) }];
  });
}
