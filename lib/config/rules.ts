/**
 * Rules between keys. Each is documented by its `text` and runs only when all its keys are right by
 * themselves.
 *
 * @module
 */

import { atMost, notAbove, type ParsedConfig, type Rule } from "./rule.ts";
import { BACKBONES } from "./backbones.ts";
import { sizeRules } from "./rules_size.ts";
import { VIEW_RULES } from "./rules_views.ts";
import { RESNET_RULES } from "./rules_resnet.ts";
import { vitRules } from "./rules_vit.ts";

type Preset = keyof typeof BACKBONES;
const EPOCHS = "training.num_epochs";
const SHAPE = ["dim", "depth", "heads"] as const;

/** dim, depth and heads after the backbone filled in what is null. */
export function backboneShape(model: ParsedConfig["model"]): Record<typeof SHAPE[number], number> {
  const preset = BACKBONES[model.backbone as Preset];
  const pick = (name: typeof SHAPE[number]) => model[name] ?? preset?.[name] ?? NaN;
  return { dim: pick("dim"), depth: pick("depth"), heads: pick("heads") };
}

function ofBackbone(name: typeof SHAPE[number]): Rule {
  return {
    keys: [`model.${name}`, "model.backbone"],
    chosen: [`model.${name}`, "model.backbone"],
    text:
      `\`model.${name}\` is needed by backbone custom; elsewhere it is the backbone's or left out.`,
    check({ model }) {
      const given = model[name];
      if (model.backbone === "custom") {
        return given === null ? `expected a number, as model.backbone is custom` : undefined;
      }
      const own = BACKBONES[model.backbone][name];
      if (given === null || given === own) return;
      return `expected ${own}, which is ${model.backbone}'s, but found ${given} - leave it out, or ` +
        `set model.backbone to custom`;
    },
  };
}

/** A weight that is 0 but for DINO. */
function besideDino(key: "loss.ibot_weight" | "loss.gram_weight", why: string): Rule {
  return {
    keys: [key, "loss.objective"],
    text: `\`${key}\` belongs to \`loss.objective: dino\`.`,
    check({ loss }) {
      const weight = key === "loss.ibot_weight" ? loss.ibot_weight : loss.gram_weight;
      if (weight === 0 || loss.objective === "dino") return;
      return `expected 0, as loss.objective is ${loss.objective}: ${why}`;
    },
  };
}

