/**
 * A whole training step as one call: its batches brought, its program replayed.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, type Program, record } from "../gpu.ts";
import { StepCanaries, type StepPart } from "./canary.ts";
import type { Feed } from "./feed.ts";
import type { Reduction } from "./ranks/reduction.ts";
import type { MicroStepOutputs, StepOutputs, StepValues, UpdateOutputs } from "./options.ts";
import type { Trainer } from "./trainer.ts";

/** How a step runs. */
export interface StepRun {
  /**
   * Runs a program, those of the micro-batches, numbered from 0, and then that of the update; false leaves the step,
   * which only a rank by itself may do here.
   */
  replay(
    program: Program<unknown>,
    part: StepPart,
    microBatch: number,
  ): boolean | Promise<boolean>;
  /** Numbers that this rank tells the others when its gradients are made, 8 at most. */
  notes?(): readonly number[];
  /** Whether the step is done, by the notes of all ranks: as these are equal for all, so is the answer. */
  decide?(notes: readonly Float32Array[]): boolean;
}

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
  readonly #reduction?: Reduction;

  /**
   * Use {@linkcode recordStep} instead.
   * @internal
   */
  constructor(
    trainer: Trainer,
    feed: Feed,
    microStep: Program<MicroStepOutputs>,
    update: Program<UpdateOutputs>,
    { canaries, reduction }: { canaries?: StepCanaries; reduction?: Reduction },
  ) {
    this.canaries = canaries;
    this.#reduction = reduction;
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
    await this.runParts(values, {
      replay: (program) => {
        if (this.#reduction) return program.runWatched();
        program.run();
        return true;
      },
    });
    return this.outputs;
  }

  /**
   * As {@linkcode RecordedStep.run}, with a say in how the programs run: in pieces, or not to the end. Before its
   * update a step changes nothing that counts: it can be left there. With several ranks its micro-batches wait for
   * the others: their programs run by `runWatched`, and all ranks leave the step or none.
   *
   * @returns Whether the step was done.
   */
  async runParts(
    values: StepValues,
    { replay, notes = () => [], decide = () => true }: StepRun,
  ): Promise<boolean> {
    const reduction = this.#reduction, { accumulationSteps } = this.#trainer;
    this.#trainer.set(values);
    for (let m = 0; m < accumulationSteps; m++) {
      await this.#feed.microBatch(values.step, m);
      this.#trainer.setMicroBatch(m);
      reduction?.begin({ isFirst: m === 0, isLast: m === accumulationSteps - 1 });
      if (!await replay(this.#microStep, "microStep", m)) return false;
    }
    const all = await reduction?.finish(notes()) ?? [Float32Array.from(notes())];
    if (!decide(all)) return false;
    await reduction?.end();
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
    return new RecordedStep(trainer, feed, microStep, update, {
      canaries: canaries ? await StepCanaries.record(gpu, trainer.model, programs) : undefined,
      reduction: trainer.reductionOf(microStep),
    });
  } catch (error) {
    microStep.destroy();
    throw error;
  }
}
