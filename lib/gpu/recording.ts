/**
 * What a function dispatched while it was recorded, and when each of its temporaries is needed.
 *
 * @module
 */
import type { Dispatch } from "./dispatch.ts";
import { tensorsIn } from "./outputs.ts";
import type { Lifetime } from "./plan.ts";
import type { Pause, Recorder } from "./recorder.ts";
import {
  BYTES,
  type DType,
  roundUp,
  sizeOf,
  type Storage,
  Tensor,
  type TensorOwner,
} from "./tensor.ts";

/** What the host does before a dispatch. */
export interface RecordedPause {
  /** The dispatch's place. */
  at: number;
  /** Does it. */
  run: Pause;
  /** Tensors whose values it wants. */
  reads: readonly Tensor[];
}

/** Takes down all that it is told. */
export class Recording implements Recorder {
  /** What runs. */
  readonly dispatches: Dispatch[] = [];
  /** Memory that goes with the program. */
  readonly owned: Storage[] = [];
  /** What the host does in between. */
  readonly pauses: RecordedPause[] = [];
  readonly #gpu: TensorOwner;
  readonly #temporaries = new Set<Storage>();

  /** An empty recording; its temporaries belong to `gpu`. */
  constructor(gpu: TensorOwner) {
    this.#gpu = gpu;
  }

  /** A temporary, without memory yet. */
  empty(shape: readonly number[], label: string, dtype: DType): Tensor {
    const bytes = roundUp(sizeOf(shape) * BYTES[dtype], 16);
    const storage: Storage = { bytes, destroyed: false, label };
    this.#temporaries.add(storage);
    return new Tensor(this.#gpu, shape, storage, 0, dtype);
  }

  /** One more dispatch. */
  dispatch(dispatch: Dispatch): void {
    this.dispatches.push(dispatch);
  }

  /** Memory that was allocated meanwhile. */
  own(storage: Storage): void {
    this.owned.push(storage);
  }

  /** What the host does here. */
  pause(run: Pause, reads: readonly Tensor[]): void {
    this.pauses.push({ at: this.dispatches.length, run, reads });
  }

  /**
   * When each temporary that a dispatch uses is needed: up to the last dispatch, or pause, that wants it; all the time
   * where it is among what the function returned.
   */
  lifetimes(outputs: unknown): Map<Storage, Lifetime> {
    const lives = new Map<Storage, Lifetime>();
    this.dispatches.forEach(({ tensors }, i) => {
      for (const { storage } of tensors) {
        if (!this.#temporaries.has(storage)) continue;
        const life = lives.get(storage);
        if (life) life.last = i;
        else lives.set(storage, { bytes: storage.bytes, first: i, last: i });
      }
    });
    for (const { at, reads } of this.pauses) {
      for (const { storage } of reads) {
        const life = lives.get(storage);
        if (life) life.last = Math.max(life.last, at);
      }
    }
    for (const { storage } of tensorsIn(outputs)) {
      const life = lives.get(storage);
      if (life) [life.first, life.last] = [0, this.dispatches.length];
    }
    return lives;
  }
}
