/**
 * Who trains: the same crops for all.
 *
 * @module
 */
import type { Sides } from "../../lib/eval/sides.ts";
import type { Tensor } from "../../lib/gpu.ts";
import type { StepValues } from "../../lib/train.ts";

/** The crops of a step. */
export interface Crops {
  /** On the adapter, by size: [V·B, C, H, W], view-major. */
  tensors: readonly Tensor[];
  /** The same numbers on the host. */
  values: readonly Float32Array[];
}

/** What a step tells. */
export interface StepResult {
  /** The objective's own loss, in nats but for SimDINO's. */
  loss: number;
  /** Mean entropy of the teacher's distributions in nats, where it has some. */
  teacherEntropy?: number;
  /** InfoNCE in nats, where it takes part. */
  contrastive?: number;
  /** Milliseconds that it took, without the making and the sending of the crops. */
  ms: number;
}

/** What an evaluation tells. */
export interface Encoded {
  /** All pictures' features by the teacher, by the student where it is alone. */
  sides: Sides;
  /** Figures that the side has worked out from them by itself, in percent, as they are and whitened. */
  own?: { plain: Record<string, number>; whitened?: Record<string, number> };
}

/** A training run. */
export interface Contestant {
  /** Its name in tables. */
  name: string;
  /** Whether it began at the recipe's initial weights, as the first did. */
  sameStart: boolean;
  /** Trains on a batch. */
  step(values: StepValues, crops: Crops): Promise<StepResult>;
  /** Features of all pictures. */
  encode(): Promise<Encoded>;
  /** The weights that the features are of, by name. */
  weights(): Promise<ReadonlyMap<string, Float32Array>>;
  /** Ends it. */
  close(): Promise<void>;
}
