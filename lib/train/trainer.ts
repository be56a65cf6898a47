/**
 * One training step: everything between the crops and the next weights.
 *
 * @module
 */
import { emaUpdate } from "../ema.ts";
import { HatchlingError } from "../errors.ts";
import { type Gpu, type Program, StepScalars, type Tensor } from "../gpu.ts";
import type { DinoLoss } from "../loss.ts";
import type { DinoModel, Parameters } from "../model.ts";
import { clipFactors, type Optimizer, optimizerOf } from "../optim.ts";
import { flagNonFinite } from "../optim/clip.ts";
import { groupOf, groupsAtRest, setCounts } from "./groups.ts";
import { MicroBatches } from "./micro_batches.ts";
import { Networks } from "./networks.ts";
import {
  checkMasks,
  checkOptions,
  type MicroStepOutputs,
  type StepOutputs,
  type StepValues,
  type TrainerOptions,
  type UpdateOutputs,
} from "./options.ts";
import type { Ranks } from "./ranks.ts";
import type { Masks } from "./terms/term.ts";
import { Reduction } from "./ranks/reduction.ts";
import { type Terms, termsOf } from "./terms/terms_of.ts";

/** What recorded steps read anew each time; 1 − momentum follows momentum. */
const SCALARS = [
  "step",
  "studentTemp",
  "teacherTemp",
  "momentum",
  "momentumRest",
  "microBatch",
  "share",
  "gramOn",
  "copy",
  "copyRest",
] as const;

/**
 * The state of a training run (student, teacher, centre, optimiser) and the order of a step: forward both
 * → losses with the old centre → backward → norms → (if all is finite) centre, optimiser with clipped gradients,
 * EMA of all parameters. What is learned is a sum of terms, one for each head of the model: DINO, InfoNCE, or both;
 * beside DINO masked patches (iBOT), and Gram anchoring. Where none of them asks a teacher, there is none.
 *
 * A batch that is too large for the memory comes in `accumulationSteps` micro-batches of equal size: the first
 * three parts run for each of them ({@linkcode Trainer.microStep}), which adds up gradients, metrics and the mean of
 * the teacher's logits; the others run once ({@linkcode Trainer.update}). Up to the rounding of sums that is the
 * step of the whole batch, drop path included: picture j of micro-batch m counts as picture m·b + j. KoLeo and
 * InfoNCE alone look for others within a micro-batch. With several ranks (`options.ranks`) each has its part of every
 * micro-batch, and what they make is added up before the update: {@linkcode recordStep} does that. A step can be left after any micro-batch: nothing but gradients
 * and sums has changed, and the next step's first one clears them.
 *
 * @example
 * ```ts
 * import { openGpu, record } from "@hatchling/hatchling/gpu";
 * import { DinoModel, initialize } from "@hatchling/hatchling/model";
 * import { Trainer } from "@hatchling/hatchling/train";
 *
 * const gpu = await openGpu();
 * const model = new DinoModel({ imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2 }, { outDim: 32 });
 * const trainer = new Trainer(gpu, model, { loss: { nCrops: 2 }, clip: 3 });
 * trainer.load(initialize(model.specs(), 0));
 * const crops = gpu.persistent([2 * 4, 3, 16, 16]); // two views of four images
 * const program = await record(gpu, () => trainer.step([crops]));
 * trainer.set({ step: 0, teacherTemp: 0.04, momentum: 0.996, lr: 1e-3, weightDecay: 0.04, freezeLastLayer: true });
 * program.run();
 * console.log((await program.outputs.metrics.read())[0]);
 * for (const t of [program, crops, trainer]) t.destroy();
 * gpu.destroy();
 * ```
 *
 * @example A batch in micro-batches
 * ```ts
 * import { openGpu, record } from "@hatchling/hatchling/gpu";
 * import { DinoModel, initialize } from "@hatchling/hatchling/model";
 * import { Trainer } from "@hatchling/hatchling/train";
 *
 * const gpu = await openGpu();
 * const model = new DinoModel({ imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2 }, { outDim: 32 });
 * const trainer = new Trainer(gpu, model, { loss: { nCrops: 2 }, clip: 3, accumulationSteps: 4 });
 * trainer.load(initialize(model.specs(), 0));
 * const crops = gpu.persistent([2 * 4, 3, 16, 16]); // two views of four of the sixteen images
 * const microStep = await record(gpu, () => trainer.microStep([crops]));
 * const update = await record(gpu, () => trainer.update());
 * trainer.set({ step: 0, teacherTemp: 0.04, momentum: 0.996, lr: 1e-3, weightDecay: 0.04, freezeLastLayer: true });
 * for (let m = 0; m < 4; m++) {
 *   trainer.setMicroBatch(m); // here the next images are made
 *   microStep.run();
 * }
 * update.run();
 * console.log((await update.outputs.metrics.read())[0]);
 * for (const t of [microStep, update, crops, trainer]) t.destroy();
 * gpu.destroy();
 * ```
 *
 * @category Training
 */
