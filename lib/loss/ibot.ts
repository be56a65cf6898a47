/**
 * The class of the iBOT loss (Zhou et al. 2022, arXiv:2111.07832): patches that the student does not see.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { type Gpu, Tensor } from "../gpu.ts";
import { gpuOf } from "../gpu/gpu.ts";
import { gatherRows } from "../ops/gather_rows.ts";
import { defaultChunk, type HeadInput, headSource } from "./head.ts";
import { checkIbot, type FullIbotSettings, type IbotLossOptions } from "./ibot/options.ts";
import { finishIbot, ibotPasses } from "./ibot/passes.ts";
import {
  emptyIbotSums,
  type IbotHeadLossResult,
  type IbotLossMetrics,
  type IbotLossResult,
  type IbotLossValues,
  type IbotMicroBatch,
  type IbotSums,
  ibotValues,
} from "./ibot/sums.ts";
import { moveCenter } from "./kernels.ts";
import type { DinoForwardOptions } from "./options.ts";
import { type LogitSource, tensorSource } from "./passes.ts";
import { checkBinding, checkLayers, checkOneGpu, describe } from "./shapes.ts";
import { LossState } from "./state.ts";

/**
 * L = Σ_m w_m · (−Σ_k q_mk log softmax(s_m / τs)_k), q_m = softmax((t_m − c) / τt), over the masked tokens m: what
 * the student makes of a token that it did not see is compared with what the teacher, which saw it, makes of it
 * (iBOT, eq. 2; DINOv2, Oquab et al. 2023, arXiv:2304.07193, section 4).
 *
 * Row m of the student meets row m of the teacher. The weights w are 1 / (masked tokens of the view · masked views)
 * as {@linkcode PatchMasks} makes them; a row of weight 0 does not count at all, so that a batch with fewer
 * masked tokens than there is room for is filled up with any rows. The centre c is a patch centre of its own: the
 * moving average, per dimension, of the raw teacher logits over all tokens that count, each alike; a call uses the
 * centre from before, then moves it. The teacher gets no gradient. `ibotLoss()` takes plain arrays.
 *
 * @example
 * ```ts
 * import { openGpu } from "@hatchling/hatchling/gpu";
 * import { IbotLoss } from "@hatchling/hatchling/loss";
 *
 * const gpu = await openGpu();
 * const loss = new IbotLoss({ outDim: 3 });
 * const logits = gpu.tensor(new Float32Array(6), [2, 3]); // two masked tokens
 * const weights = gpu.tensor(Float32Array.of(0.5, 0.5));
 * const result = gpu.scope(() => loss.forward(logits, logits, weights));
 * console.log(await loss.read(result)); // ln 3; result.gradStudent stays on the GPU
 * gpu.destroy();
 * ```
 *
 * @category Loss
 */
export class IbotLoss {
  /** The settings with defaults filled in. */
  readonly options: FullIbotSettings;
  readonly #state: LossState;

  /**
   * A loss; nothing is allocated before it meets a GPU.
   *
   * @throws {HatchlingError} Naming the setting that is out of range.
   */
  constructor(options: IbotLossOptions) {
    const { settings, asDino } = checkIbot(options);
    this.options = settings;
    this.#state = new LossState(asDino, options, "IbotLoss");
  }

  /** The centre [K]: zeros at first, and for good unless `centering` is `center`. */
  get center(): Tensor {
    return this.#state.center;
  }

