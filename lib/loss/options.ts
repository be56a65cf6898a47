/**
 * Settings of the DINO loss.
 *
 * @module
 */
import type { AugmentationConfig, LossConfig } from "../config/types.ts";
import { HatchlingError } from "../errors.ts";
import type { Gpu, Scalar } from "../gpu.ts";
import { LOSS_DEFAULTS } from "./defaults.ts";
import { checkCenter } from "./shapes.ts";

/** What keeps the teacher from giving everything to one prototype. */
export type Centering = "center" | "sinkhorn_knopp" | "none";

/** Settings of the loss itself. */
export interface DinoLossSettings {
  /** Output dimensions K of the head, at least 2. */
  outDim: number;
  /** Views V per image, global ones included. */
  nCrops: number;
  /** Global views G per image, which the teacher sees; 2 by default. */
  nGlobalCrops?: number;
  /** Student temperature τs; 0.1 by default. */
  studentTemp?: number;
  /** Teacher temperature τt, the sharper one; 0.04 by default. */
  teacherTemp?: number;
  /** Momentum of the centre, in [0, 1); 0.9 by default. */
  centerMomentum?: number;
  /**
   * `center` (default) subtracts the moving average of the teacher's logits (Caron et al. 2021, eq. 4);
   * `sinkhorn_knopp` makes every batch use all prototypes alike, by three iterations (Caron et al. 2020,
   * arXiv:2006.09882, as in DINOv2, arXiv:2304.07193); `none` does neither.
   */
  centering?: Centering;
  /** Weight of the KoLeo regulariser on the student's features; 0, off, by default. */
  koleoWeight?: number;
  /**
   * Output dimensions whose logits exist at once in `forwardHead`: a multiple of 64, or at least `outDim`
   * for all. By default all while what they take fits 64 MiB, else as many as fit 16 MiB.
   */
  chunkSize?: number;
}

/** Where recorded steps find both temperatures: step scalars of one table. */
export interface TemperaturesAt {
  /** The student's. */
  student: Scalar;
  /** The teacher's. */
  teacher: Scalar;
}

/** What a loss runs on and starts from. */
export interface DinoLossContext {
  /** The GPU; by default that of the first tensors. */
  gpu?: Gpu;
  /** The centre [K] to start from; zeros by default. */
  center?: Float32Array;
}

/** Options of one call of the loss. */
export interface DinoForwardOptions {
  /** Move the centre at the end, as facebookresearch/dino does; true by default. */
  updateCenter?: boolean;
}

/** The settings that may come with every step instead. */
export type TemperatureKey = "studentTemp" | "teacherTemp";

/**
 * Settings of {@linkcode DinoLoss}, and what it runs on: its temperatures are its own, or those of every step.
 *
 * @category Loss
 */
export type DinoLossOptions =
  & DinoLossContext
  & (
    | DinoLossSettings & { temperaturesAt?: undefined }
    | Omit<DinoLossSettings, TemperatureKey> & { [T in TemperatureKey]?: undefined } & {
      temperaturesAt: TemperaturesAt;
    }
  );

/** Settings with defaults filled in; the temperatures only where they are the loss's own. */
export type FullSettings = Readonly<
  & Required<Omit<DinoLossSettings, "chunkSize" | TemperatureKey>>
  & Pick<DinoLossSettings, "chunkSize" | TemperatureKey>
>;

/** The settings that a configuration gives for all steps: K is the model's, τt follows a schedule. */
export function settingsFromConfig(
  loss: Partial<LossConfig>,
  augmentation: Pick<AugmentationConfig, "n_global_crops" | "num_local_views">,
): Omit<DinoLossSettings, "outDim" | "teacherTemp"> {
  return {
    nCrops: augmentation.n_global_crops + augmentation.num_local_views,
    nGlobalCrops: augmentation.n_global_crops,
    studentTemp: loss.student_temp,
    centerMomentum: loss.center_momentum,
    centering: loss.centering,
    koleoWeight: loss.koleo_weight,
    chunkSize: loss.chunk_size ?? undefined,
  };
}

const KEYS: readonly string[] = [
  ...["outDim", "nCrops", "chunkSize", "gpu", "center", "temperaturesAt"],
  ...Object.keys(LOSS_DEFAULTS),
];
const CENTERINGS: readonly Centering[] = ["center", "sinkhorn_knopp", "none"];

