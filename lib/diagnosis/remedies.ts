/**
 * What to change first, by what was found and which settings lead there.
 *
 * @module
 */
import { count, type DiagnosisSettings, type Risk, short } from "./settings.ts";
import type { Worth } from "./worth.ts";

/** Finds a risky setting. */
type Find = (key: Risk["key"]) => Risk | undefined;

/** For one prototype that takes all. */
export function againstOnePeak(risk: Find, s: DiagnosisSettings): string {
  if (risk("loss.centering")) return "set loss.centering to center (or sinkhorn_knopp)";
  if (risk("loss.center_momentum")) {
    return `lower loss.center_momentum from ${s.centerMomentum} to 0.9, so that the centre follows the teacher`;
  }
  const from = s.teacherTemp ? ` from ${s.teacherTemp}` : "";
  return `raise loss.teacher_temp${from} by half or, if the centre lags, lower loss.center_momentum; ` +
    "loss.centering sinkhorn_knopp cannot collapse to one peak";
}

/** For a teacher without an opinion. */
export function againstUniform(risk: Find, s: DiagnosisSettings): string {
  const from = s.teacherTemp ? ` from ${s.teacherTemp}` : "";
  if (risk("loss.teacher_temp")) {
    return `lower loss.teacher_temp and loss.warmup_teacher_temp${from} to 0.04, well below ` +
      `loss.student_temp ${s.studentTemp}, so that the teacher is sharper than the student`;
  }
  return `lower loss.teacher_temp and loss.warmup_teacher_temp${from} by a third, so that the teacher is ` +
    "sharper; with a narrow model raise model.init_std to about 0.4 / √dim";
}

/** For features of too few dimensions. */
export function againstLowRank(s: DiagnosisSettings): string {
  const decay = (s.weightDecay ?? 0) > 1
    ? `lower optimizer.weight_decay and weight_decay_end from ${s.weightDecay} to 0.04 … 0.4`
    : "lower optimizer.lr by 3";
  const koleo = s.koleoWeight ? "" : "; loss.koleo_weight 0.1 spreads the features";
  return decay + koleo;
}

/** For steps that are too large; `lr` is the largest learning rate so far. */
export function againstLargeSteps(lr: number, { initStd = 0 }: DiagnosisSettings): string {
  // To a tenth of the weights at the start, as in DINO's largest recipe.
  const fold = Math.max(10, initStd ? lr / (0.1 * initStd) : 0);
  const most = lr ? ` (the schedule has reached ${short(lr)})` : "";
  return `divide optimizer.lr by ${short(fold)} or more${most}; where it must be high, lengthen ` +
    "scheduler.warmup_epochs";
}

/** For NaN and infinity. */
export function againstNonFinite(): string {
  return "lower optimizer.lr or training.gradient_clip, or lengthen scheduler.warmup_epochs; --resume goes on " +
    "from the last sound state";
}

/** For InfoNCE that tells no key from another; `lr` is the largest learning rate so far. */
export function againstStuck(lr: number, { contrastiveTemp = 0.1 }: DiagnosisSettings): string {
  if (contrastiveTemp > 0.3) {
    return `lower loss.contrastive_temp from ${contrastiveTemp} to 0.1: so warm, the loss hardly depends on the features`;
  }
  const from = lr ? ` (the schedule has reached ${short(lr)})` : "";
  return `raise optimizer.lr by 3${from}; loss.contrastive_feature quad or mean instead of the class token`;
}

/** For InfoNCE that is solved by next to nothing. */
export function againstShortcut(): string {
  return "make views differ in what they should not be told by: augmentation.brightness, contrast, saturation and " +
    "hue up, augmentation.local_crop_scale_min down; or more keys, data.batch_size";
}

/** For masked patches that all get the same answer. */
export function againstAlikePatches(s: DiagnosisSettings): string {
  const separate = s.ibotSeparateHead === false ? "set loss.ibot_separate_head true; " : "";
  return `${separate}lower loss.ibot_weight or optimizer.lr, lengthen scheduler.warmup_epochs; loss.centering ` +
    "sinkhorn_knopp uses all prototypes alike";
}

/** For features that are configured otherwise than those that were found to be the best. */
function insteadOf(readout: string): string {
  const [feature] = readout.split(", "), whitened = readout.includes("whitened");
  return `reading out what is best here, evaluation.feature ${feature} with evaluation.whiten ${whitened} ` +
    "(no training needed)";
}

/** Pictures of a step from which InfoNCE and DINO did better on small pictures; steps that are few. */
const GOOD_BATCH = 64, FEW_STEPS = 20_000;

/** For features that are no better than raw pixels: what costs no training comes first. */
export function againstUseless(
  s: DiagnosisSettings,
  { measured, configured, readout }: Pick<Worth, "measured" | "configured" | "readout">,
): string {
  const { feature, whiten, objective = "dino", contrastiveWeight, batchSize, totalSteps } = s;
  const told = [
    configured && insteadOf(readout),
    feature !== undefined && ![feature, ...measured].some((words) => /grid|patches/.test(words)) &&
    "evaluation.feature grid, which keeps what lies where (no training needed)",
    whiten === false && !measured.some((words) => words.includes("whitened")) &&
    "whitened features, evaluation.whiten (no training needed)",
    objective === "dino" && contrastiveWeight === 0 &&
    "a contrastive term beside the loss, loss.contrastive_weight 1",
    batchSize !== undefined && batchSize < GOOD_BATCH &&
    `a larger batch, data.batch_size ${GOOD_BATCH} (a step has ${count(batchSize)} pictures)`,
    totalSteps === undefined
      ? "more steps"
      : totalSteps < FEW_STEPS && `more steps than ${count(totalSteps)}, training.num_epochs`,
    "published weights to begin with, deno task train CONFIG --weights FILE",
  ];
  return told.filter(Boolean).join("; ");
}
