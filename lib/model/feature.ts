/**
 * What a feature is: the words by which tokens of a vision transformer are trained on and read out. By themselves, so
 * that ops and a configuration know them without a GPU's code.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";

/**
 * The words:
 *
 * - `class`: the class token, [D]: what DINO trains, and what is seen in a picture.
 * - `mean`: the mean of the patch tokens, [D].
 * - `quad`: patch tokens averaged over 2 × 2 cells, side by side, cells row by row, [4 · D].
 * - `grid`: the same over 4 × 4 cells, [16 · D]: what lies where.
 * - `class+mean`: the class token, then the mean, [2 · D].
 *
 * All are of tokens after the final norm.
 *
 * @category Model
 */
export const FEATURES = ["class", "mean", "quad", "grid", "class+mean"] as const;

/**
 * One of {@linkcode FEATURES}.
 *
 * @category Model
 */
export type Feature = typeof FEATURES[number];

/** What a feature is put together from, in this order. */
export interface FeatureParts {
  /** Tokens of the class: 0 or 1. */
  classTokens: 0 | 1;
  /** Cells down, and as many across, over each of which patch tokens are averaged; 0 takes no patches. */
  cells: number;
}

const PARTS: Readonly<Record<Feature, FeatureParts>> = {
  "class": { classTokens: 1, cells: 0 },
  "mean": { classTokens: 0, cells: 1 },
  "quad": { classTokens: 0, cells: 2 },
  "grid": { classTokens: 0, cells: 4 },
  "class+mean": { classTokens: 1, cells: 1 },
};

/**
 * What a feature is put together from. Cells are always exactly that many: where there are fewer patches, some repeat.
 *
 * @throws {HatchlingError} When the word is not one of {@linkcode FEATURES}.
 */
export function featureParts(feature: Feature): FeatureParts {
  if (!Object.hasOwn(PARTS, feature)) {
    throw new HatchlingError(
      `Expected a feature (${FEATURES.join(", ")}) but found ${JSON.stringify(feature)}`,
    );
  }
  return PARTS[feature];
}

/**
 * Numbers of a feature of tokens of width D.
 *
 * @param dim D.
 * @throws {HatchlingError} When the word is not one of {@linkcode FEATURES}.
 *
 * @example
 * ```ts
 * import { featureDim, FEATURES } from "@hatchling/hatchling/model";
 *
 * for (const word of FEATURES) console.log(word, featureDim(word, 64)); // 64, 64, 256, 1024, 128
 * ```
 *
 * @category Model
 */
export function featureDim(feature: Feature, dim: number): number {
  const { classTokens, cells } = featureParts(feature);
  return (classTokens + cells * cells) * dim;
}
