/**
 * One training step: everything between the crops and the next weights.
 *
 * @module
 */
import { emaUpdate } from "../ema.ts";
import { HatchlingError } from "../errors.ts";
import { type Gpu, type Program, StepScalars, type Tensor } from "../gpu.ts";
import type { DinoLoss } from "../loss.ts";
import { type DinoModel, Parameters, RunningStats } from "../model.ts";
import { isHead } from "../model/parts.ts";
import { readFeatures } from "../model/reads.ts";
import { clearAtFirst } from "../optim/clear.ts";
import { clipFactors, type Optimizer, optimizerOf } from "../optim.ts";
import { flagNonFinite } from "../optim/clip.ts";
import {
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

/** Group of the optimiser that facebookresearch/dino freezes in the first epochs. */
export const LAST_LAYER = 1;
/** Groups of the backbone, and of the heads before their last layers. */
const BACKBONE = 0, HEADS = 2;

/** The group of a parameter. */
function groupOf(name: string): number {
  if (/^(ibot_)?head\.last_layer\./.test(name)) return LAST_LAYER;
  return isHead(name) ? HEADS : BACKBONE;
}

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
  /** Micro-batches of a step. */
  readonly accumulationSteps: number;
  readonly #gpu: Gpu;
  readonly #options: TrainerOptions;
  readonly #scalars: StepScalars<typeof SCALARS[number]>;
  readonly #terms: Terms;
  readonly #views: { views: number; globals: number };
  /** The ranks that share a step, where there are several. */
  readonly #ranks?: Ranks;
  /** As `flag`, of the micro-batches of a step: 1 + the first one whose loss is not finite. */
  readonly #microBatchFlag: Tensor;
  /** Those of batch norms, as the step under way has moved them. */
  readonly #stats: { student?: RunningStats; teacher?: RunningStats };

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
    this.accumulationSteps = accumulationSteps;
    this.student = new Parameters(gpu, model.specs(), { grad: true });
    this.optimizer = optimizerOf(gpu, this.student, options.optimizer ?? {}, groupOf);
    this.#scalars = new StepScalars(gpu, SCALARS);
    this.#scalars.write({ studentTemp, copyRest: 1 });
    this.#microBatchFlag = gpu.persistent([3], "flag of micro-batches");
    this.#terms = termsOf(gpu, model, options, { views, at: (name) => this.#scalars.at(name) });
    this.loss = this.#terms.dino?.loss;
    if (this.#terms.all.some(({ readsOfTeacher }) => readsOfTeacher.length)) {
      this.teacher = new Parameters(gpu, model.specs());
    }
    this.#stats = {
      student: RunningStats.of(gpu, this.student),
      teacher: this.teacher && RunningStats.of(gpu, this.teacher),
    };
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
    this.student.load(weights);
    this.teacher?.load(weights);
  }

  /** Sets the values of the next step, at its first micro-batch; counts it for the optimiser. */
  set(values: StepValues): void {
    const { step, teacherTemp, momentum, lr, weightDecay, gram } = values;
    if (gram?.refresh && this.teacher) this.#terms.gram?.refresh(this.teacher);
    this.optimizer.set({
      ...{ lr, weightDecay, momentum },
      frozen: values.freezeLastLayer ? [LAST_LAYER] : [],
      held: values.holdBackbone ? [BACKBONE] : [],
    });
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
    const { accumulationSteps } = this;
    if (!(Number.isInteger(microBatch) && microBatch >= 0 && microBatch < accumulationSteps)) {
      throw new HatchlingError(
        `Trainer: expected a micro-batch from 0 to ${
          accumulationSteps - 1
        } but found ${microBatch}: ` +
          "a step has as many as the trainer's accumulationSteps says",
      );
    }
    this.#scalars.write({ microBatch, share: this.share(microBatch).index });
  }

  /** Which part of a step's batch this rank has in a micro-batch, and of how many equal ones. */
  share(microBatch: number): { index: number; accumulationSteps: number } {
    const { rank, size } = this.#ranks ?? { rank: 0, size: 1 };
    return { index: microBatch * size + rank, accumulationSteps: this.accumulationSteps * size };
  }

  /**
   * Sets what the optimiser has counted: of a run that goes on, or after steps that were set but came to nothing
   * (left after a micro-batch, or not done because the flag was set).
   *
   * @param counts Steps that were done, and those of them with the last layer left alone.
   * @throws {HatchlingError} When these are not whole numbers with 0 ≤ frozen ≤ done.
   */
  setCounts({ done, frozen }: { done: number; frozen: number }): void {
    if (!(Number.isInteger(done) && Number.isInteger(frozen) && frozen >= 0 && frozen <= done)) {
      throw new HatchlingError(
        `Trainer: expected whole counts with 0 ≤ frozen ≤ done but found ${done} steps, ${frozen} of them frozen: ` +
          "give those of the weights that the run goes on from",
      );
    }
    this.optimizer.counts.fill(done);
    this.optimizer.counts[LAST_LAYER] = done - frozen;
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
    if (!masks !== !this.#terms.ibot) {
      throw new HatchlingError(
        `Trainer: expected ${
          this.#terms.ibot ? "masks, as the model learns masked patches," : "no masks"
        } but found ` +
          `${
            masks ? "some" : "none"
          }: give microStep() those of the feed, made with the options of ` +
          "feedOptionsOf(config)",
      );
    }
    const gpu = this.#gpu, ranks = this.#ranks;
    const { accumulationSteps } = this.share(0);
    const { backbone } = this.model;
    if (masks?.options && masks.options.prefix !== backbone.prefix) {
      throw new HatchlingError(
        `Trainer: expected masks of patches after ${backbone.prefix} tokens, the class token and registers, but found ` +
          `${masks.options.prefix}: make them with prefix ${backbone.prefix}`,
      );
    }
    const index = this.#scalars.at("microBatch"), step = this.#scalars.at("step");
    for (const stats of Object.values(this.#stats)) stats?.begin(index);
    const wordsOf = (key: "reads" | "readsOfTeacher") =>
      this.#terms.all.flatMap((term) => term[key]);
    const { seed = 0, recompute, precision } = this.#options;
    const teacher = this.teacher && readFeatures(gpu, backbone, this.teacher, crops.slice(0, 1), {
      precision,
      features: wordsOf("readsOfTeacher"),
      patches: this.#terms.all.some(({ patches }) => patches?.ofTeacher),
      stats: this.#stats.teacher,
    });
    const { globals } = this.#views;
    const batch = crops[0].shape[0] / globals;
    const student = readFeatures(gpu, backbone, this.student, crops, {
      features: wordsOf("reads"),
      patches: this.#terms.all.some(({ patches }) => patches?.ofStudent),
      stats: this.#stats.student,
      mask: masks?.mask,
      dropPath: {
        ...{ seed, step },
        microBatch: { batch, accumulationSteps, index: this.#scalars.at("share") },
      },
      ...{ recompute, precision },
    });
    this.student.zeroGrad();
    if (accumulationSteps > 1) {
      const sums = this.#terms.all.flatMap(({ sums }) => sums);
      for (const tensor of [...this.student.grads, ...sums, this.#microBatchFlag]) {
        clearAtFirst(gpu, tensor, index);
      }
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
    if (accumulationSteps > 1) {
      for (const { checked } of this.#terms.all) {
        flagNonFinite(gpu, this.#microBatchFlag, { values: checked, first: 0, step: index });
      }
    }
    const [word] = this.#terms.all[0].reads;
    const features = (teacher ?? student).feature(word);
    return { features: features.view([globals * batch, features.shape[1]]) };
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
    const step = this.#scalars.at("step"), microBatches = this.#microBatchFlag;
    for (const loss of [dino?.loss, contrastive?.loss, ibot?.loss, gram]) {
      if (loss) flagNonFinite(gpu, this.flag, { values: loss, first: 0, step, microBatches });
    }
    norms.reduce((first, chunk) => {
      flagNonFinite(gpu, this.flag, { values: chunk.norms, first, step, microBatches });
      return first + chunk.names.length;
    }, 1);

    for (const term of this.#terms.all) term.update?.(this.flag);
    for (const stats of Object.values(this.#stats)) stats?.commit(this.flag);
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
    for (const part of [this.student, this.teacher, this.optimizer, ...this.#terms.all]) {
      part?.destroy();
    }
    for (const t of [this.#scalars, this.#microBatchFlag]) t.destroy();
    for (const stats of Object.values(this.#stats)) stats?.destroy();
  }

  /** Support for `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }
}
