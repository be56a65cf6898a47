/**
 * Keys of the loss.
 *
 * @module
 */
import { GRAM_DEFAULTS, INFONCE_DEFAULTS, LOSS_DEFAULTS, MASK_DEFAULTS } from "../loss/defaults.ts";
import { FEATURES } from "../model/feature.ts";
import {
  BELOW_ONE,
  BOOLEAN,
  EPOCHS,
  FRACTION,
  NON_NEGATIVE,
  NULL,
  POSITIVE,
  PROTOTYPES,
} from "./kinds.ts";

/** The keys of section `loss`. */
export const LOSS_KEYS = {
  objective: [
    { enum: ["dino", "infonce"] },
    "dino",
    "What is learned: `dino`, student against teacher through prototypes, or `infonce`, every view finds its picture among those of the batch. Without `loss.contrastive_teacher`, `infonce` has no teacher: less memory and time.",
    "loss method",
  ],
  student_temp: [POSITIVE, LOSS_DEFAULTS.studentTemp, "Temperature of the student's softmax."],
  teacher_temp: [
    POSITIVE,
    LOSS_DEFAULTS.teacherTemp,
    "Temperature of the teacher's softmax after its warm-up.",
  ],
  warmup_teacher_temp: [
    POSITIVE,
    LOSS_DEFAULTS.teacherTemp,
    "Temperature of the teacher's softmax in epoch 0.",
  ],
  warmup_teacher_temp_epochs: [
    EPOCHS,
    0,
    "Epochs over which the teacher's temperature goes linearly to `loss.teacher_temp`.",
  ],
  center_momentum: [
    BELOW_ONE,
    LOSS_DEFAULTS.centerMomentum,
    "m of the centre: centre = m × centre + (1 − m) × mean.",
  ],
  centering: [
    { enum: ["center", "sinkhorn_knopp", "none"] },
    LOSS_DEFAULTS.centering,
    "What keeps one prototype from taking all: `center` subtracts the moving average of the teacher's logits, `sinkhorn_knopp` evens out each batch (SwAV, DINOv2), `none` does neither and collapses.",
  ],
  koleo_weight: [
    NON_NEGATIVE,
    LOSS_DEFAULTS.koleoWeight,
    "Weight of the KoLeo regulariser, which spreads the student's features of the global views; DINOv2 uses 0.1, 0 turns it off.",
  ],
  contrastive_weight: [
    NON_NEGATIVE,
    0,
    "Weight of an InfoNCE term beside DINO's loss; 0 turns it off. With few pictures and little time it makes features useful much sooner.",
  ],
  contrastive_feature: [
    { enum: FEATURES, also: NULL, inherits: "model.feature" },
    null,
    "What the term's projector reads: the words of `model.feature`; null is what DINO's head reads.",
  ],
  contrastive_temp: [
    POSITIVE,
    INFONCE_DEFAULTS.temperature,
    "Its temperature; where it is learned, the one to start from.",
    "infonce_temp",
  ],
  contrastive_temp_learned: [
    BOOLEAN,
    false,
    "Learn the temperature, as CLIP does.",
  ],
  contrastive_teacher: [
    BOOLEAN,
    false,
    "Keys come from the teacher, as in MoCo v3, instead of the student.",
  ],
  ibot_weight: [
    NON_NEGATIVE,
    0,
    "Weight of a term of masked patches (iBOT) beside DINO's loss: some patches of the global views are hidden from the student, which learns what the teacher makes of them. 0 turns it off, DINOv2 uses 1. It has a centre of its own; temperatures, `loss.centering` and `loss.center_momentum` are DINO's.",
  ],
  ibot_separate_head: [
    BOOLEAN,
    false,
    "Masked patches have a head of their own, of the shape of DINO's, as in DINOv2, instead of DINO's itself, as in iBOT.",
  ],
  mask_prob: [
    { ...FRACTION, minimum: undefined, exclusiveMinimum: 0 },
    MASK_DEFAULTS.maskProb,
    "Share of the global views of which patches are masked; with 0.5 and two global views, one of each picture.",
    "mask_sample_probability",
  ],
  mask_ratio_min: [
    FRACTION,
    MASK_DEFAULTS.maskRatioMin,
    "Share of the patches of such a view that is masked, at least.",
    "mask_ratio_min_max",
  ],
  mask_ratio_max: [
    FRACTION,
    MASK_DEFAULTS.maskRatioMax,
    "Share of the patches of such a view that is masked, at most.",
    "mask_ratio",
  ],
  gram_weight: [
    NON_NEGATIVE,
    0,
    "Weight of Gram anchoring (DINOv3) beside DINO's loss: patches keep the similarities to each other that they have in an earlier teacher, the anchor. For long runs, whose patches get worse while class tokens get better; 0 turns it off.",
  ],
  gram_refresh_epochs: [
    { ...EPOCHS, minimum: 1 },
    GRAM_DEFAULTS.refreshEpochs,
    "After this many epochs the teacher becomes the anchor, and Gram anchoring begins; then again every so often.",
  ],
  chunk_size: [
    { ...PROTOTYPES, nullable: true },
    null,
    "Output dimensions whose logits exist at once, a multiple of 64; null is all of them while that takes 64 MiB at most, else as many as fit 16 MiB.",
  ],
} as const;
