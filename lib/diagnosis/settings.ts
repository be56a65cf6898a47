/**
 * What a diagnosis knows of the settings of a run, and which of them are risky by themselves.
 *
 * @module
 */

/** Settings of the run. All may be missing: the verdict comes from the curves, settings choose the remedy. */
export interface DiagnosisSettings {
  /** What is minimised, `dino` or `infonce`; by default as the lines say. */
  objective?: string;
  /** Output dimensions K of the head; by default from loss / (loss / ln K). */
  outDim?: number;
  /** Pictures per step B. */
  batchSize?: number;
  /** Student temperature τs. */
  studentTemp?: number;
  /** Teacher temperature τt after its warm-up. */
  teacherTemp?: number;
  /** How the teacher is kept from one peak. */
  centering?: string;
  /** Momentum of the centre. */
  centerMomentum?: number;
  /** Weight of the KoLeo regulariser. */
  koleoWeight?: number;
  /** Weight of InfoNCE beside another objective. */
  contrastiveWeight?: number;
  /** Temperature of InfoNCE. */
  contrastiveTemp?: number;
  /** Keys among which a query of InfoNCE looks for its own: the pictures of a micro-batch; by default B. */
  contrastiveKeys?: number;
  /** Whether masked patches have a head of their own. */
  ibotSeparateHead?: boolean;
  /** Standard deviation of the weights at the start. */
  initStd?: number;
  /** Largest weight decay. */
  weightDecay?: number;
  /** Epochs of the learning rate's warm-up. */
  warmupEpochs?: number;
  /** Epochs without training of the last layer. */
  freezeLastLayer?: number;
  /** Steps that the run will have; by default unknown. */
  totalSteps?: number;
  /** What is read out as the features. */
  feature?: string;
  /** Whether they are whitened. */
  whiten?: boolean;
  /** Pictures that an evaluation judges, which tells what a difference of two figures may be worth. */
  pictures?: number;
  /** Names of the machines that its ranks are on, by rank. */
  hosts?: readonly string[];
}

/** Key of a setting with what makes it risky. */
export interface Risk {
  /** Name in the configuration. */
  key: "loss.teacher_temp" | "loss.centering" | "loss.center_momentum" | "optimizer.lr";
  /** What it may do, in words. */
  text: string;
}

/**
 * Share of a weight's initial size by which a step may move it, from which steps are large. AdamW moves a
 * weight by about the learning rate; DINO's own recipe with a batch of 1,024 has 0.1 at its peak.
 */
const LARGE_STEP = 0.5;

/** Momenta of the centre from which it lags: 1 / (1 − m) steps to get two thirds of the way. */
const SLOW_CENTER = 0.99;

/**
 * Settings that may end in a collapse, whatever the curves say so far.
 *
 * @param lr The largest learning rate so far.
 * @param step Steps done.
 */
export function riskySettings(s: DiagnosisSettings, lr: number, step: number): Risk[] {
  const risks: Risk[] = [];
  const dino = s.objective !== "infonce";
  const { studentTemp = NaN, teacherTemp = NaN, centerMomentum = NaN, initStd = NaN } = s;
  if (dino && teacherTemp >= studentTemp) {
    risks.push({
      key: "loss.teacher_temp",
      text: `loss.teacher_temp ${teacherTemp} is not below loss.student_temp ${studentTemp}: ` +
        "nothing sharpens the teacher, and it tends to uniform",
    });
  }
  if (dino && s.centering === "none") {
    risks.push({
      key: "loss.centering",
      text: "loss.centering none: nothing keeps one prototype from taking all",
    });
  }
  if (dino && (s.centering ?? "center") === "center" && centerMomentum >= SLOW_CENTER) {
    const lag = 1 / (1 - centerMomentum);
    const has = s.totalSteps ? `has ${count(s.totalSteps)}` : `is at ${count(step)}`;
    if ((s.totalSteps ?? step) < 3 * lag) {
      risks.push({
        key: "loss.center_momentum",
        text:
          `loss.center_momentum ${centerMomentum} needs about ${count(lag)} steps to follow the ` +
          `teacher, and this run ${has}: till then nothing keeps one prototype from taking all`,
      });
    }
  }
  if (lr / initStd >= LARGE_STEP) {
    risks.push({
      key: "optimizer.lr",
      text: `a learning rate of ${short(lr)}: AdamW may move each weight in one step by ` +
        `${short(lr / initStd)} times the size it started with (model.init_std ${initStd})`,
    });
  }
  return risks;
}

/** A number in at most three digits. */
export function short(value: number): string {
  return String(Number(value.toPrecision(value !== 0 && Math.abs(value) < 1 ? 2 : 3)));
}

/** A whole number with separators. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}
