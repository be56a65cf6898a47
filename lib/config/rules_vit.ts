/**
 * Rules between the parts of a vision transformer.
 *
 * @module
 */

import type { ParsedConfig, Rule } from "./rule.ts";

/** What has the class token among its parts. */
const OF_CLASS = ["class", "class+mean"];

/** A feature that a model without a class token does not have. */
function withoutClass(
  key: string,
  read: (config: ParsedConfig) => string | null,
): Rule {
  return {
    keys: [key, "model.class_token"],
    text: `\`${key}\` has no class token in it where \`model.class_token\` is false.`,
    check(config) {
      const feature = read(config);
      if (config.model.class_token || feature === null || !OF_CLASS.includes(feature)) return;
      return `expected mean, quad or grid, as model.class_token is false, but found ${feature}`;
    },
  };
}

/** The rules; `shapeOf` gives dim and heads after the backbone filled in what is null. */
export function vitRules(
  shapeOf: (model: ParsedConfig["model"]) => { dim: number; heads: number },
): readonly Rule[] {
  return [
    {
      keys: ["model.pos_embed", "model.dim", "model.heads", "model.backbone"],
      chosen: ["model.dim", "model.heads"],
      text: "`model.pos_embed: rope` needs heads of a multiple of 4 dimensions.",
      check({ model }) {
        const { dim, heads } = shapeOf(model);
        if (model.pos_embed !== "rope" || dim / heads % 4 === 0) return;
        return `expected learned, as rope needs heads of a multiple of 4 dimensions but those of model.dim ${dim} ` +
          `and model.heads ${heads} have ${Number((dim / heads).toFixed(2))}`;
      },
    },
    withoutClass("model.feature", ({ model }) => model.feature),
    withoutClass("loss.contrastive_feature", ({ loss }) => loss.contrastive_feature),
    withoutClass("evaluation.feature", ({ evaluation }) => evaluation.feature),
  ];
}
