/**
 * Which recipes both sides can follow.
 *
 * @module
 */
import type { Config } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";

/**
 * Refuses what the reference does not have, or draws from random numbers of its own.
 *
 * @param objective One that the reference alone has.
 * @throws {HatchlingError} Listing every key that stands in the way, and what to set it to.
 */
export function checkComparable(config: Config, objective?: string): void {
  const { model, loss, optimizer, training } = config;
  const wanted: [string, unknown, unknown, string][] = [
    ["model.drop_path_rate", model.drop_path_rate, 0, "the two draw different random numbers"],
    ["loss.centering", loss.centering, "center", "the reference has no other"],
    ["loss.ibot_weight", loss.ibot_weight, 0, "the reference has no masks"],
    ["loss.gram_weight", loss.gram_weight, 0, "the reference has no anchor"],
    ["optimizer.layer_decay", optimizer.layer_decay, 1, "the reference has one rate"],
    [
      "training.gradient_accumulation_steps",
      training.gradient_accumulation_steps,
      1,
      "the reference takes a batch at once",
    ],
    ["training.preset", training.preset, "none", "both need the settings before the run"],
  ];
  if (objective) {
    const why = `${objective} takes the place of DINO's loss and reads its head`;
    wanted.push(["loss.objective", loss.objective, "dino", why]);
  }
  const wrong = wanted.filter(([, found, expected]) => found !== expected);
  if (!wrong.length) return;
  throw new HatchlingError(
    "Expected a recipe that Hatchling and the PyTorch reference can both follow but found\n" +
      wrong.map(([key, found, expected, why]) =>
        `  ${key} ${found}: ${why}; add --${key} ${expected}`
      ).join("\n"),
  );
}
