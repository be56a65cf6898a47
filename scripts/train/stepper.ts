/**
 * One training step, recorded once: crops, both networks, loss and gradients for every micro-batch, then the update.
 *
 * @module
 */
import { HatchlingError } from "../../lib/errors.ts";
import type { Gpu } from "../../lib/gpu.ts";
import {
  type Ranks,
  type RecordedStep,
  recordStep,
  type StepOutputs,
  type StepValues,
  type Trainer,
} from "../../lib/train.ts";
import type { StepCanaries } from "../../lib/train/canary.ts";
import type { Feed } from "../../lib/train/feed.ts";
import type { Progress } from "../common/progress.ts";
import type { Guard } from "./guard.ts";

/** Runs steps; wherever it waits for the GPU within a slow one, it asks whether to go on. */
export class Stepper {
  readonly #gpu: Gpu;
  readonly #trainer: Trainer;
  readonly #step: RecordedStep;
  readonly #ranks?: Ranks;
  #isFirst = true;
  #stopAsked = 0;
  #steps = 0;
  #rankMs: number[] = [];

  private constructor(gpu: Gpu, trainer: Trainer, step: RecordedStep, ranks?: Ranks) {
    this.#ranks = ranks;
    this.#gpu = gpu;
    this.#trainer = trainer;
    this.#step = step;
  }

  /** Records a step; nothing runs yet. `ranks` do it together, where there are several. */
  static async record(gpu: Gpu, trainer: Trainer, feed: Feed, ranks?: Ranks): Promise<Stepper> {
    const step = await recordStep(gpu, trainer, feed, { canaries: true });
    const fault = await step.canaries!.warmUp();
    if (!fault) return new Stepper(gpu, trainer, step, ranks);
    throw new HatchlingError(
      `Expected right results of the GPU but a canary found a wrong one: ${fault.text}. Nothing was begun: run ` +
        "deno task prove, and take another driver or adapter",
    );
  }

  /** Its canaries. */
  get canaries(): StepCanaries {
    return this.#step.canaries!;
  }

  /** Exit status with which a rank was asked to stop within the last step, 0 if none was. */
  get stopAsked(): number {
    return this.#stopAsked;
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
   * @param guard Told that the GPU answers. Where it asks the run to stop, the step is left before its update: at
   * once by a process alone; with others when all have come so far, so that all leave it.
   * @returns Whether the step was done.
   */
  async run(
    values: StepValues,
    { watched, guard, progress }: { watched: boolean; guard: Guard; progress: Progress },
  ): Promise<boolean> {
    this.canaries.sound = false;
    const canaries = watched ? this.canaries.within() : undefined;
    const onProgress = this.#isFirst
      ? (done: number, kernels: number) =>
        progress.show(`first step: ${done} of ${kernels} kernels compiled`, done === kernels)
      : undefined;
    const goOn = () => {
      guard.beat();
      return this.#ranks !== undefined || !guard.stop;
    };
    this.#stopAsked = 0;
    const done = await this.#step.runParts(values, {
      replay: async (program, part, microBatch) => {
        const instead = microBatch === 0 ? canaries?.[part] : undefined;
        const whole = part === "update"
          ? await program.runWatched({ onProgress, instead })
          : await program.runWatched({ goOn, onProgress, instead });
        if (onProgress) progress.end();
        return whole && (part === "update" || goOn());
      },
      notes: () => [guard.stop?.code ?? 0],
      decide: (all) => {
        this.#stopAsked = Math.max(...all.map(([code]) => code));
        return !this.#stopAsked;
      },
    });
    if (!done) return false;
    this.#isFirst = false;
    this.#steps++;
    this.#ranks?.computeMs.forEach((ms, rank) => {
      this.#rankMs[rank] = (this.#rankMs[rank] ?? 0) + ms;
    });
    return true;
  }

  /** By rank the milliseconds of a step that were its own, on average since this was last asked; with several ranks. */
  takeRankTimes(): { rank_compute_ms?: number[] } {
    const rank_compute_ms = this.#rankMs.map((ms) => ms / this.#steps);
    [this.#steps, this.#rankMs] = [0, []];
    return rank_compute_ms.length ? { rank_compute_ms } : {};
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
