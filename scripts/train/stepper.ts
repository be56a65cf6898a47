/**
 * One training step, recorded once: crops, both networks, loss and gradients for every micro-batch, then the update.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import type { Gpu } from "../../lib/gpu.ts";
import {
  type RecordedStep,
  recordStep,
  type StepOutputs,
  type StepValues,
  type Trainer,
} from "../../lib/train.ts";
import type { StepCanaries } from "../../lib/train/canary.ts";
import type { Feed } from "../../lib/train/feed.ts";
import type { Progress } from "../common/progress.ts";

/** Runs steps; wherever it waits for the GPU within a slow one, it asks whether to go on. */
export class Stepper {
  readonly #gpu: Gpu;
  readonly #trainer: Trainer;
  readonly #step: RecordedStep;
  #isFirst = true;

  private constructor(gpu: Gpu, trainer: Trainer, step: RecordedStep) {
    this.#gpu = gpu;
    this.#trainer = trainer;
    this.#step = step;
  }

  /** Records a step; nothing runs yet. */
  static async record(gpu: Gpu, trainer: Trainer, feed: Feed): Promise<Stepper> {
    const step = await recordStep(gpu, trainer, feed, { canaries: true });
    const fault = await step.canaries!.warmUp();
    if (!fault) return new Stepper(gpu, trainer, step);
    throw new HatchlingError(
      `Expected right results of the GPU but a canary found a wrong one: ${fault.text}. Nothing was begun: run ` +
        "deno task prove, and take another driver or adapter",
    );
  }

  /** Its canaries. */
  get canaries(): StepCanaries {
    return this.#step.canaries!;
  }

  /** What the last step tells. */
  get outputs(): StepOutputs {
    return this.#step.outputs;
  }

  /** Size of the model and cost of a step, in words. */
  describe(): string {
    const parameters = this.#trainer.student.all.reduce((sum, p) => sum + p.data.size, 0);
    const { dispatches, flops } = this.#step.cost;
    return `model: ${
      (parameters / 1e6).toFixed(2)
    } M parameters; a step: ${dispatches} dispatches, ` +
      `${(flops / 1e9).toFixed(1)} GFLOP, ` +
      `${(this.#gpu.memory.liveBytes / 2 ** 20).toFixed(0)} MiB on the GPU`;
  }

  /**
   * Runs a step.
   *
   * @param values Its schedule's values.
   * @param watched Whether canaries run within it, as the host will look at its results.
   * @param goOn Asked while the host waits; false leaves the step before its update.
   * @returns Whether the step was done.
   */
  async run(
    values: StepValues,
    { watched, goOn, progress }: { watched: boolean; goOn: () => boolean; progress: Progress },
  ): Promise<boolean> {
    this.canaries.sound = false;
    const canaries = watched ? this.canaries.within() : undefined;
    const onProgress = this.#isFirst
      ? (done: number, kernels: number) =>
        progress.show(`first step: ${done} of ${kernels} kernels compiled`, done === kernels)
      : undefined;
    const done = await this.#step.runParts(values, {
      replay: async (program, part, microBatch) => {
        const instead = microBatch === 0 ? canaries?.[part] : undefined;
        const whole = part === "update"
          ? await program.runWatched({ onProgress, instead })
          : await program.runWatched({ goOn, onProgress, instead });
        if (onProgress) progress.end();
        return whole && (part === "update" || goOn());
      },
    });
    if (done) this.#isFirst = false;
    return done;
  }

  /** Frees the programs. */
  destroy(): void {
    this.#step.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}
