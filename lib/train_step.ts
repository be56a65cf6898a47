/**
 * One training step of DINO: everything between the crops and the next weights.
 *
 * @module
 */
import { emaUpdate } from "./ema.ts";
import type { Gpu, Tensor } from "./gpu/mod.ts";
import { DinoLoss, type DinoLossMetrics, type DinoLossSettings } from "./loss.ts";
import { type DinoModel, Parameters } from "./model/mod.ts";
import {
  AdamW,
  type AdamWOptions,
  clipFactors,
  type ClipResult,
  flagNonFinite,
} from "./optim/mod.ts";
import { columnSum } from "./ops/mod.ts";

/** Group of the optimiser that facebookresearch/dino freezes in the first epochs. */
export const LAST_LAYER = 1;

/** Indices of the step scalars; AdamW's follow from `adamw`. */
const SCALAR = { step: 0, studentTemp: 1, teacherTemp: 2, momentum: 3, adamw: 5 };

/** What changes from step to step. */
export interface StepValues {
  /** The step's number, from 0. */
  step: number;
  /** Teacher temperature. */
  teacherTemp: number;
  /** Momentum of the teacher's moving average. */
  momentum: number;
  /** Learning rate. */
  lr: number;
  /** Weight decay. */
  weightDecay: number;
  /** Leave the last layer alone. */
  freezeLastLayer: boolean;
}

/** Settings of a {@linkcode Trainer}. */
export interface TrainerOptions {
  /** The loss. */
  loss: Omit<DinoLossSettings, "outDim">;
  /** The optimiser. */
  adamw?: Omit<AdamWOptions, "group">;
  /** Largest gradient norm per parameter tensor; 0 only measures. */
  clip: number;
  /** Seed of drop path. */
  seed?: number;
}

/** What a step leaves to be read. */
export interface StepOutputs extends Omit<DinoLossMetrics, "center"> {
  /** [1], KoLeo times its weight, where it is on; the loss does not hold it. */
  koleo?: Tensor;
  /** The teacher's features of the global views, [G·B, D]. */
  teacherFeatures: Tensor;
  /** Norms of the gradients before clipping, by chunk. */
  norms: ClipResult[];
}

/**
 * The state of a training run (student, teacher, centre, optimiser) and the order of a step: forward both
 * → loss with the old centre → backward → norms → (if all is finite) centre, AdamW with clipped gradients,
 * EMA of all parameters.
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
  /** [2], u32: 1 + the first step with a non-finite number, 1 + what held it (0 the loss, then the gradients in order). */
  readonly flag: Tensor;
  readonly #gpu: Gpu;
  readonly #model: DinoModel;
  readonly #options: TrainerOptions;
  readonly #scalars: Tensor;

  /** Allocates all state; {@linkcode Trainer.load} fills it. */
  constructor(gpu: Gpu, model: DinoModel, options: TrainerOptions) {
    this.#gpu = gpu;
    this.#model = model;
    this.#options = options;
    this.student = new Parameters(gpu, model.specs(), { grad: true });
    this.teacher = new Parameters(gpu, model.specs());
    this.adamw = new AdamW(gpu, this.student, {
      ...options.adamw,
      group: (name) => name.startsWith("head.last_layer.") ? LAST_LAYER : 0,
    });
    this.#scalars = gpu.persistent([SCALAR.adamw + 4 * (this.adamw.counts.length + 1)], "scalars");
    this.flag = gpu.persistent([2], "flag");
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
  }

  /** Starts from given weights: the teacher is a copy of the student. */
  load(weights: ReadonlyMap<string, Float32Array>): void {
    this.student.load(weights);
    this.teacher.load(weights);
  }

  /** Sets the values of the next step; counts it for the optimiser. */
  set(values: StepValues): void {
    const { lr, weightDecay, freezeLastLayer } = values;
    const adamw = this.adamw.scalars({
      lr,
      weightDecay,
      frozen: freezeLastLayer ? [LAST_LAYER] : [],
    });
    const { studentTemp } = this.loss.options;
    this.#scalars.write(
      new Float32Array([
        values.step,
        studentTemp,
        values.teacherTemp,
        values.momentum,
        1 - values.momentum,
        ...adamw,
      ]),
    );
  }

  /**
   * Dispatches one step; call it inside `record`.
   *
   * @param crops Images per crop size, view-major; the first tensor holds the global views.
   */
  step(crops: readonly Tensor[]): StepOutputs {
    const gpu = this.#gpu;
    const scalars = this.#scalars;
    const teacher = this.#model.bottleneck(gpu, this.teacher, crops.slice(0, 1));
    const dropPath = { seed: this.#options.seed ?? 0, scalars, stepIndex: SCALAR.step };
    const student = this.#model.bottleneck(gpu, this.student, crops, { dropPath });
    this.student.zeroGrad();
    const { gradBottleneck, ...loss } = this.loss.forwardHead(
      student.bottleneck,
      student.lastLayer,
      teacher.bottleneck,
      teacher.lastLayer,
      { updateCenter: false },
    );
    const koleo = this.loss.koleo(student.features);
    student.backward(gradBottleneck, (dFeatures) => {
      if (!koleo) return;
      const { size } = koleo.gradFeatures;
      const out = dFeatures.view([size]);
      columnSum(gpu, koleo.gradFeatures.view([1, size]), { out, accumulate: true });
    });

    const norms = clipFactors(gpu, this.student, this.#options.clip);
    const flagAt = (values: Tensor, first: number, count?: number) =>
      flagNonFinite(gpu, values, first, scalars, SCALAR.step, this.flag, count);
    flagAt(loss.metrics, 0, 1);
    norms.reduce((first, chunk) => {
      flagAt(chunk.norms, first);
      return first + chunk.names.length;
    }, 1);

    this.loss.updateCenter(loss, this.flag);
    this.adamw.step(norms, scalars, SCALAR.adamw, this.flag);
    emaUpdate(gpu, this.teacher, this.student, scalars, SCALAR.momentum, this.flag);
    const { center: _, ...metrics } = loss;
    return { ...metrics, koleo: koleo?.loss, teacherFeatures: teacher.features, norms };
  }

  /** Frees all state. */
  destroy(): void {
    for (const part of [this.student, this.teacher, this.adamw, this.loss]) part.destroy();
    this.flag.destroy();
    this.#scalars.destroy();
  }
}
