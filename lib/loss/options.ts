/**
 * Settings of the DINO loss.
 *
 * @module
 */
import type { AugmentationConfig, LossConfig } from "../config/types.ts";
import { HatchlingError } from "../errors.ts";
import type { Gpu, Tensor } from "../gpu/mod.ts";

/** Where kernels find the temperatures: a tensor that the host rewrites, and their indices in it. */
export interface TemperatureSource {
  /** The tensor of step scalars. */
  scalars: Tensor;
  /** Index of the student temperature. */
  studentTemp: number;
  /** Index of the teacher temperature. */
  teacherTemp: number;
}

/** What keeps the teacher from giving everything to one prototype. */
export type Centering = "center" | "sinkhorn_knopp" | "none";

/** The ways there are. */
const CENTERINGS: readonly Centering[] = ["center", "sinkhorn_knopp", "none"];

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

/** Settings of {@linkcode DinoLoss}, and what it runs on. */
export interface DinoLossOptions extends DinoLossSettings {
  /** The GPU; by default that of the first tensors, or one that the loss opens for plain arrays. */
  gpu?: Gpu;
  /** The centre [K] to start from; zeros by default. */
  center?: Float32Array;
  /** Where recorded steps keep their temperatures; by default the loss holds its own. */
  temperatures?: TemperatureSource;
}

/** What {@linkcode DinoLoss.fromConfig} needs besides the configuration. */
export type DinoLossContext = Pick<
  DinoLossOptions,
  "outDim" | "gpu" | "center" | "temperatures"
>;

/** The settings that a configuration gives. */
export function settingsFromConfig(
  loss: Partial<LossConfig>,
  augmentation: Pick<AugmentationConfig, "n_global_crops" | "num_local_views">,
): Omit<DinoLossSettings, "outDim"> {
  return {
    nCrops: augmentation.n_global_crops + augmentation.num_local_views,
    nGlobalCrops: augmentation.n_global_crops,
    studentTemp: loss.student_temp,
    teacherTemp: loss.teacher_temp,
    centerMomentum: loss.center_momentum,
    centering: loss.centering,
    koleoWeight: loss.koleo_weight,
    chunkSize: loss.chunk_size ?? undefined,
  };
}

/** Settings with defaults filled in. */
export type FullSettings = Readonly<
  Required<Omit<DinoLossSettings, "chunkSize">> & { chunkSize: number | undefined }
>;

/**
 * Checks a centre to start from.
 *
 * @throws {HatchlingError} When it is not K finite numbers.
 */
export function checkCenter(
  center: Float32Array | undefined,
  { outDim, centering }: FullSettings,
): void {
  if (center === undefined) return;
  const refuse = (what: string, found: string) => {
    throw new HatchlingError(
      `DinoLoss: expected ${what} but found ${found}: give that of the run that goes on, or leave it out`,
    );
  };
  if (!(center instanceof Float32Array)) refuse("a Float32Array as center", typeof center);
  if (centering !== "center") refuse("no center", `one, and centering ${centering}`);
  const odd = center.findIndex((x) => !Number.isFinite(x));
  if (center.length !== outDim || odd >= 0) {
    const found = odd < 0 ? `${center.length}` : `${center[odd]} at ${odd}`;
    refuse(`a center of outDim (${outDim}) finite numbers`, found);
  }
}

/** Every key of {@linkcode DinoLossOptions}. */
const KEYS: readonly string[] = [
  "outDim",
  "nCrops",
  "nGlobalCrops",
  "studentTemp",
  "teacherTemp",
  "centerMomentum",
  "centering",
  "koleoWeight",
  "chunkSize",
  "gpu",
  "center",
  "temperatures",
] satisfies (keyof DinoLossOptions)[];

/**
 * Fills defaults in.
 *
 * @throws {HatchlingError} Naming the first setting that is out of range, its value and what to do.
 */
export function checkSettings(given: DinoLossSettings): FullSettings {
  const unknown = Object.keys(given ?? {}).find((key) => !KEYS.includes(key));
  if (unknown || !given) {
    throw new HatchlingError(
      `DinoLoss: expected settings among ${KEYS.join(", ")} but found ${unknown ?? given}`,
    );
  }
  const o: FullSettings = {
    outDim: given.outDim,
    nCrops: given.nCrops,
    nGlobalCrops: given.nGlobalCrops ?? 2,
    studentTemp: given.studentTemp ?? 0.1,
    teacherTemp: given.teacherTemp ?? 0.04,
    centerMomentum: given.centerMomentum ?? 0.9,
    centering: given.centering ?? "center",
    koleoWeight: given.koleoWeight ?? 0,
    chunkSize: given.chunkSize,
  };
  const expect = (ok: boolean, key: keyof FullSettings, what: string, remedy: string) => {
    if (ok) return;
    throw new HatchlingError(`DinoLoss: expected ${key} ${what} but found ${o[key]}: ${remedy}`);
  };
  const whole = (value: number, least: number) => Number.isInteger(value) && value >= least;
  const views = Math.max(2, o.nGlobalCrops);
  expect(
    whole(o.outDim, 2),
    "outDim",
    "to be whole and at least 2",
    "give the number of outputs of the head, 65536 in the paper",
  );
  expect(
    whole(o.nGlobalCrops, 1),
    "nGlobalCrops",
    "to be whole and at least 1",
    "give the number of views that the teacher sees, 2 in the paper",
  );
  expect(
    whole(o.nCrops, views),
    "nCrops",
    `to be whole and at least ${views}, since it counts the global views`,
    "give global plus local views, 10 in the paper",
  );
  for (const [key, usual] of [["studentTemp", 0.1], ["teacherTemp", 0.04]] as const) {
    expect(
      typeof o[key] === "number" && Math.fround(o[key]) > 0 && Math.fround(o[key]) < Infinity,
      key,
      "to be a number above 0 and finite in float32",
      `logits are divided by it; ${usual} is usual`,
    );
  }
  expect(
    typeof o.centerMomentum === "number" && o.centerMomentum >= 0 && o.centerMomentum < 1,
    "centerMomentum",
    "in [0, 1)",
    "at 1 the centre would never move; 0.9 is usual, and centering: none does without a centre",
  );
  expect(
    CENTERINGS.includes(o.centering),
    "centering",
    `to be one of ${CENTERINGS.join(", ")}`,
    "center is that of the paper",
  );
  expect(
    typeof o.koleoWeight === "number" && o.koleoWeight >= 0 && o.koleoWeight < Infinity,
    "koleoWeight",
    "to be a number, 0 or more and finite",
    "0 turns it off, DINOv2 uses 0.1",
  );
  const { chunkSize } = o;
  expect(
    chunkSize === undefined ||
      (whole(chunkSize, 2) && (chunkSize >= o.outDim || chunkSize % 64 === 0)),
    "chunkSize",
    `to be a multiple of 64, or outDim (${o.outDim}) or more`,
    "leave it out to let the adapter's limits decide",
  );
  return Object.freeze(o);
}