/** What to do where a setting is out of range. */
const REMEDIES: Readonly<Record<keyof FullSettings, string>> = {
  outDim: "give the number of outputs of the head, 65536 in the paper",
  nGlobalCrops: "give the number of views that the teacher sees, 2 in the paper",
  nCrops: "give global plus local views, 10 in the paper",
  studentTemp: `logits are divided by it; ${LOSS_DEFAULTS.studentTemp} is usual`,
  teacherTemp: `logits are divided by it; ${LOSS_DEFAULTS.teacherTemp} is usual`,
  centerMomentum:
    `at 1 the centre would never move; ${LOSS_DEFAULTS.centerMomentum} is usual, and ` +
    "centering: none does without a centre",
  centering: "center is that of the paper",
  koleoWeight: "0 turns it off, DINOv2 uses 0.1",
  chunkSize: "leave it out to let the adapter's limits decide",
};

const isWhole = (x: number, least: number) => Number.isInteger(x) && x >= least;
const isWithin = (x: number, least: number, end: number) =>
  typeof x === "number" && x >= least && x < end;

/**
 * Fills defaults in.
 *
 * @param loss Whose settings they are, for messages.
 * @throws {HatchlingError} Naming the first setting that is out of range, its value and what to do.
 */
export function checkSettings(given: DinoLossOptions, loss = "DinoLoss"): FullSettings {
  const unknown = Object.keys(given ?? {}).find((key) => !KEYS.includes(key));
  if (unknown || !given) {
    throw new HatchlingError(
      `${loss}: expected settings among ${KEYS.join(", ")} but found ${unknown ?? given}`,
    );
  }
  const { temperaturesAt, studentTemp, teacherTemp } = given;
  if (temperaturesAt && (studentTemp ?? teacherTemp) !== undefined) {
    throw new HatchlingError(
      `${loss}: expected no temperatures beside temperaturesAt but found studentTemp ` +
        `${studentTemp} and teacherTemp ${teacherTemp}: write them to those step scalars`,
    );
  }
  const o: FullSettings = {
    outDim: given.outDim,
    nCrops: given.nCrops,
    nGlobalCrops: given.nGlobalCrops ?? LOSS_DEFAULTS.nGlobalCrops,
    studentTemp: temperaturesAt ? undefined : studentTemp ?? LOSS_DEFAULTS.studentTemp,
    teacherTemp: temperaturesAt ? undefined : teacherTemp ?? LOSS_DEFAULTS.teacherTemp,
    centerMomentum: given.centerMomentum ?? LOSS_DEFAULTS.centerMomentum,
    centering: given.centering ?? LOSS_DEFAULTS.centering,
    koleoWeight: given.koleoWeight ?? LOSS_DEFAULTS.koleoWeight,
    chunkSize: given.chunkSize,
  };
  const views = Math.max(2, o.nGlobalCrops), chunk = o.chunkSize ?? o.outDim;
  const isTemperature = (x?: number) =>
    !!temperaturesAt || typeof x === "number" && isWithin(Math.fround(x), 2 ** -149, Infinity);
  const temperature = "to be a number above 0 and finite in float32";
  const rules: [key: keyof FullSettings, ok: boolean, what: string][] = [
    ["outDim", isWhole(o.outDim, 2), "to be whole and at least 2"],
    ["nGlobalCrops", isWhole(o.nGlobalCrops, 1), "to be whole and at least 1"],
    [
      "nCrops",
      isWhole(o.nCrops, views),
      `to be whole and at least ${views}, since it counts the global views`,
    ],
    ["studentTemp", isTemperature(o.studentTemp), temperature],
    ["teacherTemp", isTemperature(o.teacherTemp), temperature],
    ["centerMomentum", isWithin(o.centerMomentum, 0, 1), "in [0, 1)"],
    ["centering", CENTERINGS.includes(o.centering), `to be one of ${CENTERINGS.join(", ")}`],
    ["koleoWeight", isWithin(o.koleoWeight, 0, Infinity), "to be a number, 0 or more and finite"],
    [
      "chunkSize",
      isWhole(chunk, 2) && (chunk >= o.outDim || chunk % 64 === 0),
      `to be a multiple of 64, or outDim (${o.outDim}) or more`,
    ],
  ];
  for (const [key, ok, what] of rules) {
    if (ok) continue;
    throw new HatchlingError(
      `${loss}: expected ${key} ${what} but found ${o[key]}: ${REMEDIES[key]}`,
    );
  }
  checkCenter(given.center, o, loss);
  return Object.freeze(o);
}