  /**
   * The loss and its gradient, then the centre's move.
   *
   * @param student Logits [M, K] of masked tokens.
   * @param teacher Logits [M, K] of the same tokens.
   * @param weights [M], at least 0; those of tokens that do not count are 0.
   * @throws {HatchlingError} When the shapes do not fit; the centre is as it was then.
   */
  forward(
    student: Tensor,
    teacher: Tensor,
    weights: Tensor,
    options?: DinoForwardOptions,
  ): IbotLossResult {
    const rows = rowsOf(this.options.outDim, student, teacher, weights);
    checkBinding(student, "IbotLoss");
    const gpu = gpuOf(student);
    return this.#whole(gpu, options, (whole) => {
      const all = gpu.tensor(Uint32Array.from({ length: rows }, (_, row) => row), [rows]);
      const gradStudent = gatherRows(gpu, student, all);
      const source = tensorSource(gradStudent, teacher, gradStudent);
      this.#run(gpu, weights, source, whole);
      return { gradStudent };
    });
  }

  /**
   * The loss of a weight-normed last layer's logits, made in chunks as in {@linkcode DinoLoss.forwardHead}. Fills
   * the gradients of the student's last layer and returns that of its bottleneck; the teacher gets none.
   *
   * @param student Bottleneck [M, D] of masked tokens, and last layer.
   * @param teacher Bottleneck [M, D] of the same tokens, and last layer.
   * @param weights [M], at least 0; those of tokens that do not count are 0.
   * @throws {HatchlingError} When a shape does not fit.
   */
  forwardHead(
    student: HeadInput,
    teacher: HeadInput,
    weights: Tensor,
    options?: DinoForwardOptions,
  ): IbotHeadLossResult {
    return this.#whole(gpuOf(student.bottleneck), options, (whole) => ({
      gradBottleneck: this.forwardMicroBatch(student, teacher, weights, whole),
    }));
  }

  /**
   * {@linkcode IbotLoss.forwardHead} for one of several micro-batches, whose weights are as if it were alone: the
   * gradients are those of the whole batch's loss, and what else is known of it is added to the sums. Does not move
   * the centre. With `centering: "sinkhorn_knopp"` every one finds its own balance.
   *
   * @returns [M, D], the gradient of the micro-batch's bottleneck.
   * @throws {HatchlingError} When a shape does not fit.
   */
  forwardMicroBatch(
    student: HeadInput,
    teacher: HeadInput,
    weights: Tensor,
    microBatch: IbotMicroBatch,
  ): Tensor {
    const { outDim, chunkSize } = this.options;
    const columns = checkLayers("IbotLoss", outDim, student.lastLayer, teacher.lastLayer);
    const rows = rowsOf(columns, student.bottleneck, teacher.bottleneck, weights);
    const size = chunkSize ?? defaultChunk(outDim, 2 * rows, columns);
    const gpu = gpuOf(student.bottleneck);
    return gpu.scope(() => {
      const source = headSource(gpu, student, teacher, size, true);
      this.#run(gpu, weights, source, microBatch);
      return source.gradInput;
    });
  }

  /** What the sums of all micro-batches say. */
  finish(sums: IbotSums): IbotLossMetrics {
    const { center } = this;
    const { metrics, batchMean } = finishIbot(gpuOf(center), sums);
    return { metrics, batchMean, loss: metrics.view([1]), center };
  }

  /**
   * c ← m · c + (1 − m) · batchMean, unless `flag` is set, the loss is not finite or no token counted: for steps
   * that decide after `forward` whether they count. Does nothing unless `centering` is `center`.
   *
   * @param result What forward returned, called with `updateCenter: false`.
   * @param flag The step's non-finite flag; none for eager use.
   */
  updateCenter(result: Pick<IbotLossMetrics, "metrics" | "batchMean">, flag?: Tensor): void {
    const { centering, centerMomentum } = this.options;
    if (centering !== "center") return;
    const { metrics, batchMean } = result;
    const { center } = this;
    moveCenter(gpuOf(center), center, batchMean, centerMomentum, metrics, { flag, counted: true });
  }

  /**
   * Downloads the loss and its diagnostics.
   *
   * @throws {HatchlingError} When the loss is not finite: the logits were not, or were too large.
   */
  async read({ metrics, center }: IbotLossMetrics): Promise<IbotLossValues> {
    const [m, c] = await metrics.gpu.read([metrics, center]);
    return ibotValues(m, c);
  }

  /** Frees the centre. */
  destroy(): void {
    this.#state.destroy();
  }

  /** The passes over the logits, wherever they come from. */
  #run(gpu: Gpu, weights: Tensor, source: LogitSource, microBatch: IbotMicroBatch): void {
    const { subtracted: center, temperaturesAt } = this.#state.on(gpu);
    const { outDim, centering, weight: factor } = this.options;
    const options = { outDim, centering, center, temperaturesAt, weights, factor, ...microBatch };
    ibotPasses(gpu, options, source);
  }

  /** A batch that comes at once: what `run` makes of it, its metrics, the centre's move. */
  #whole<T>(
    gpu: Gpu,
    { updateCenter = true }: DinoForwardOptions = {},
    run: (whole: IbotMicroBatch) => T,
  ): IbotLossMetrics & T {
    return gpu.scope(() => {
      const sums = emptyIbotSums(gpu, this.options.outDim);
      const made = run({ sums, accumulationSteps: 1 });
      const result = this.finish(sums);
      if (updateCenter) this.updateCenter(result);
      return { ...result, ...made };
    });
  }
}

/** M, of what both networks give [M, columns] and the weights [M]. */
function rowsOf(columns: number, student: unknown, teacher: unknown, weights: unknown): number {
  const rows = weights instanceof Tensor ? weights.size : NaN;
  const fits = (x: unknown): x is Tensor =>
    x instanceof Tensor && x.shape.length === 2 && x.shape[0] === rows && x.shape[1] === columns;
  if (rows >= 1 && fits(student) && fits(teacher)) {
    checkOneGpu("IbotLoss", student, teacher, weights);
    return rows;
  }
  throw new HatchlingError(
    `IbotLoss: expected student and teacher [M, ${columns}] and weights [M], each a Tensor, but found ` +
      `${describe(student)}, ${describe(teacher)} and ${
        describe(weights)
      }: row m of one meets row m of the other`,
  );
}
