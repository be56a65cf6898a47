/**
 * Optimisers by their names in a configuration.
 *
 * @module
 */
import type { Gpu } from "../gpu.ts";
import type { Parameters } from "../model/parameters.ts";
import { AdamW, type AdamWOptions } from "./adamw.ts";
import type { Optimizer, OptimizerOptions } from "./optimizer.ts";
import { Sgd, type SgdOptions } from "./sgd.ts";

/** Which optimiser, and its settings; `adamw` by default. */
export type OptimizerSettings =
  | { kind?: "adamw" | "adam" } & Omit<AdamWOptions, "decoupled" | "group">
  | { kind: "sgd" } & Omit<SgdOptions, "group">;

/** Makes an optimiser. */
export function optimizerOf(
  gpu: Gpu,
  params: Parameters,
  settings: OptimizerSettings,
  group: OptimizerOptions["group"],
): Optimizer {
  if (settings.kind === "sgd") return new Sgd(gpu, params, { ...settings, group });
  const { kind = "adamw", ...options } = settings;
  return new AdamW(gpu, params, { ...options, group, decoupled: kind === "adamw" });
}
