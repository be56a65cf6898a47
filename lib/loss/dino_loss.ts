/**
 * The class of the DINO loss.
 *
 * @module
 */
import type { AugmentationConfig, LossConfig } from "../config/types.ts";
import { type Gpu, Tensor } from "../gpu.ts";
import { gpuOf } from "../gpu/gpu.ts";
import { defaultChunk, type HeadInput, headSource } from "./head.ts";
import { finish, moveCenter } from "./kernels.ts";
import { koleoOfViews, type KoleoResult } from "./koleo.ts";
import {
  checkSettings,
  type DinoForwardOptions,
  type DinoLossContext,
  type DinoLossOptions,
  type FullSettings,
  settingsFromConfig,
  type TemperaturesAt,
} from "./options.ts";
import { dinoPasses, type LogitSource, tensorSource } from "./passes.ts";
import {
  type DinoHeadLossResult,
  type DinoLossMetrics,
  type DinoLossResult,
  type DinoLossValues,
  lossValues,
} from "./result.ts";
import { batchOf, checkBinding, checkLayers } from "./shapes.ts";
import { LossState } from "./state.ts";
import { emptySums, type LossMicroBatch, type LossSums } from "./sums.ts";

/**
 * L = 1 / (G (V − 1)) Σ_{g} Σ_{v ≠ g} −Σ_k q_g log softmax(s_v / τs), q_g = softmax((t_g − c) / τt), mean
 * over the batch. Rows are view-major: all B samples of view 0, then of view 1, …; global views first.
 *
 * The centre c is the moving average, per dimension, of the raw teacher logits over all rows; a call uses
 * the centre from before, then moves it. The teacher gets no gradient. `dinoLoss()` takes plain arrays.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { DinoLoss } from "@hatchling/hatchling/loss";
 *
 * const gpu = await openGpu();
 * const loss = new DinoLoss({ outDim: 3, nCrops: 2 });
 * const logits = gpu.tensor(new Float32Array(6), [2, 3]); // two views of one image
 * const result = gpu.scope(() => loss.forward(logits, logits));
 * console.log(await loss.read(result)); // numbers; result.gradStudent stays on the GPU
 * gpu.destroy();
 * ```
 *
 * @category Loss
 */
export class DinoLoss {
  /** The settings with defaults filled in. */
  readonly options: FullSettings;
  readonly #state: LossState;

  /**
   * A loss; nothing is allocated before it meets a GPU.
   *
   * @throws {HatchlingError} Naming the setting that is out of range.
   */
  constructor(options: DinoLossOptions) {
    this.options = checkSettings(options);
    this.#state = new LossState(this.options, options);
  }

  /**
   * The loss of a configuration, with the teacher temperature after its warm-up unless steps bring their own.
   *
   * @example
   * ```ts
   * import { configDefaults } from "../config.ts";
   * import { DinoLoss } from "../loss.ts";
   *
   * const config = configDefaults();
   * const loss = DinoLoss.fromConfig(config.loss, config.augmentation, 4096);
   * console.log(loss.options.nCrops); // 10
   * ```
   */
  static fromConfig(
    loss: Partial<LossConfig>,
    augmentation: Pick<AugmentationConfig, "n_global_crops" | "num_local_views">,
    outDim: number,
    { temperaturesAt, ...context }: DinoLossContext & { temperaturesAt?: TemperaturesAt } = {},
  ): DinoLoss {
    const { studentTemp, ...settings } = settingsFromConfig(loss, augmentation);
    const own = temperaturesAt
      ? { temperaturesAt }
      : { studentTemp, teacherTemp: loss.teacher_temp };
    return new DinoLoss({ ...settings, ...context, outDim, ...own });
  }

  /** The centre [K]: zeros at first, and for good unless `centering` is `center`. */
  get center(): Tensor {
    return this.#state.center;
  }

