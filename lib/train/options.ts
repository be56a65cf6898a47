/**
 * What a training step is given and what it leaves.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { DType, Tensor } from "../gpu.ts";
import type {
  DinoLossSettings,
  IbotLossMetrics,
  IbotLossSettings,
  TemperatureKey,
} from "../loss.ts";
import { type Centering, checkSettings } from "../loss/options.ts";
import { type Backbone, type DinoModel, VisionTransformer } from "../model.ts";
import type { ClipMode, ClipResult, OptimizerSettings } from "../optim.ts";
import type { Ranks } from "./ranks.ts";
import type { ContrastiveOptions, ContrastiveOutputs } from "./terms/contrastive_term.ts";
import type { Masks } from "./terms/term.ts";

/**
 * What changes from step to step.
 *
 * @category Training
 */
export interface StepValues {
  /** The step's number, from 0. */
  step: number;
  /** Teacher temperature. */
  teacherTemp: number;
  /** Momentum of the teacher's moving average. */
  momentum: number;
  /** Learning rate. */
  lr: number;
  /** Weight decay. */
  weightDecay: number;
  /** Leave the last layer alone. */
  freezeLastLayer: boolean;
  /** Let the head alone learn: the backbone's learning rate is 0, and only its moments move. False by default. */
  holdBackbone?: boolean;
  /**
   * Of Gram anchoring: whether it takes part, and whether the teacher becomes the anchor before the step; neither by
   * default.
   */
  gram?: { on: boolean; refresh: boolean };
}

/**
 * Settings of a `Trainer`.
 *
 * @category Training
 */
export interface TrainerOptions {
  /**
   * DINO's loss. K is the model's, and the teacher's temperature comes with every step. A model without DINO's head
   * takes the numbers of views from it alone.
   */
  loss: Omit<DinoLossSettings, "outDim" | "teacherTemp"> & { outDim?: never; teacherTemp?: never };
  /** InfoNCE, for a model with a contrastive head. */
  contrastive?: ContrastiveOptions;
  /** iBOT, for a model that has a head for masked patches. */
  ibot?: Omit<IbotLossSettings, "outDim" | TemperatureKey>;
  /** Gram anchoring, beside DINO. */
  gram?: GramTermOptions;
  /** The optimiser; AdamW by default. */
  optimizer?: OptimizerSettings;
  /** Largest gradient norm; 0 only measures. */
  clip: number;
  /** Of what: of each parameter tensor, the default, or of all together. */
  clipMode?: ClipMode;
  /** Seed of drop path. */
  seed?: number;
  /** Micro-batches of equal size that a step's batch comes in; 1 by default. */
  accumulationSteps?: number;
  /**
   * The ranks that share every step; one by itself by default. KoLeo and InfoNCE look for others among all ranks'
   * pictures of a micro-batch.
   */
  ranks?: Ranks;
  /**
   * What activations are stored as from the forward pass to the backward pass: f32, the default, or f16, half the
   * memory. Sums, statistics, losses, gradients and all weights are f32 in any case. Where the adapter has no halves,
   * recording a step of f16 is refused.
   */
  precision?: DType;
  /** Make the student's activations again in the backward pass instead of keeping them: less memory, same bits. */
  recompute?: boolean;
}

/** Settings of Gram anchoring. */
export interface GramTermOptions {
  /** Factor on its gradient. */
  weight: number;
}

/** What a micro-batch leaves to be read. */
export interface MicroStepOutputs {
  /** Features of the micro-batch's global views, [G·B, F]: the teacher's, or the student's where it is alone. */
  features: Tensor;
}

/** What the update at the end of a step leaves to be read: means over its whole batch. */
export interface UpdateOutputs {
  /** [1], in nats: DINO's loss, InfoNCE where that is alone. */
  loss: Tensor;
  /**
   * [4], in nats: DINO's loss; mean teacher entropy; entropy of the mean teacher distribution; mean
   * KL(teacher ‖ student) over the pairs. Of other objectives the loss, [1].
   */
  metrics: Tensor;
  /** [G, V], that loss per pair of views, mean over the batch; 0 for a view with itself. */
  pairLoss: Tensor;
  /** [K], mean of the teacher's raw logits over all rows: what DINO's centre moves towards. */
  batchMean?: Tensor;
  /**
   * [1], KoLeo times its weight, where it is on; the loss does not hold it. Of several micro-batches it is the
   * mean, with neighbours looked for within each.
   */
  koleo?: Tensor;
  /** InfoNCE, without its weight, where it is on; DINO's loss does not hold it. */
  contrastive?: ContrastiveOutputs;
  /** iBOT, where it is on; DINO's loss does not hold it. */
  ibot?: Pick<IbotLossMetrics, "loss" | "metrics" | "batchMean">;
  /** [1], Gram anchoring without its weight, where it is on; 0 until it takes part. */
  gram?: Tensor;
  /** Norms of the gradients before clipping, by chunk. */
  norms: ClipResult[];
}

