/**
 * What a step's objective is the sum of.
 *
 * @module
 */
import type { DType, Gpu, Scalar, Tensor } from "../../gpu.ts";
import type { PatchMasks } from "../../augmentation.ts";
import type { Feature, Parameters } from "../../model.ts";
import type { Reads } from "../../model/reads.ts";
import type { Ranks } from "../ranks.ts";

/** Which patches of the global views are masked: what {@linkcode PatchMasks} holds. */
export type Masks = Pick<PatchMasks, "mask" | "rows" | "weights"> & {
  readonly options?: { readonly prefix: number };
};

/** A micro-batch, seen by a term. */
export interface TermInput {
  /** The GPU. */
  gpu: Gpu;
  /** Where the student's heads are. */
  studentParams: Parameters;
  /** Where the teacher's are, if there is one. */
  teacherParams?: Parameters;
  /** What the student makes of all views, and where gradients go. */
  student: Reads;
  /** What the teacher makes of the global views; absent where no term asks for it. */
  teacher?: Reads;
  /** The global views [G·B, C, H, W]. */
  globals: Tensor;
  /** Which of their patches the student does not see; absent where it sees all. */
  masks?: Masks;
  /** What activations are stored as; f32 by default. */
  precision?: DType;
  /** Which micro-batch of this rank this is, and how many the step's batch comes in on all ranks. */
  microBatch: { index: Scalar; accumulationSteps: number };
  /** The ranks that share the micro-batch, where there are several. */
  ranks?: Ranks;
}

/** A part of the objective: a loss with its weight, the heads that it reads through, and what it keeps. */
export interface Term {
  /** What it reads of the student. */
  readonly reads: readonly Feature[];
  /** What it reads of the teacher: nothing where it needs none. */
  readonly readsOfTeacher: readonly Feature[];
  /** Whether it reads tokens themselves, of the student and of the teacher. */
  readonly patches?: { readonly ofStudent: boolean; readonly ofTeacher: boolean };
  /** What micro-batches add to; cleared at the first one. */
  readonly sums: readonly Tensor[];
  /** Its loss of the whole step [1] or more, of which none may be NaN or infinite. */
  readonly checked: Tensor;
  /** What it keeps from step to step, by name in a checkpoint. */
  readonly buffers: ReadonlyMap<string, Tensor>;
  /** Starts to bring what {@linkcode Term.microStep} needs of other ranks; for all terms before the first of these. */
  begin?(input: TermInput): void;
  /** Forward and backward: gives gradients to the student's reads, fills those of its heads, adds to its sums. */
  microStep(input: TermInput): void;
  /** After the flag is known: moves what it keeps. */
  update?(flag: Tensor): void;
  /** After the optimiser: keeps its parameters within their range. */
  constrain?(student: Parameters): void;
  /** Frees what it keeps. */
  destroy(): void;
}
