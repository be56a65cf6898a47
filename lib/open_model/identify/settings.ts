/**
 * What a recognised model sets in a configuration, and where a configuration says something else.
 *
 * @module
 */
import type { Config, Override } from "../../config.ts";
import { HatchlingError } from "../../errors.ts";
import { shown } from "../../text.ts";
import { localOf } from "./pictures.ts";
import type { Identified, ModelKeys } from "./types.ts";

/** Keys that may differ from the file: they change how a model is used, not which one it is. */
const FREE: readonly string[] = ["pos_interp", "norm_eps", "feature", "heads"];
const GLOBAL = "augmentation.global_crop_size";
/** Keys that a named backbone stands for. */
const SHAPE: readonly string[] = ["dim", "depth", "heads"];

/**
 * The keys that a model sets: those of its shape and of its pictures that nobody has set.
 *
 * @param given Keys that a file or the command line sets, as `section.key`.
 */
export function settingsOf(
  { model, projection, pictures }: Identified,
  given: ReadonlyMap<string, unknown>,
): Override[] {
  const { imageSize, mean, std } = pictures, said = given.get(GLOBAL);
  const localSize = localOf(typeof said === "number" ? said : imageSize, model.patch_size);
  const ofModel = Object.entries({ ...model, ...shapeBeside(model, given), ...projection });
  const all: [string, unknown][] = [
    ...ofModel.map(([key, value]): [string, unknown] => [`model.${key}`, value]),
    [GLOBAL, imageSize],
    ["augmentation.local_crop_size", localSize],
    ...mean && std
      ? [["augmentation.normalize_mean", mean], ["augmentation.normalize_std", std]] as [
        string,
        unknown,
      ][]
      : [],
  ];
  return all
    .filter(([key, value]) => value !== undefined && !given.has(key))
    .map(([key, value]) => ({ key, value: JSON.stringify(value) }));
}

/** A backbone that is named stays; one of which parts are given is custom. What does not fit is told later. */
function shapeBeside(model: ModelKeys, given: ReadonlyMap<string, unknown>): ModelKeys {
  const set = (key: string) => given.has(`model.${key}`);
  if (set("backbone")) {
    return { backbone: undefined, dim: undefined, depth: undefined, heads: undefined };
  }
  return model.dim !== undefined && SHAPE.some(set) ? { backbone: "custom" } : {};
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
    // Transformers are told apart by their sizes, whatever they are called.
    if (
      key === "backbone" && ![config.backbone, ofFile].some((name) => /^resnet/.test(`${name}`))
    ) {
      return [];
    }
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
