/**
 * One training step of DINO: everything between the crops and the next weights.
 *
 * @module
 */
import { emaUpdate } from "./ema.ts";
import { HatchlingError } from "./errors.ts";
import type { Gpu, Tensor } from "./gpu/mod.ts";
import { DinoLoss } from "./loss.ts";
import { packedSums } from "./loss/sums.ts";
import { type DinoModel, Parameters } from "./model/mod.ts";
import { columnSum } from "./ops/mod.ts";
import { clearAtFirst } from "./optim/clear.ts";
import { AdamW, clipFactors, flagNonFinite } from "./optim/mod.ts";
import {
  type ApplyOutputs,
  checkAccumulation,
  type MicroOutputs,
  type StepOutputs,
  type StepValues,
  type TrainerOptions,
} from "./train_step/options.ts";

export type {
  ApplyOutputs,
  MicroOutputs,
  StepOutputs,
  StepValues,
  TrainerOptions,
} from "./train_step/options.ts";

/** Group of the optimiser that facebookresearch/dino freezes in the first epochs. */
export const LAST_LAYER = 1;

/** Indices of the step scalars; AdamW's follow from `adamw`. */
const SCALAR = { step: 0, studentTemp: 1, teacherTemp: 2, momentum: 3, micro: 5, adamw: 6 };

/**
 * The state of a training run (student, teacher, centre, optimiser) and the order of a step: forward both
 * → loss with the old centre → backward → norms → (if all is finite) centre, AdamW with clipped gradients,
 * EMA of all parameters.
 *
 * A batch that is too large for the memory comes in `accumulation` micro-batches of equal size: the first three
 * parts run for each of them ({@linkcode Trainer.micro}), which adds up gradients, metrics and the mean of
 * the teacher's logits; the others run once ({@linkcode Trainer.apply}). Up to the rounding of sums that is the
 * step of the whole batch, drop path included: picture j of micro-batch m counts as picture m·b + j. KoLeo alone
 * looks for neighbours within a micro-batch. A step can be left after any micro-batch: nothing but gradients
 * and sums has changed, and the next step's first one clears them.
 *
 * @example
 * ```ts
 * import { openGpu, record } from "./gpu/mod.ts";
 * import { DinoModel, initialize } from "./model/mod.ts";
 * import { Trainer } from "./train_step.ts";
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
 * import { openGpu, record } from "./gpu/mod.ts";
 * import { DinoModel, initialize } from "./model/mod.ts";
 * import { Trainer } from "./train_step.ts";
 *
 * const gpu = await openGpu();
 * const model = new DinoModel({ imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2 }, { outDim: 32 });
 * const trainer = new Trainer(gpu, model, { loss: { nCrops: 2 }, clip: 3, accumulation: 4 });
 * trainer.load(initialize(model.specs(), 0));
 * const crops = gpu.persistent([2 * 4, 3, 16, 16]); // two views of four of the sixteen images
 * const micro = await record(gpu, () => trainer.micro([crops]));
 * const apply = await record(gpu, () => trainer.apply());
 * trainer.set({ step: 0, teacherTemp: 0.04, momentum: 0.996, lr: 1e-3, weightDecay: 0.04, freezeLastLayer: true });
 * for (let m = 0; m < 4; m++) {
 *   trainer.setMicro(m); // here the next images are made
 *   micro.run();
 * }
 * apply.run();
 * console.log((await apply.outputs.metrics.read())[0]);
 * for (const t of [micro, apply, crops, trainer]) t.destroy();
 * gpu.destroy();
 * ```
 */
export class Trainer {
  /** The student. */
  readonly student: Parameters;
  /** The teacher. */
  readonly teacher: Parameters;
  /** Loss and centre. */
  readonly loss: DinoLoss;
  /** The optimiser. */
  readonly adamw: AdamW;
  /** Micro-batches of a step. */
  readonly accumulation: number;
  /**
   * [3], u32: 1 + the first step with a non-finite number; 1 + what held it (0 the loss, then the gradients in
   * order); where that is the loss of a step in micro-batches, 1 + the first of them whose loss is not finite,
   * else 0.
   */
  readonly flag: Tensor;
  readonly #gpu: Gpu;
  readonly #model: DinoModel;
  readonly #options: TrainerOptions;
  readonly #scalars: Tensor;
  readonly #values: Float32Array<ArrayBuffer>;
  readonly #sums: ReturnType<typeof packedSums>;
  /** As `flag`, of the micro-batches of a step: 1 + the first one whose loss is not finite. */
  readonly #found: Tensor;

