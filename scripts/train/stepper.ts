/**
 * One training step, recorded once: crops, both networks, loss and gradients for every micro-batch, then the update.
 *
 * @module
 */
import { type Gpu, type Program, record } from "../../lib/gpu.ts";
import type {
  MicroStepOutputs,
  StepOutputs,
  StepValues,
  Trainer,
  UpdateOutputs,
} from "../../lib/train.ts";
import type { Feed } from "../../lib/train/feed.ts";
import type { Progress } from "../shared/progress.ts";

/** Seconds that the host may wait for the GPU before it listens again. */
const PIECE = 1;

/** What a step is made of. */
interface Parts {
  gpu: Gpu;
  trainer: Trainer;
  feed: Feed;
  microStep: Program<MicroStepOutputs>;
  update: Program<UpdateOutputs>;
}

/** Runs steps. Before its update a step changes nothing that counts: it can be left there. */
export class Stepper {
  /** What the last step tells. */
  readonly outputs: StepOutputs;
  readonly #parts: Parts;
  #pieces = 0; // 0: nothing ran yet

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.outputs = { ...parts.update.outputs, ...parts.microStep.outputs };
  }

  /** Records a step; nothing runs yet. */
  static async record(gpu: Gpu, trainer: Trainer, feed: Feed): Promise<Stepper> {
    const microStep = await record(gpu, () => trainer.microStep(feed.views()));
    const update = await record(gpu, () => trainer.update());
    return new Stepper({ gpu, trainer, feed, microStep, update });
  }

  /** Dispatches and floating-point operations of a step. */
  get cost(): { dispatches: number; flops: number } {
    const { feed: { accumulationSteps }, microStep, update } = this.#parts;
    const [dispatches, flops] = (["length", "flops"] as const)
      .map((key) => accumulationSteps * microStep[key] + update[key]);
    return { dispatches, flops };
  }

  /** Size of the model and cost of a step, in words. */
  describe(): string {
    const { gpu, trainer } = this.#parts;
    const parameters = trainer.student.all.reduce((sum, p) => sum + p.data.size, 0);
    const { dispatches, flops } = this.cost;
    return `model: ${
      (parameters / 1e6).toFixed(2)
    } M parameters; a step: ${dispatches} dispatches, ` +
      `${(flops / 1e9).toFixed(1)} GFLOP, ` +
      `${(gpu.memory.liveBytes / 2 ** 20).toFixed(0)} MiB on the GPU`;
  }

  /**
   * Runs a step.
   *
   * @param values Its schedule's values.
   * @param goOn Asked between pieces of the work; false leaves the step before its update.
   * @returns Whether the step was done.
   */
  async run(values: StepValues, goOn: () => boolean, progress: Progress): Promise<boolean> {
    const { trainer, feed, microStep, update } = this.#parts;
    trainer.set(values);
    for (let m = 0; m < feed.accumulationSteps; m++) {
      await feed.microBatch(values.step, m);
      trainer.setMicroBatch(m);
      if (!this.#pieces) await runFirst(microStep, progress);
      else if (this.#pieces === 1) microStep.run();
      else if (!await microStep.runPieces(this.#pieces, goOn)) return false;
      if (!goOn()) return false;
    }
    if (!this.#pieces) await runFirst(update, progress);
    else update.run();
    this.#pieces ||= 1;
    return true;
  }

  /** Says how long a step takes, in seconds: slow ones run in pieces. */
  tookSeconds(seconds: number): void {
    this.#pieces = Math.max(1, Math.ceil(seconds / this.#parts.feed.accumulationSteps / PIECE / 2));
  }

  /** Frees the programs. */
  destroy(): void {
    this.#parts.microStep.destroy();
    this.#parts.update.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}

async function runFirst(program: Program<unknown>, progress: Progress): Promise<void> {
  await program.runFirst((done, kernels) =>
    progress.show(`first step: ${done} of ${kernels} kernels compiled`, done === kernels)
  );
  progress.end();
}
