/**
 * A whole training step as one call: its batches brought, its program replayed.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, type Program, record } from "../gpu.ts";
import { StepCanaries, type StepPart } from "./canary.ts";
import type { Feed } from "./feed.ts";
import type { MicroStepOutputs, StepOutputs, StepValues, UpdateOutputs } from "./options.ts";
import type { Trainer } from "./trainer.ts";

/**
 * A training step that was recorded once: what {@linkcode recordStep} gives.
 *
 * @category Training
 */
export class RecordedStep {
  /** What the last step leaves to be read; the same tensors after every step. */
  readonly outputs: StepOutputs;
  /** Canaries of the step, where it was recorded with some. */
  readonly canaries?: StepCanaries;
  readonly #trainer: Trainer;
  readonly #feed: Feed;
  readonly #microStep: Program<MicroStepOutputs>;
  readonly #update: Program<UpdateOutputs>;

  /**
   * Use {@linkcode recordStep} instead.
   * @internal
   */
  constructor(
    trainer: Trainer,
    feed: Feed,
    microStep: Program<MicroStepOutputs>,
    update: Program<UpdateOutputs>,
    canaries?: StepCanaries,
  ) {
    this.canaries = canaries;
    this.#trainer = trainer;
    this.#feed = feed;
    this.#microStep = microStep;
    this.#update = update;
    this.outputs = { ...update.outputs, ...microStep.outputs };
  }

  /**
   * Runs a step: for each of its micro-batches the pictures are loaded, augmented and run forward and backward, then
   * centre, student and teacher are updated. It returns as soon as the GPU has its work; reading an output waits.
   *
   * @param values The step's number, which decides its pictures, and its rates: what `scheduleOf` gives for a step.
   * @throws {HatchlingError} When a batch cannot be loaded.
   */
  async run(values: StepValues): Promise<StepOutputs> {
    await this.runParts(values, (program) => {
      program.run();
      return true;
    });
    return this.outputs;
  }

  /**
   * As {@linkcode RecordedStep.run}, with a say in how the programs run: in pieces, or not to the end. Before its
   * update a step changes nothing that counts: it can be left there.
   *
   * @param replay Runs a program, those of the micro-batches, numbered from 0, and then that of the update; false
   * leaves the step.
   * @returns Whether the step was done.
   */
  async runParts(
    values: StepValues,
    replay: (
      program: Program<unknown>,
      part: StepPart,
      microBatch: number,
    ) => boolean | Promise<boolean>,
  ): Promise<boolean> {
    this.#trainer.set(values);
    for (let m = 0; m < this.#trainer.accumulationSteps; m++) {
      await this.#feed.microBatch(values.step, m);
      this.#trainer.setMicroBatch(m);
      if (!await replay(this.#microStep, "microStep", m)) return false;
    }
    return await replay(this.#update, "update", 0);
  }

  /** Dispatches and floating-point operations of a step. */
  get cost(): { dispatches: number; flops: number } {
    const [dispatches, flops] = (["length", "flops"] as const)
      .map((key) => this.#trainer.accumulationSteps * this.#microStep[key] + this.#update[key]);
    return { dispatches, flops };
  }

  /** Frees the programs; trainer and feed stay. */
  destroy(): void {
    this.canaries?.destroy();
    this.#microStep.destroy();
    this.#update.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}

/**
 * Records a training step, in micro-batches where the trainer has several; nothing runs yet.
 *
 * @param trainer The state of the run.
 * @param feed What brings its pictures, with as many micro-batches.
 * @param options Whether to prepare canaries, which tell whether the machine is to be trusted; not by default.
 * @throws {HatchlingError} When it has another number of them, or a kernel does not compile.
 *
 * @example
 * ```ts ignore
 * import { recordStep } from "@hatchling/hatchling/train";
 *
 * const recorded = await recordStep(gpu, trainer, feed);
 * for (let step = 0; step < 100; step++) {
 *   const { metrics } = await recorded.run(schedule(step));
 *   console.log(step, (await metrics.read())[0]);
 * }
 * ```
 *
 * @category Training
 */
export async function recordStep(
  gpu: Gpu,
  trainer: Trainer,
  feed: Feed,
  { canaries = false }: { canaries?: boolean } = {},
): Promise<RecordedStep> {
  if (feed.accumulationSteps !== trainer.accumulationSteps) {
    throw new HatchlingError(
      `recordStep: expected a feed with the trainer's ${trainer.accumulationSteps} accumulationSteps but found ` +
        `${feed.accumulationSteps}: give both the same, or a step would take the pictures of another`,
    );
  }
  const microStep = await record(gpu, () => trainer.microStep(feed.views(), feed.masks));
  try {
    const update = await record(gpu, () => trainer.update());
    const programs = { microStep, update };
    const watched = canaries ? await StepCanaries.record(gpu, trainer.model, programs) : undefined;
    return new RecordedStep(trainer, feed, microStep, update, watched);
  } catch (error) {
    microStep.destroy();
    throw error;
  }
}
