/**
 * What listens while a program is being recorded.
 *
 * @module
 */
import type { Dispatch } from "./dispatch.ts";
import type { DType, Storage, Tensor } from "./tensor.ts";

/** What the host does between two dispatches of a program, those before it submitted. */
export type Pause = () => Promise<void>;

/** Receives allocations and dispatches while a program is being recorded. */
export interface Recorder {
  /** A temporary that the plan will place. */
  empty(shape: readonly number[], label: string, dtype: DType): Tensor;
  /** One more dispatch. */
  dispatch(dispatch: Dispatch): void;
  /** Memory allocated meanwhile (constants, say): it belongs to the program. */
  own(storage: Storage): void;
  /** Has the program wait, where the recording is now, for what the host does then, who reads some tensors. */
  pause(run: Pause, reads: readonly Tensor[]): void;
}