  /**
   * The loss and its gradient, then the centre's move.
   *
   * @param student Logits [V·B, K].
   * @param teacher Logits [G·B, K].
   * @throws {HatchlingError} When the shapes do not fit the numbers of views; the centre is as it was then.
   */
  forward(student: Tensor, teacher: Tensor, options?: DinoForwardOptions): DinoLossResult {
    const batch = batchOf(Tensor, this.options, this.options.outDim, student, teacher);
    checkBinding(student);
    return this.#whole(gpuOf(student), options, (whole) => {
      const gradStudent = gpuOf(student).empty(student.shape, "grad_student");
      this.#run(gpuOf(student), batch, tensorSource(student, teacher, gradStudent), whole);
      return { gradStudent };
    });
  }

  /**
   * The loss of a weight-normed last layer's logits, which need not exist all at once: they are made, used
   * and made again, `chunkSize` output dimensions at a time. Fills the gradients of the student's last layer
   * and returns that of its bottleneck; the teacher gets none.
   *
   * @param student Bottleneck [V·B, D] and last layer.
   * @param teacher Bottleneck [G·B, D] and last layer.
   * @throws {HatchlingError} When a shape does not fit.
   */
  forwardHead(
    student: HeadInput,
    teacher: HeadInput,
    options?: DinoForwardOptions,
  ): DinoHeadLossResult {
    return this.#whole(gpuOf(student.bottleneck), options, (whole) => ({
      gradBottleneck: this.forwardMicroBatch(student, teacher, whole),
    }));
  }

  /**
   * {@linkcode DinoLoss.forwardHead} for one of several micro-batches, in any order: the gradients are those of
   * the whole batch's loss, so those of the micro-batches are to be added up, and what else is known of it is
   * added to the sums. Does not move the centre. With `centering: "sinkhorn_knopp"` every one finds its own balance.
   *
   * @returns [V·B, D], the gradient of the micro-batch's bottleneck.
   * @throws {HatchlingError} When a shape does not fit.
   */
  forwardMicroBatch(student: HeadInput, teacher: HeadInput, microBatch: LossMicroBatch): Tensor {
    const { outDim, nCrops, nGlobalCrops, chunkSize } = this.options;
    const [x, teacherX] = [student.bottleneck, teacher.bottleneck];
    const columns = checkLayers("DinoLoss", outDim, student.lastLayer, teacher.lastLayer);
    const batch = batchOf(Tensor, this.options, columns, x, teacherX);
    const size = chunkSize ?? defaultChunk(outDim, (nCrops + nGlobalCrops) * batch, columns);
    const gpu = gpuOf(x);
    return gpu.scope(() => {
      const source = headSource(gpu, student, teacher, size, nGlobalCrops <= 2);
      this.#run(gpu, batch, source, microBatch);
      return source.gradInput;
    });
  }

  /** What the sums of all micro-batches say. */
  finish(sums: LossSums): DinoLossMetrics {
    const { center } = this;
    const { pairLoss, batchMean } = sums;
    const metrics = finish(gpuOf(center), sums);
    return { metrics, pairLoss, batchMean, loss: metrics.view([1]), center };
  }

  /**
   * The KoLeo regulariser of the global views' features, view by view, times `koleoWeight`.
   *
   * @param features The student's features of all views [V·B, D], before the head.
   * @param microBatch Where they are of a micro-batch: neighbours are looked for within it, loss and gradient are
   * its share of the mean, and the loss is added to the sums.
   * @returns Loss [1] and the gradient of the global views' features [G·B, D]; nothing when the weight is 0.
   */
  koleo(features: Tensor, microBatch?: LossMicroBatch): KoleoResult | undefined {
    return koleoOfViews(features, this.options, microBatch);
  }

  /**
   * c ← m · c + (1 − m) · batchMean (eq. 4), unless `flag` is set or the loss is not finite: for steps that decide
   * after `forward` whether they count. Does nothing unless `centering` is `center`.
   *
   * @param result What forward returned, called with `updateCenter: false`.
   * @param flag The step's non-finite flag; none for eager use.
   */
  updateCenter(result: Pick<DinoLossMetrics, "metrics" | "batchMean">, flag?: Tensor): void {
    const { centering, centerMomentum } = this.options;
    if (centering !== "center") return;
    const { metrics, batchMean } = result;
    moveCenter(gpuOf(this.center), this.center, batchMean, centerMomentum, metrics, { flag });
  }

  /**
   * Downloads the loss and its diagnostics.
   *
   * @throws {HatchlingError} When the loss is not finite: the logits were not, or were too large.
   */
  async read({ metrics, pairLoss, center }: DinoLossMetrics): Promise<DinoLossValues> {
    const [m, p, c] = await metrics.gpu.read([metrics, pairLoss, center]);
    return lossValues({ metrics: m, pairLoss: p, center: c });
  }

  /** Frees the centre. */
  destroy(): void {
    this.#state.destroy();
  }

  /** The passes over the logits, wherever they come from. */
  #run(gpu: Gpu, batch: number, source: LogitSource, microBatch: LossMicroBatch): void {
    const { subtracted: center, temperaturesAt } = this.#state.on(gpu);
    const { nCrops: views, nGlobalCrops: globals, outDim, centering } = this.options;
    const options = { batch, views, globals, outDim, centering, center, temperaturesAt };
    dinoPasses(gpu, { ...options, ...microBatch }, source);
  }

  /** A batch that comes at once: what `run` makes of it, its metrics, the centre's move. */
  #whole<T>(
    gpu: Gpu,
    { updateCenter = true }: DinoForwardOptions = {},
    run: (whole: LossMicroBatch) => T,
  ): DinoLossMetrics & T {
    const { nCrops: views, nGlobalCrops: globals, outDim } = this.options;
    return gpu.scope(() => {
      const sums = emptySums(gpu, { views, globals, outDim });
      const made = run({ sums, accumulationSteps: 1 });
      const result = this.finish(sums);
      if (updateCenter) this.updateCenter(result);
      return { ...result, ...made };
    });
  }
}
