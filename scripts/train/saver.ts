/**
 * When and how a run saves its state, and what it does when that fails.
 *
 * @module
 */
import { join } from "node:path";
import type { Config } from "../../lib/config.ts";
import { HatchlingError } from "../../lib/errors.ts";
import type { Trainer } from "../../lib/train.ts";
import { BEST } from "./best.ts";
import { type RunExtra, saveTrainer } from "./checkpoints.ts";
import type { Progress } from "../shared/progress.ts";

/** Saves the state of a run; a full disk is told, and training goes on. */
export class Saver {
  readonly #folder: string;
  readonly #trainer: Trainer;
  readonly #config: Config;
  readonly #stepsPerEpoch: number;
  readonly #extra: RunExtra;
  readonly #progress: Progress;
  readonly #onSaved: (step: number) => Promise<void>;
  #last: number;

  /**
   * Saves a trainer's state in a folder; `last` is the step that is saved already, or −1; `onSaved` is called when
   * there is a checkpoint to go on from.
   */
  constructor(
    folder: string,
    trainer: Trainer,
    { config, stepsPerEpoch, extra, progress, last, onSaved = async () => {} }: {
      config: Config;
      stepsPerEpoch: number;
      extra: RunExtra;
      progress: Progress;
      last: number;
      onSaved?: (step: number) => Promise<void>;
    },
  ) {
    this.#folder = folder;
    this.#trainer = trainer;
    this.#config = config;
    this.#stepsPerEpoch = stepsPerEpoch;
    this.#extra = extra;
    this.#progress = progress;
    this.#last = last;
    this.#onSaved = onSaved;
  }

  /** Whether the configuration asks for a checkpoint after so many steps. */
  due(step: number): boolean {
    const { save_every_n_iters: iters, save_every_n_epochs: epochs } = this.#config.checkpoint;
    const every = (n: number | null) => n !== null && step % n === 0;
    return every(iters) || every(epochs && epochs * this.#stepsPerEpoch);
  }

  /** Saves the state after so many steps; says so where it cannot, and keeps what was saved before. */
  async save(step: number): Promise<void> {
    try {
      await this.finish(step);
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
      const before = this.#last < 0 ? "none is there yet" : `the last one is of step ${this.#last}`;
      this.#progress.say(
        `warning: no checkpoint of step ${step}: ${error.message} (${before}); training goes on`,
      );
    }
  }

  /**
   * Saves the state unless it is saved already.
   *
   * @throws {HatchlingError} When it cannot.
   */
  async finish(step: number): Promise<void> {
    if (this.#last === step) return;
    await saveTrainer(this.#folder, this.#trainer, this.#state(step));
    this.#last = step;
    await this.#onSaved(step);
  }

  /** Saves the state as the best so far, in best.safetensors; says so where it cannot. */
  async best(step: number): Promise<void> {
    const path = join(this.#folder, BEST);
    try {
      await saveTrainer(this.#folder, this.#trainer, { ...this.#state(step), path });
    } catch (error) {
      if (!(error instanceof HatchlingError)) throw error;
      this.#progress.say(`warning: ${error.message}; training goes on`);
    }
  }

  #state(step: number) {
    return {
      step,
      epoch: Math.floor(step / this.#stepsPerEpoch),
      stepsPerEpoch: this.#stepsPerEpoch,
      config: this.#config,
      extra: this.#extra,
    };
  }
}
