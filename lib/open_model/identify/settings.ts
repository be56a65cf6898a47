/**
 * What a recognised model sets in a configuration, and where a configuration says something else.
 *
 * @module
 */
import type { Config, Override } from "../../config.ts";
import { HatchlingError } from "../../errors.ts";
import { shown } from "../../text.ts";
import type { Identified, ModelKeys } from "./types.ts";

/** Keys that may differ from the file: they change how a model is used, not which one it is. */
const FREE: readonly string[] = ["pos_interp", "norm_eps", "feature", "backbone", "heads"];
/** Keys that name a shape together. */
const SHAPE: readonly string[] = ["backbone", "dim", "depth", "heads"];

/**
 * The keys that a model sets: those of its shape and of its pictures that nobody has set.
 *
 * @param given Keys that a file or the command line sets, as `section.key`.
 */
export function settingsOf(
  { model, projection, pictures }: Identified,
  given: ReadonlySet<string>,
): Override[] {
  const { imageSize, localSize, mean, std } = pictures;
  const shaped = SHAPE.some((key) => given.has(`model.${key}`));
  // A shape is set as a whole or not at all; what does not fit is told later.
  const ofModel = Object.entries({ ...model, ...projection }).filter(([key]) =>
    !(shaped && SHAPE.includes(key))
  );
  const all: [string, unknown][] = [
    ...ofModel.map(([key, value]): [string, unknown] => [`model.${key}`, value]),
    ["augmentation.global_crop_size", imageSize],
    ["augmentation.local_crop_size", localSize],
    ...mean && std
      ? [["augmentation.normalize_mean", mean], ["augmentation.normalize_std", std]] as [
        string,
        unknown,
      ][]
      : [],
  ];
  const sizes = ["augmentation.global_crop_size", "augmentation.local_crop_size"];
  const sized = sizes.some((key) => given.has(key));
  return all
    .filter(([key]) => !given.has(key) && !(sized && sizes.includes(key)))
    .map(([key, value]) => ({ key, value: JSON.stringify(value) }));
}

/**
 * Compares a configuration with the model in a file.
 *
 * @throws {HatchlingError} Listing each key that says something else than the file.
 */
export function checkAgainst(
  file: string,
  { model: config }: Config,
  { model, family }: Identified,
): void {
  const wrong = Object.entries(model).flatMap(([key, ofFile]) => {
    if (FREE.includes(key)) return [];
    const said = valueOf(config, key),
      own = valueOf({ ...config, ...model } as Config["model"], key);
    return said === own
      ? []
      : [`model.${key}: the configuration says ${said}, the file holds ${ofFile}`];
  });
  if (!wrong.length) return;
  throw new HatchlingError(
    `Expected the configuration to fit ${shown(file)} (${family}) but it does not:${
      wrong.map((line) => `\n  ${line}`).join("")
    }\nLeave these keys out: they are read off the file`,
  );
}

/** A value, in the form in which two of them can be compared. */
function valueOf(model: Config["model"], key: string): unknown {
  if (key === "layer_scale") return model.layer_scale === null ? "none" : "LayerScale";
  if (key === "mlp_hidden_dim") return model.mlp_hidden_dim ?? model.dim * model.mlp_ratio;
  return model[key as keyof ModelKeys & keyof Config["model"]];
}
