/**
 * What a diagnosis measures on the lines of a run.
 *
 * @module
 */
import { type Curve, curve, numberOf } from "./curves.ts";
import type { MetricLine } from "./lines.ts";
import { type DiagnosisSettings, type Risk, riskySettings } from "./settings.ts";

/** The curves of a run and what they are compared with. */
export interface Measures {
  /** Steps done. */
  step: number;
  /** Steps of an epoch, when the lines tell. */
  stepsPerEpoch?: number;
  /** The objective, `dino` or `infonce`: nothing of DINO holds for the latter, which has no prototypes. */
  objective: string;
  /** ln K in nats: the entropy of the uniform distribution, and DINO's loss of guessing. */
  lnK: number;
  /** What guessing costs in the objective's own loss, in nats: ln K, or ln B of InfoNCE's B keys. */
  guess: number;
  /** The same in words. */
  guessName: string;
  /** Pictures per step B; without it the limits of a batch are not known, and taken as K. */
  batchSize: number;
  /** Keys of InfoNCE. */
  keys: number;
  /** Most that a batch can show of {@linkcode Measures.information}: ln min(B, K). */
  most: number;
  /** The loss in nats. */
  loss?: Curve;
  /** Mean entropy of the teacher. */
  entropy?: Curve;
  /** Entropy of the mean teacher. */
  ofMean?: Curve;
  /**
   * Entropy of the mean less mean entropy: the information in nats that the teacher's answer holds about
   * the picture. 0 when every picture gets the same answer, sharp or flat.
   */
  information?: Curve;
  /** KL(teacher ‖ student). */
  kl?: Curve;
  /** InfoNCE. */
  contrastive?: Curve;
  /** Share of its queries that find their key. */
  accuracy?: Curve;
  /** iBOT: the loss of masked patches. */
  patchLoss?: Curve;
  /** The same of the teacher's answers for masked patches: what they tell of the patch. */
  patchInformation?: Curve;
  /** Spread of the teacher's features. */
  std?: Curve;
  /** Their effective rank. */
  rank?: Curve;
  /** Norm of the gradient. */
  gradient?: Curve;
  /** Settings that are risky by themselves. */
  risks: Risk[];
}

/** Measures the lines of a run, of which there is at least one; `lr` is the largest learning rate so far. */
export function measure(
  lines: readonly MetricLine[],
  settings: DiagnosisSettings,
  lr: number,
): Measures {
  const last = lines.at(-1)!;
  const objective = settings.objective ?? objectiveOf(last);
  const alone = objective === "infonce";
  const lnK = alone ? NaN : settings.outDim ? Math.log(settings.outDim) : lnKOf(lines);
  const { batchSize = Math.exp(lnK) } = settings;
  const { contrastiveKeys: keys = settings.batchSize ?? NaN } = settings;
  const epoch = numberOf(last, "epoch");
  const temp = numberOf(last, "teacher_temp") ?? 0;
  const known = {
    ...settings,
    objective,
    teacherTemp: Math.max(temp, settings.teacherTemp ?? 0),
  };
  return {
    step: last.step,
    stepsPerEpoch: epoch ? Math.round((last.step - 1) / epoch) : undefined,
    objective,
    lnK,
    guess: alone ? Math.log(keys) : lnK,
    guessName: alone ? "ln B" : "ln K",
    batchSize,
    keys,
    most: Math.min(Math.log(batchSize), lnK),
    loss: curve(lines, "loss"),
    entropy: curve(lines, "teacher_entropy"),
    ofMean: curve(lines, "teacher_entropy_of_mean"),
    information: informationOf(lines, ""),
    patchLoss: curve(lines, "ibot"),
    patchInformation: informationOf(lines, "ibot_"),
    kl: curve(lines, "kl_teacher_student"),
    contrastive: curve(lines, "contrastive") ?? (alone ? curve(lines, "loss") : undefined),
    accuracy: curve(lines, "contrastive_accuracy"),
    std: curve(lines, "feature_std"),
    rank: curve(lines, "feature_rank"),
    gradient: curve(lines, "gradient_norm"),
    risks: riskySettings(known, lr, last.step),
  };
}

/** Entropy of the mean less mean entropy, of the answers whose keys begin like that. */
function informationOf(lines: readonly MetricLine[], prefix: "" | "ibot_"): Curve | undefined {
  return curve(lines, (line) => {
    const mean = numberOf(line, `${prefix}teacher_entropy_of_mean`);
    const own = numberOf(line, `${prefix}teacher_entropy`);
    return mean === undefined || own === undefined ? undefined : Math.max(0, mean - own);
  });
}

/** InfoNCE alone has nothing of a teacher's distributions. */
function objectiveOf(line: MetricLine): string {
  const has = (key: "contrastive" | "teacher_entropy") => numberOf(line, key) !== undefined;
  return has("contrastive") && !has("teacher_entropy") ? "infonce" : "dino";
}

/** From a line with both losses; NaN where there is none, and then no comparison with it holds. */
function lnKOf(lines: readonly MetricLine[]): number {
  for (const line of lines) {
    const [loss, share] = [numberOf(line, "loss"), numberOf(line, "loss_over_ln_k")];
    if (loss && share) return loss / share;
  }
  return NaN;
}