export class Trainer {
  /** What is trained. */
  readonly model: DinoModel;
  /** The student. */
  readonly student: Parameters;
  /** The teacher, where a term asks one. */
  readonly teacher?: Parameters;
  /** DINO's loss and its centre, where it is trained. */
  readonly loss?: DinoLoss;
  /** The optimiser. */
  readonly optimizer: Optimizer;
  readonly #gpu: Gpu;
  readonly #options: TrainerOptions;
  readonly #scalars: StepScalars<typeof SCALARS[number]>;
  readonly #terms: Terms;
  readonly #views: { views: number; globals: number };
  /** The ranks that share a step, where there are several. */
  readonly #ranks?: Ranks;
  readonly #microBatches: MicroBatches;
  readonly #networks: Networks;

  /**
   * Allocates all state; {@linkcode Trainer.load} fills it.
   *
   * @throws {HatchlingError} When a setting of the loss is out of range, `accumulationSteps` is not a whole number
   * from 1 on, or it is more than 1 with Sinkhorn–Knopp, which needs the logits of the whole batch.
   */
  constructor(gpu: Gpu, model: DinoModel, options: TrainerOptions) {
    const { accumulationSteps, studentTemp, views } = checkOptions(options, model);
    this.#gpu = gpu;
    this.model = model;
    this.#options = options;
    this.#ranks = options.ranks && options.ranks.size > 1 ? options.ranks : undefined;
    this.#views = views;
    this.#scalars = new StepScalars(gpu, SCALARS);
    this.#scalars.write({ studentTemp, copyRest: 1 });
    this.#microBatches = new MicroBatches(gpu, accumulationSteps, {
      index: this.#scalars.at("microBatch"),
      ranks: this.#ranks,
    });
    this.#terms = termsOf(gpu, model, options, { views, at: (name) => this.#scalars.at(name) });
    this.loss = this.#terms.dino?.loss;
    const { all } = this.#terms;
    const teacher = all.some(({ readsOfTeacher }) => readsOfTeacher.length);
    this.#networks = new Networks(gpu, model, { teacher });
    ({ student: this.student, teacher: this.teacher } = this.#networks);
    this.optimizer = optimizerOf(gpu, this.student, options.optimizer ?? {}, groupOf);
  }

  /** Micro-batches of a step. */
  get accumulationSteps(): number {
    return this.#microBatches.count;
  }

  /**
   * [3], u32: 1 + the first step with a non-finite number; 1 + what held it (0 the loss, then the gradients in
   * order); where that is the loss of a step in micro-batches, 1 + the first of them whose loss is not finite,
   * else 0.
   */
  get flag(): Tensor {
    return this.optimizer.flag;
  }

  /** What is evaluated and used: the teacher, or the student where it is alone. */
  get evaluated(): Parameters {
    return this.teacher ?? this.student;
  }

  /** What a run keeps beside weights and moments, by name: the centres of DINO and iBOT, the Gram anchor. */
  get buffers(): ReadonlyMap<string, Tensor> {
    return new Map(this.#terms.all.flatMap(({ buffers }) => [...buffers]));
  }

  /** Starts from given weights: the teacher is a copy of the student. */
  load(weights: ReadonlyMap<string, Float32Array>): void {
    this.#networks.load(weights);
  }

  /** Sets the values of the next step, at its first micro-batch; counts it for the optimiser. */
  set(values: StepValues): void {
    const { step, teacherTemp, momentum, lr, weightDecay, gram } = values;
    if (gram?.refresh && this.teacher) this.#terms.gram?.refresh(this.teacher);
    this.optimizer.set({ ...{ lr, weightDecay, momentum }, ...groupsAtRest(values) });
    const momentumRest = 1 - momentum;
    this.#scalars.write({
      step,
      teacherTemp,
      momentum,
      momentumRest,
      microBatch: 0,
      share: this.share(0).index,
      gramOn: +!!gram?.on,
    });
  }

  /**
   * Sets which micro-batch of the step is next, from 0; that one begins the step anew.
   *
   * @throws {HatchlingError} When there is no such micro-batch.
   */
  setMicroBatch(microBatch: number): void {
    this.#microBatches.check(microBatch);
    this.#scalars.write({ microBatch, share: this.share(microBatch).index });
  }

  /** Which part of a step's batch this rank has in a micro-batch, and of how many equal ones. */
  share(microBatch: number): { index: number; accumulationSteps: number } {
    return this.#microBatches.share(microBatch);
  }

  /**
   * Sets what the optimiser has counted: of a run that goes on, or after steps that were set but came to nothing
   * (left after a micro-batch, or not done because the flag was set).
   *
   * @param counts Steps that were done, and those of them with the last layer left alone.
   * @throws {HatchlingError} When these are not whole numbers with 0 ≤ frozen ≤ done.
   */
  setCounts(counts: { done: number; frozen: number }): void {
    setCounts(this.optimizer, counts);
  }

  /** Clears the non-finite flag: the next step counts again. */
  clearFlag(): void {
    this.flag.write(new Uint32Array(this.flag.size));
  }

  /**
   * Dispatches a whole step in one batch; call it inside `record`.
   *
   * @param crops Images per crop size, view-major; the first tensor holds the global views.
   * @param masks Which patches of these the student does not see, for a model with iBOT.
   * @throws {HatchlingError} When the trainer expects several micro-batches, or masks that are not there.
   */
  step(crops: readonly Tensor[], masks?: Masks): StepOutputs {
    if (this.accumulationSteps > 1) {
      throw new HatchlingError(
        `Trainer: expected a step in ${this.accumulationSteps} micro-batches but found one in a single batch: record ` +
          "microStep() and update() by themselves, or make the trainer with accumulationSteps 1",
      );
    }
    return { ...this.microStep(crops, masks), ...this.update() };
  }

  /**
   * Dispatches a micro-batch's part of a step: gradients and sums, which the first one starts. Changes nothing
   * else. Call it inside `record`, and run it once for every micro-batch.
   *
   * @param crops Images of the micro-batch per crop size, view-major; the first tensor holds the global views.
   * @param masks Which patches of these the student does not see, for a model with iBOT.
   * @throws {HatchlingError} When it expects masks that are not there, or others.
   */
  microStep(crops: readonly Tensor[], masks?: Masks): MicroStepOutputs {
    checkMasks(masks, { wanted: !!this.#terms.ibot, prefix: this.model.backbone.prefix });
    const gpu = this.#gpu, ranks = this.#ranks, microBatches = this.#microBatches;
    const index = this.#scalars.at("microBatch");
    const { accumulationSteps } = this.share(0), { precision, recompute, seed = 0 } = this.#options;
    const { student, teacher } = this.#networks.forward(crops, {
      ...{ terms: this.#terms.all, microBatch: index, mask: masks?.mask, precision, recompute },
      dropPath: {
        ...{ seed, step: this.#scalars.at("step") },
        microBatch: {
          batch: crops[0].shape[0] / this.#views.globals,
          accumulationSteps,
          index: this.#scalars.at("share"),
        },
      },
    });
    this.student.zeroGrad();
    if (microBatches.several) {
      const sums = this.#terms.all.flatMap(({ sums }) => sums);
      microBatches.begin([...this.student.grads, ...sums]);
      this.student.keepGrad();
    }
    const input = {
      ...{ gpu, student, teacher, studentParams: this.student, teacherParams: this.teacher },
      ...{ globals: crops[0], masks, precision },
      ...{ microBatch: { index, accumulationSteps }, ranks },
    };
    for (const term of this.#terms.all) term.begin?.(input);
    for (const term of this.#terms.all) term.microStep(input);
    student.backward();
    if (microBatches.several) microBatches.flagLosses(this.#terms.all.map((term) => term.checked));
    const [word] = this.#terms.all[0].reads;
    const features = (teacher ?? student).feature(word);
    return { features: features.view([crops[0].shape[0], features.shape[1]]) };
  }

  /**
   * What adds up a recorded micro-step's gradients over ranks, where there are several.
   * @internal
   */
  reductionOf(microStep: Program<unknown>): Reduction | undefined {
    const ranks = this.#ranks, { student } = this;
    const sums = this.#terms.all.flatMap(({ sums }) => sums);
    return ranks && new Reduction(this.#gpu, ranks, { student, sums, microStep });
  }

  /** Dispatches the end of a step, when all micro-batches are in; call it inside `record`. */
  update(): UpdateOutputs {
    const gpu = this.#gpu;
    const dino = this.#terms.dino?.finish();
    const ibot = this.#terms.ibot?.finish();
    const gram = this.#terms.gram?.loss;
    const contrastive = this.#terms.contrastive?.outputs;
    const { clip, clipMode } = this.#options;
    const norms = clipFactors(gpu, this.student, clip, clipMode);
    const step = this.#scalars.at("step"), microBatches = this.#microBatches.flag;
    for (const loss of [dino?.loss, contrastive?.loss, ibot?.loss, gram]) {
      if (loss) flagNonFinite(gpu, this.flag, { values: loss, first: 0, step, microBatches });
    }
    norms.reduce((first, chunk) => {
      flagNonFinite(gpu, this.flag, { values: chunk.norms, first, step, microBatches });
      return first + chunk.names.length;
    }, 1);

    for (const term of this.#terms.all) term.update?.(this.flag);
    this.#networks.commit(this.flag);
    // The teacher follows in the same pass, but where something happens to the student's weights after it.
    const constrained = this.#terms.all.some(({ constrain }) => constrain);
    this.optimizer.step(norms, constrained ? undefined : this.teacher);
    if (constrained) {
      for (const term of this.#terms.all) term.constrain?.(this.student);
      if (this.teacher) {
        emaUpdate(gpu, this.teacher, this.student, this.#scalars.at("momentum"), this.flag);
      }
    }
    const { loss, pairLoss } = (dino ?? contrastive)!;
    const { metrics = loss, batchMean, koleo } = dino ?? {};
    return { loss, pairLoss, metrics, batchMean, koleo, contrastive, ibot, gram, norms };
  }

  /** Frees all state. */
  destroy(): void {
    const { all } = this.#terms;
    const parts = [this.#networks, this.optimizer, ...all, this.#scalars, this.#microBatches];
    for (const part of parts) part.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}