  /**
   * Allocates all state; {@linkcode Trainer.load} fills it.
   *
   * @throws {HatchlingError} When `accumulation` is not a whole number from 1 on, or is more than 1 with Sinkhorn–
   * Knopp, which needs the logits of the whole batch.
   */
  constructor(gpu: Gpu, model: DinoModel, options: TrainerOptions) {
    this.#gpu = gpu;
    this.#model = model;
    this.#options = options;
    this.accumulation = checkAccumulation(options);
    this.student = new Parameters(gpu, model.specs(), { grad: true });
    this.teacher = new Parameters(gpu, model.specs());
    this.adamw = new AdamW(gpu, this.student, {
      ...options.adamw,
      group: (name) => name.startsWith("head.last_layer.") ? LAST_LAYER : 0,
    });
    this.#values = new Float32Array(SCALAR.adamw + 4 * (this.adamw.counts.length + 1));
    this.#scalars = gpu.persistent([this.#values.length], "scalars");
    this.flag = gpu.persistent([3], "flag");
    this.#found = gpu.persistent([3], "flag of micro-batches");
    this.loss = new DinoLoss({
      ...options.loss,
      outDim: model.head.config.outDim,
      gpu,
      temperatures: {
        scalars: this.#scalars,
        studentTemp: SCALAR.studentTemp,
        teacherTemp: SCALAR.teacherTemp,
      },
    });
    const { outDim, nCrops: views, nGlobalCrops: globals } = this.loss.options;
    this.#sums = packedSums(gpu, { globals, views, outDim });
  }

  /** Starts from given weights: the teacher is a copy of the student. */
  load(weights: ReadonlyMap<string, Float32Array>): void {
    this.student.load(weights);
    this.teacher.load(weights);
  }

