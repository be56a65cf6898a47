/**
 * From a configuration to the model, and which networks there are.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { resnetShapeOf } from "../config/backbones.ts";
import type { LossConfig } from "../config/types.ts";
import { DinoModel, ResNet } from "../model.ts";

/**
 * The model of a configuration.
 *
 * @category Training
 */
export function modelOf({ model, augmentation, loss }: Config): DinoModel {
  const contrastive = hasContrastive(loss)
    ? {
      feature: loss.contrastive_feature,
      hiddenDim: model.contrastive_hidden_dim,
      outDim: model.contrastive_output_dim,
      layers: model.contrastive_layers,
      learnedTemperature: loss.contrastive_temp_learned ? loss.contrastive_temp : undefined,
    }
    : undefined;
  const resnet = resnetShapeOf(model, augmentation.global_crop_size);
  return new DinoModel(
    resnet ? new ResNet(resnet) : {
      imageSize: augmentation.global_crop_size,
      patchSize: model.patch_size,
      dim: model.dim,
      depth: model.depth,
      heads: model.heads,
      mlpRatio: model.mlp_ratio,
      mlpHiddenDim: model.mlp_hidden_dim ?? undefined,
      mlp: model.mlp,
      inChans: model.in_chans,
      classToken: model.class_token,
      registers: model.registers,
      layerScale: model.layer_scale,
      posEmbed: model.pos_embed,
      ropeBase: model.rope_base,
      qkvBias: model.qkv_bias,
      fcNorm: model.fc_norm,
      normEps: model.norm_eps,
      posInterp: model.pos_interp,
      dropPathRate: model.drop_path_rate,
      freezeBlocks: model.freeze_blocks,
      initStd: model.init_std,
    },
    loss.objective === "infonce" ? null : {
      outDim: model.projection_output_dim,
      hiddenDim: model.projection_hidden_dim,
      bottleneckDim: model.projection_bottleneck_dim,
      layers: model.projection_layers,
      useWeightNorm: model.use_weight_norm,
      normLastLayer: model.norm_last_layer,
      initStd: model.init_std,
    },
    { feature: model.feature, contrastive, ibot: ibotHeadOf(loss) },
  );
}

/** Through which head masked patches are learned, where they are. */
function ibotHeadOf({ ibot_weight, ibot_separate_head }: LossConfig) {
  if (ibot_weight > 0) return ibot_separate_head ? "separate" : "shared";
}

/** Whether InfoNCE takes part. */
export function hasContrastive({ objective, contrastive_weight }: LossConfig): boolean {
  return objective === "infonce" || contrastive_weight > 0;
}

/** Whether a configuration trains with a teacher. */
export function hasTeacher({ loss }: Config): boolean {
  return loss.objective === "dino" || loss.contrastive_teacher;
}

/** The network that a run is judged by and used for: its teacher, or the student where that is alone. */
export function networkOf(config: Config): "teacher" | "student" {
  return hasTeacher(config) ? "teacher" : "student";
}
