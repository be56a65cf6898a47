/**
 * `--feature WORD`: short for `--evaluation.feature WORD`.
 *
 * @module
 */
import { Option } from "commander";
import type { Override } from "../../lib/config.ts";
import { FEATURES } from "../../lib/model.ts";

/** The option, for commands that compare, show or write features. */
export function featureOption(what: string): Option {
  return new Option("--feature <word>", what).choices(FEATURES);
}

/** What it sets. */
export function featureOverride({ feature }: { feature?: string }): Override[] {
  return feature === undefined ? [] : [{ key: "evaluation.feature", value: feature }];
}