/** Every rule, in the order of the documentation. */
export const RULES: readonly Rule[] = [
  ...VIEW_RULES,
  ...SHAPE.map(ofBackbone),
  {
    keys: ["model.dim", "model.heads", "model.backbone"],
    chosen: ["model.dim", "model.heads"],
    text: "`model.dim` is a multiple of `model.heads`.",
    check({ model }) {
      const { dim, heads } = backboneShape(model);
      if (dim % heads === 0) return;
      return `expected a multiple of model.heads (${heads}) but found ${dim}`;
    },
  },
  {
    keys: ["model.mlp_ratio", "model.dim", "model.backbone", "model.mlp_hidden_dim"],
    chosen: ["model.dim"],
    text: "`model.mlp_ratio` × `model.dim` is an integer, unless `model.mlp_hidden_dim` is set.",
    check({ model }) {
      const { dim } = backboneShape(model);
      if (model.mlp_hidden_dim !== null || Number.isInteger(dim * model.mlp_ratio)) return;
      return `expected an integer when multiplied by model.dim (${dim}) but found ${model.mlp_ratio}`;
    },
  },
  {
    keys: ["model.freeze_blocks", "model.depth", "model.backbone"],
    chosen: ["model.depth"],
    text: "`model.freeze_blocks` is at most `model.depth`.",
    check({ model }) {
      const { depth } = backboneShape(model);
      if (model.freeze_blocks <= depth) return;
      return atMost("model.depth", depth, model.freeze_blocks);
    },
  },
  ...vitRules(backboneShape),
  {
    keys: ["model.norm_last_layer", "model.use_weight_norm"],
    text: "`model.norm_last_layer: false` belongs to `model.use_weight_norm: true`.",
    check({ model }) {
      if (model.norm_last_layer || model.use_weight_norm) return;
      return "expected true, as model.use_weight_norm is false: a plain layer has no gain that could be trained";
    },
  },
  {
    keys: ["optimizer.nesterov", "optimizer.momentum"],
    text: "`optimizer.nesterov` needs an `optimizer.momentum` above 0.",
    check({ optimizer }) {
      if (!optimizer.nesterov || optimizer.momentum > 0) return;
      return "expected false, as optimizer.momentum is 0: there is nothing to look ahead along";
    },
  },
  ...RESNET_RULES,
  notAbove("loss.warmup_teacher_temp_epochs", EPOCHS, [EPOCHS]),
  {
    keys: ["loss.chunk_size"],
    text: "`loss.chunk_size` is a multiple of 64.",
    check({ loss }) {
      if (loss.chunk_size === null || loss.chunk_size % 64 === 0) return;
      return `expected a multiple of 64 but found ${loss.chunk_size}`;
    },
  },
  {
    keys: ["loss.koleo_weight", "data.batch_size"],
    text: "`loss.koleo_weight` above 0 needs a `data.batch_size` of 2 or more.",
    check({ loss, data }) {
      if (loss.koleo_weight === 0 || data.batch_size === "auto" || data.batch_size > 1) return;
      return "expected 0, as data.batch_size is 1: a picture alone has no neighbour";
    },
  },
  {
    keys: ["loss.koleo_weight", "loss.objective"],
    text:
      "`loss.koleo_weight` belongs to `loss.objective: dino`; InfoNCE spreads features by itself.",
    check({ loss }) {
      if (loss.koleo_weight === 0 || loss.objective === "dino") return;
      return "expected 0, as loss.objective is infonce, which spreads features by itself";
    },
  },
  besideDino("loss.ibot_weight", "masked patches need DINO's teacher and head"),
  besideDino("loss.gram_weight", "the anchor is an earlier teacher of DINO"),
  {
    keys: ["loss.ibot_separate_head", "loss.ibot_weight", "model.feature"],
    text:
      "`loss.ibot_weight` above 0 needs a `model.feature` as wide as a token, class or mean, or `loss.ibot_separate_head`.",
    check({ loss, model }) {
      const wide = !["class", "mean"].includes(model.feature);
      if (loss.ibot_weight === 0 || loss.ibot_separate_head || !wide) return;
      return `expected true, as DINO's head reads model.feature ${model.feature}, which is wider than a patch's token`;
    },
  },
  notAbove("loss.mask_ratio_min", "loss.mask_ratio_max"),
  {
    keys: ["loss.gram_refresh_epochs", "loss.gram_weight", EPOCHS],
    chosen: [EPOCHS],
    text:
      "`loss.gram_weight` above 0 needs a `loss.gram_refresh_epochs` below `training.num_epochs`.",
    check({ loss, training }) {
      const { gram_weight: weight, gram_refresh_epochs: epochs } = loss;
      if (weight === 0 || epochs < training.num_epochs) return;
      return `expected less than ${EPOCHS} (${training.num_epochs}) but found ${epochs}: Gram anchoring begins then`;
    },
  },
  {
    keys: ["data.batch_size", "loss.contrastive_weight", "loss.objective"],
    text:
      "`loss.objective: infonce` and `loss.contrastive_weight` above 0 need a `data.batch_size` of 2 or more.",
    check({ loss, data }) {
      const on = loss.objective === "infonce" || loss.contrastive_weight > 0;
      if (!on || data.batch_size === "auto" || data.batch_size > 1) return;
      return "expected at least 2, as a picture is to be found among others, but found 1";
    },
  },
  {
    keys: ["training.gradient_accumulation_steps", "loss.centering"],
    text: "`loss.centering: sinkhorn_knopp` needs the whole batch at once: one accumulation step.",
    check({ training, loss }) {
      if (training.gradient_accumulation_steps === 1 || loss.centering !== "sinkhorn_knopp") return;
      return "expected 1, as loss.centering is sinkhorn_knopp: it needs the logits of the whole batch at once";
    },
  },
  {
    keys: ["evaluation.last_blocks", "model.depth", "model.backbone"],
    chosen: ["model.depth"],
    text: "`evaluation.last_blocks` is at most `model.depth`.",
    check({ evaluation, model }) {
      const { depth } = backboneShape(model);
      if (evaluation.last_blocks <= depth) return;
      return atMost("model.depth", depth, evaluation.last_blocks);
    },
  },
  notAbove("scheduler.warmup_epochs", EPOCHS, [EPOCHS, "scheduler.warmup_epochs"]),
  notAbove("training.head_warmup_epochs", EPOCHS, [EPOCHS]),
  ...sizeRules(backboneShape),
];