  /** Sets the values of the next step, at its first micro-batch; counts it for the optimiser. */
  set(values: StepValues): void {
    const { lr, weightDecay, freezeLastLayer } = values;
    const adamw = this.adamw.scalars({
      lr,
      weightDecay,
      frozen: freezeLastLayer ? [LAST_LAYER] : [],
    });
    const { studentTemp } = this.loss.options;
    this.#values.set([
      values.step,
      studentTemp,
      values.teacherTemp,
      values.momentum,
      1 - values.momentum,
      0,
      ...adamw,
    ]);
    this.#scalars.write(this.#values);
  }

  /**
   * Sets which micro-batch of the step is next, from 0; that one begins the step anew.
   *
   * @throws {HatchlingError} When there is no such micro-batch.
   */
  setMicro(micro: number): void {
    if (!(Number.isInteger(micro) && micro >= 0 && micro < this.accumulation)) {
      throw new HatchlingError(
        `Trainer: expected a micro-batch from 0 to ${this.accumulation - 1} but found ${micro}: ` +
          "a step has as many as the trainer's accumulation says",
      );
    }
    this.#values[SCALAR.micro] = micro;
    this.#scalars.write(this.#values);
  }

  /**
   * Sets what the optimiser has counted: of a run that goes on, or after steps that were set but came to nothing
   * (left after a micro-batch, or not done because the flag was set).
   *
   * @param done Steps that were done.
   * @param frozen Those of them with the last layer left alone.
   * @throws {HatchlingError} When these are not whole numbers with 0 ≤ frozen ≤ done.
   */
  setCounts(done: number, frozen: number): void {
    if (!(Number.isInteger(done) && Number.isInteger(frozen) && frozen >= 0 && frozen <= done)) {
      throw new HatchlingError(
        `Trainer: expected whole counts with 0 ≤ frozen ≤ done but found ${done} steps, ${frozen} of them frozen: ` +
          "give those of the weights that the run goes on from",
      );
    }
    this.adamw.counts.fill(done);
    this.adamw.counts[LAST_LAYER] = done - frozen;
  }

  /** Clears the non-finite flag: the next step counts again. */
  clearFlag(): void {
    this.flag.write(new Uint32Array(this.flag.size));
  }

  /**
   * Dispatches a whole step in one batch; call it inside `record`.
   *
   * @param crops Images per crop size, view-major; the first tensor holds the global views.
   * @throws {HatchlingError} When the trainer expects several micro-batches.
   */
  step(crops: readonly Tensor[]): StepOutputs {
    if (this.accumulation > 1) {
      throw new HatchlingError(
        `Trainer: expected a step in ${this.accumulation} micro-batches but found one in a single batch: record ` +
          "micro() and apply() by themselves, or make the trainer with accumulation 1",
      );
    }
    return { ...this.micro(crops), ...this.apply() };
  }

  /**
   * Dispatches a micro-batch's part of a step: gradients and sums, which the first one starts. Changes nothing
   * else. Call it inside `record`, and run it once for every micro-batch.
   *
   * @param crops Images of the micro-batch per crop size, view-major; the first tensor holds the global views.
   */
  micro(crops: readonly Tensor[]): MicroOutputs {
    const gpu = this.#gpu;
    const scalars = this.#scalars;
    const parts = this.accumulation;
    const teacher = this.#model.bottleneck(gpu, this.teacher, crops.slice(0, 1));
    const batch = crops[0].shape[0] / this.loss.options.nGlobalCrops;
    const part = { batch, parts, index: SCALAR.micro };
    const { seed = 0, recompute } = this.#options;
    const dropPath = { seed, scalars, stepIndex: SCALAR.step, part };
    const student = this.#model.bottleneck(gpu, this.student, crops, { dropPath, recompute });
    this.student.zeroGrad();
    if (parts > 1) {
      for (const tensor of [...this.student.grads, this.#sums.all, this.#found]) {
        clearAtFirst(gpu, tensor, scalars, SCALAR.micro);
      }
      this.student.keepGrad();
    }
    const sums = this.#sums;
    const gradBottleneck = this.loss.forwardPart(
      student.bottleneck,
      student.lastLayer,
      teacher.bottleneck,
      teacher.lastLayer,
      { sums, parts },
    );
    const koleo = this.loss.koleo(student.features, { sums, parts });
    student.backward(gradBottleneck, (dFeatures) => {
      if (!koleo) return;
      const { size } = koleo.gradFeatures;
      const out = dFeatures.view([size]);
      columnSum(gpu, koleo.gradFeatures.view([1, size]), { out, accumulate: true });
    });
    if (parts > 1) flagNonFinite(gpu, sums.pairLoss, 0, scalars, SCALAR.micro, this.#found);
    return { teacherFeatures: teacher.features };
  }

  /** Dispatches the end of a step, when all micro-batches are in; call it inside `record`. */
  apply(): ApplyOutputs {
    const gpu = this.#gpu;
    const scalars = this.#scalars;
    const { center: _, ...loss } = this.loss.finish(this.#sums);
    const norms = clipFactors(gpu, this.student, this.#options.clip);
    const flagAt = (values: Tensor, first: number, count?: number) =>
      flagNonFinite(gpu, values, first, scalars, SCALAR.step, this.flag, count, this.#found);
    flagAt(loss.metrics, 0, 1);
    norms.reduce((first, chunk) => {
      flagAt(chunk.norms, first);
      return first + chunk.names.length;
    }, 1);

    this.loss.updateCenter(loss, this.flag);
    this.adamw.step(norms, scalars, SCALAR.adamw, this.flag);
    emaUpdate(gpu, this.teacher, this.student, scalars, SCALAR.momentum, this.flag);
    const koleo = this.loss.options.koleoWeight ? this.#sums.koleo : undefined;
    return { ...loss, koleo, norms };
  }

  /** Frees all state. */
  destroy(): void {
    for (const part of [this.student, this.teacher, this.adamw, this.loss]) part.destroy();
    for (const t of [this.flag, this.#scalars, this.#sums.all, this.#found]) t.destroy();
  }
}
