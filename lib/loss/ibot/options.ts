/**
 * Settings of the iBOT loss.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import { IBOT_DEFAULTS } from "../defaults.ts";
import {
  type Centering,
  checkSettings,
  type DinoLossContext,
  type FullSettings,
  type TemperatureKey,
  type TemperaturesAt,
} from "../options.ts";

/** Settings of the loss itself. */
export interface IbotLossSettings {
  /** Output dimensions K of the head, at least 2. */
  outDim: number;
  /** Student temperature τs; 0.1 by default. */
  studentTemp?: number;
  /** Teacher temperature τt, the sharper one; 0.04 by default. */
  teacherTemp?: number;
  /** Momentum of the centre, in [0, 1); 0.9 by default. */
  centerMomentum?: number;
  /** As for {@linkcode DinoLoss}, over the masked tokens. */
  centering?: Centering;
  /** Output dimensions whose logits exist at once in `forwardHead`; see {@linkcode DinoLoss}. */
  chunkSize?: number;
  /** Factor on the gradients, at least 0; 1 by default. What the loss says of itself is without it. */
  weight?: number;
}

/**
 * Settings of {@linkcode IbotLoss}, and what it runs on: its temperatures are its own, or those of every step.
 *
 * @category Loss
 */
export type IbotLossOptions =
  & DinoLossContext
  & (
    | IbotLossSettings & { temperaturesAt?: undefined }
    | Omit<IbotLossSettings, TemperatureKey> & { [T in TemperatureKey]?: undefined } & {
      temperaturesAt: TemperaturesAt;
    }
  );

/** Settings with defaults filled in; the temperatures only where they are the loss's own. */
export type FullIbotSettings = Readonly<
  & Pick<FullSettings, "outDim" | "centerMomentum" | "centering" | "chunkSize" | TemperatureKey>
  & { weight: number }
>;

const KEYS: readonly string[] = [
  ...["outDim", "chunkSize", "gpu", "center", "temperaturesAt"],
  ...Object.keys(IBOT_DEFAULTS),
];

/**
 * Fills defaults in.
 *
 * @returns The settings, and those of the DINO loss that pairs the same rows: one global view with one other.
 * @throws {HatchlingError} Naming the first setting that is out of range, its value and what to do.
 */
export function checkIbot(
  given: IbotLossOptions,
): { settings: FullIbotSettings; asDino: FullSettings } {
  const unknown = Object.keys(given ?? {}).find((key) => !KEYS.includes(key));
  if (unknown || !given) {
    throw new HatchlingError(
      `IbotLoss: expected settings among ${KEYS.join(", ")} but found ${unknown ?? given}`,
    );
  }
  const { weight = IBOT_DEFAULTS.weight, ...rest } = given;
  const asDino = checkSettings({ ...rest, nCrops: 2, nGlobalCrops: 1 }, "IbotLoss");
  if (!(typeof weight === "number" && weight >= 0 && weight < Infinity)) {
    throw new HatchlingError(
      `IbotLoss: expected weight to be a number, 0 or more and finite but found ${weight}: 1 is usual`,
    );
  }
  const { nCrops: _, nGlobalCrops: __, koleoWeight: ___, ...own } = asDino;
  return { settings: Object.freeze({ ...own, weight }), asDino };
}
