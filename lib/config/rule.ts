/**
 * What a rule between keys is, and what it looks at.
 *
 * @module
 */

import { valueAt } from "./describe.ts";
import type { WrittenOf } from "./kinds.ts";
import type { LOSS_KEYS } from "./schema_loss.ts";
import type { MODEL_KEYS } from "./schema_model.ts";
import type { EVALUATION_KEYS } from "./schema_run.ts";
import type { AUGMENTATION_KEYS, DATA_KEYS, ViewTable } from "./schema_views.ts";
import type { Config, SharedViewConfig, ViewConfig } from "./types.ts";

/** What a file says, with defaults: every key present, nulls and short forms not yet worked out. */
export interface ParsedConfig
  extends Omit<Config, "data" | "augmentation" | "model" | "loss" | "evaluation"> {
  readonly data: WrittenOf<typeof DATA_KEYS>;
  readonly augmentation:
    & WrittenOf<typeof AUGMENTATION_KEYS>
    & SharedViewConfig
    & Readonly<Record<ViewTable, { readonly [K in keyof ViewConfig]: number | null }>>;
  readonly model: WrittenOf<typeof MODEL_KEYS>;
  readonly loss: WrittenOf<typeof LOSS_KEYS>;
  readonly evaluation: WrittenOf<typeof EVALUATION_KEYS>;
}

/** One rule between keys. */
export interface Rule {
  /** The keys it looks at; the first is the one that is said to be wrong. */
  keys: readonly string[];
  /** For the documentation. */
  text: string;
  /** Keys that `preset: auto` chooses to agree with the others where they are not set. */
  chosen?: readonly string[];
  /**
   * What is wrong, with the key of the rule that is wrong where it is not the first; or undefined.
   * Holds only the rule's own keys for certain.
   */
  check(config: ParsedConfig): string | { key: string; what: string } | undefined;
}

/** "expected at most …". */
export const atMost = (other: string, limit: number, found: number): string =>
  `expected at most ${other} (${limit}) but found ${found}`;

/** One key is at most another. `chosen` as in {@linkcode Rule}. */
export function notAbove(key: string, limit: string, chosen?: readonly string[]): Rule {
  return {
    keys: [key, limit],
    chosen,
    text: `\`${key}\` is at most \`${limit}\`.`,
    check(config) {
      const [found, most] = [key, limit].map((path) => valueAt(config, path) as number);
      return found <= most ? undefined : atMost(limit, most, found);
    },
  };
}