/**
 * What a step in one batch leaves to be read.
 *
 * @category Training
 */
export interface StepOutputs extends UpdateOutputs, MicroStepOutputs {}

/**
 * Micro-batches of a step, the temperature of the student for all of them, and the views.
 *
 * @throws {HatchlingError} As the trainer says.
 */
export function checkOptions(
  { accumulationSteps = 1, contrastive, gram, ibot, loss, precision, ranks }: TrainerOptions,
  { backbone, head, contrastive: contrastiveHead, patchHead }: DinoModel,
): {
  accumulationSteps: number;
  studentTemp: number | undefined;
  views: { views: number; globals: number };
} {
  // Without DINO's head only the views matter, and any K will do.
  const settings = checkSettings({ ...loss, outDim: head?.config.outDim ?? 2 });
  const { studentTemp, centering, nCrops, nGlobalCrops } = settings;
  if (loss.teacherTemp !== undefined) {
    throw new HatchlingError(
      `Trainer: expected no loss.teacherTemp but found ${loss.teacherTemp}: give it to set() with every step`,
    );
  }
  if (!(Number.isInteger(accumulationSteps) && accumulationSteps >= 1)) {
    throw new HatchlingError(
      `Trainer: expected accumulationSteps to be whole and at least 1 but found ${accumulationSteps}: give the ` +
        "number of micro-batches of a step",
    );
  }
  if (accumulationSteps > 1 && centering === "sinkhorn_knopp" && head) {
    throw new HatchlingError(
      `Trainer: expected accumulationSteps 1 with centering sinkhorn_knopp but found ${accumulationSteps}: it needs ` +
        "the teacher's logits of the whole batch at once; use centering: center, or a batch that fits the memory",
    );
  }
  if (ranks) checkRanks(ranks.size, backbone, head && centering);
  if (precision === "f16" && !(backbone instanceof VisionTransformer)) {
    throw new HatchlingError(
      `Trainer: expected precision f32 as the backbone is ${backbone.kind} but found f16: its maps are f32`,
    );
  }
  if (contrastive && !contrastiveHead) {
    throw new HatchlingError(
      "Trainer: expected a model with a contrastive head for the settings in contrastive but found none: give " +
        "DinoModel { contrastive: {} }, or leave the settings out",
    );
  }
  if (ibot && !patchHead) {
    throw new HatchlingError(
      "Trainer: expected a model with a head for masked patches for the settings in ibot but found none: give " +
        'DinoModel { ibot: "shared" }, or leave the settings out',
    );
  }
  if (gram && !head) {
    throw new HatchlingError(
      "Trainer: expected DINO's head beside the settings in gram but found none: the anchor is an earlier teacher of DINO",
    );
  }
  if (!head && loss.koleoWeight) {
    throw new HatchlingError(
      `Trainer: expected koleoWeight 0 without DINO's head but found ${loss.koleoWeight}: InfoNCE spreads features ` +
        "by itself",
    );
  }
  return { accumulationSteps, studentTemp, views: { views: nCrops, globals: nGlobalCrops } };
}

/**
 * Refuses masks that do not go with the model.
 *
 * @param wanted Whether it learns masked patches.
 * @param prefix Tokens before its patches.
 * @throws {HatchlingError} As the trainer says.
 */
export function checkMasks(
  masks: Masks | undefined,
  { wanted, prefix }: { wanted: boolean; prefix: number },
): void {
  if (!masks !== !wanted) {
    throw new HatchlingError(
      `Trainer: expected ${
        wanted ? "masks, as the model learns masked patches," : "no masks"
      } but found ${masks ? "some" : "none"}: give microStep() those of the feed, made with the ` +
        "options of feedOptionsOf(config)",
    );
  }
  if (masks?.options && masks.options.prefix !== prefix) {
    throw new HatchlingError(
      `Trainer: expected masks of patches after ${prefix} tokens, the class token and registers, but found ` +
        `${masks.options.prefix}: make them with prefix ${prefix}`,
    );
  }
}

/**
 * Refuses what needs the whole batch on one rank.
 *
 * @param size How many ranks there are.
 * @param centering That of DINO's loss, where the model has its head.
 * @throws {HatchlingError} When there are several, and the model or its objective is one of these.
 */
export function checkRanks(
  size: number,
  backbone: Backbone,
  centering: Centering | undefined,
): void {
  if (size === 1) return;
  const refuse = (what: string, why: string, remedy: string) => {
    throw new HatchlingError(
      `Trainer: expected one rank with ${what} but found ${size}: ${why}; ${remedy}, or train with one rank`,
    );
  };
  if (centering === "sinkhorn_knopp") {
    const why = "it balances the teacher's logits of the whole batch at once";
    refuse("centering sinkhorn_knopp", why, "use centering: center");
  }
  if (!(backbone instanceof VisionTransformer)) {
    const why = "its batch norms would see the pictures of their rank alone";
    refuse(`${backbone.kind}`, why, "take a vision transformer");
  }
}
