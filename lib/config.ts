/**
 * The configuration of a run: strict YAML in, a plain object out. Keys, defaults and limits come from
 * one schema; `docs/configuration.md` lists them.
 *
 * @example
 * ```ts
 * import { parseConfig, parseOverrides } from "@hatchling/hatchling/config";
 *
 * const { overrides } = parseOverrides(["--training.num_epochs", "20"]);
 * const config = parseConfig("data: {batch_size: 32}", { file: "my.yaml", overrides });
 * console.assert(config.training.num_epochs === 20 && config.data.batch_size === 32);
 * ```
 *
 * @module
 */

export { stringifyConfig } from "./config/emit.ts";
export { type Override, type ParsedOverrides, parseOverrides } from "./config/overrides.ts";
export {
  configDefaults,
  givenValues,
  parseConfig,
  type ParseConfigOptions,
} from "./config/parse.ts";
export type { ValueOf, ValuesOf } from "./config/kinds.ts";
export { LOSS_KEYS } from "./config/schema_loss.ts";
export { MODEL_KEYS } from "./config/schema_model.ts";
export * from "./config/schema_run.ts";
export { AUGMENTATION_KEYS, DATA_KEYS, VIEW_KEYS, type ViewTable } from "./config/schema_views.ts";
export type * from "./config/types.ts";
