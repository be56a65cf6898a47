/**
 * The class of the DINO loss.
 *
 * @module
 */
import type { AugmentationConfig, LossConfig } from "../config/types.ts";
import { HatchlingError } from "../errors.ts";
import { type Gpu, Tensor } from "../gpu/mod.ts";
import {
  type ArrayInput,
  arrayInput,
  type HeadArrays,
  headInputs,
  headTensors,
  type LastLayerArrays,
  withArrays,
} from "./arrays.ts";
import { defaultChunk, headSource } from "./head.ts";
import type { LastLayer } from "../model/head.ts";
import { finish, moveCenter } from "./kernels.ts";
import { koleo, type KoleoResult } from "./koleo.ts";
import {
  checkCenter,
  checkSettings,
  type DinoLossContext,
  type DinoLossOptions,
  type FullSettings,
  settingsFromConfig,
} from "./options.ts";
import { dinoPasses, type LogitSource } from "./passes.ts";
import {
  type DinoHeadLossArrays,
  type DinoHeadLossResult,
  type DinoLossArrays,
  type DinoLossMetrics,
  type DinoLossResult,
  type DinoLossValues,
  lossValues,
} from "./result.ts";
import { batchOf, checkBinding, checkLayers } from "./shapes.ts";
import { LossState } from "./state.ts";
import { emptySums, type LossSums } from "./sums.ts";

/** Options of one call of the loss. */
export interface DinoForwardOptions {
  /** Move the centre at the end, as facebookresearch/dino does; true by default. */
  updateCenter?: boolean;
}

/** Where a part of a batch adds to what is known of the whole. */
export interface DinoLossPart {
  /** Sums of the parts so far; they start at zero, but for a batch in one part, which overwrites them. */
  sums: LossSums;
  /** Equal parts that the batch comes in. */
  parts: number;
}

/**
 * L = 1 / (G (V − 1)) Σ_{g} Σ_{v ≠ g} −Σ_k q_g log softmax(s_v / τs), q_g = softmax((t_g − c) / τt), mean
 * over the batch. Rows are view-major: all B samples of view 0, then of view 1, …; global views first.
 *
 * The centre c is the moving average, per dimension, of the raw teacher logits over all rows; a call uses
 * the centre from before, then moves it. The teacher gets no gradient.
 *
 * @example Plain arrays
 * ```ts
 * import { DinoLoss } from "../loss.ts";
 *
 * const loss = new DinoLoss({ outDim: 3, nCrops: 2 });
 * const logits = new Float32Array(2 * 1 * 3); // two views of one image, all equal
 * const { loss: value, gradStudent, center } = await loss.forward(logits, logits);
 * console.log(value, gradStudent.length, center); // ln 3, 6, zeros
 * loss.destroy();
 * ```
 *
 * @example Tensors
 * ```ts
 * import { openGpu } from "../gpu/mod.ts";
 * import { DinoLoss } from "../loss.ts";
 *
 * const gpu = await openGpu();
 * const loss = new DinoLoss({ outDim: 3, nCrops: 2 });
 * const logits = gpu.tensor(new Float32Array(6), [2, 3]);
 * const result = gpu.scope(() => loss.forward(logits, logits));
 * console.log(await loss.read(result)); // numbers; result.gradStudent stays on the GPU
 * gpu.destroy();
 * ```
 */
export class DinoLoss {
  #options: FullSettings;
  readonly #state: LossState;

  /**
   * A loss; nothing is allocated before it meets a GPU.
   *
   * @throws {HatchlingError} Naming the setting that is out of range.
   */
  constructor(options: DinoLossOptions) {
    this.#options = checkSettings(options);
    checkCenter(options.center, this.#options);
    this.#state = new LossState(() => this.#options, options);
    if (options.gpu) this.#state.bind(options.gpu);
  }

  /**
   * The loss of a configuration, with the teacher temperature that it has after its warm-up.
   *
   * @example
   * ```ts
   * import { configDefaults } from "../config.ts";
   * import { DinoLoss } from "../loss.ts";
   *
   * const config = configDefaults();
   * const loss = DinoLoss.fromConfig(config.loss, config.augmentation, { outDim: 4096 });
   * console.log(loss.options.nCrops); // 10
   * ```
   */
  static fromConfig(
    loss: Partial<LossConfig>,
    augmentation: Pick<AugmentationConfig, "n_global_crops" | "num_local_views">,
    context: DinoLossContext,
  ): DinoLoss {
    return new DinoLoss({ ...settingsFromConfig(loss, augmentation), ...context });
  }

  /** The settings with defaults filled in. */
  get options(): FullSettings {
    return this.#options;
  }

  /** The centre [K]: zeros at first, and for good unless `centering` is `center`. */
  get center(): Tensor {
    return this.#state.center;
  }

  /** Sets both temperatures, unless the loss reads them from step scalars. */
  setTemperatures(studentTemp: number, teacherTemp: number): void {
    if (this.#state.sharesTemperatures) {
      throw new HatchlingError(
        "Expected a loss with its own temperatures but it reads step scalars: set them there",
      );
    }
    this.#options = checkSettings({ ...this.#options, studentTemp, teacherTemp });
    this.#state.write(this.#options);
  }

  /**
   * The loss and its gradient, then the centre's move.
   *
   * @param student Logits [V·B, K].
   * @param teacher Logits [G·B, K].
   * @throws {HatchlingError} When the shapes do not fit the numbers of views, or (arrays) a number is not
   * finite; the centre is as it was then.
   */
  forward(student: Tensor, teacher: Tensor, options?: DinoForwardOptions): DinoLossResult;
  /** The same for plain arrays; opens a GPU if the loss has none. */
  forward(
    student: Float32Array,
    teacher: Float32Array,
    options?: DinoForwardOptions,
  ): Promise<DinoLossArrays>;
  forward(
    student: Tensor | Float32Array,
    teacher: Tensor | Float32Array,
    options: DinoForwardOptions = {},
  ): DinoLossResult | Promise<DinoLossArrays> {
    const { outDim } = this.#options;
    if (!(student instanceof Tensor && teacher instanceof Tensor)) {
      return this.#arrays(() => {
        const batch = batchOf(this.#options, outDim, student, teacher);
        const [values, targets] = [student, teacher] as Float32Array[];
        return {
          student: arrayInput("student", values, outDim, batch),
          teacher: arrayInput("teacher", targets, outDim, batch),
        };
      }, (t) => this.forward(t.student, t.teacher, options));
    }
    const batch = batchOf(this.#options, outDim, student, teacher);
    checkBinding(student);
    return student.gpu.scope(() => {
      const gradStudent = student.gpu.empty(student.shape, "grad_student");
      const source: LogitSource = {
        chunks: [{ start: 0, size: outDim }],
        student: () => student,
        teacher: () => teacher,
        grad: () => gradStudent,
        backward() {},
      };
      const sums = emptySums(student.gpu, this.#sizes);
      this.#run(student.gpu, batch, source, { sums, parts: 1 });
      return { ...this.#finish(sums, options), gradStudent };
    });
  }

  /**
   * The loss of a weight-normed last layer's logits, which need not exist all at once: they are made, used
   * and made again, `chunkSize` output dimensions at a time. Fills the gradients of the student's last layer
   * and returns that of its bottleneck; the teacher gets none.
   *
   * @param bottleneck The student's L2-normalised bottleneck [V·B, D].
   * @param lastLayer The student's last layer: weightV [K, D] and weightG [K, 1], each with `grad` or not.
   * @param teacherBottleneck The teacher's [G·B, D].
   * @param teacherLastLayer The teacher's last layer.
   * @throws {HatchlingError} When a shape does not fit, or (arrays) a number is not finite.
   *
   * @example
   * ```ts
   * import { DinoLoss } from "../loss.ts";
   *
   * const loss = new DinoLoss({ outDim: 4096, nCrops: 2, chunkSize: 1024 });
   * const bottleneck = new Float32Array(2 * 16).fill(0.25); // two views of one image, D 16
   * const lastLayer = { weightV: Float32Array.from({ length: 4096 * 16 }, (_, i) => Math.sin(i)) };
   * const result = await loss.forwardHead(bottleneck, lastLayer, bottleneck, lastLayer);
   * console.log(result.loss, result.gradBottleneck.length); // 32
   * loss.destroy();
   * ```
   */
  forwardHead(
    bottleneck: Tensor,
    lastLayer: LastLayer,
    teacherBottleneck: Tensor,
    teacherLastLayer: LastLayer,
    options?: DinoForwardOptions,
  ): DinoHeadLossResult;
  /** The same for plain arrays; opens a GPU if the loss has none. */
  forwardHead(
    bottleneck: Float32Array,
    lastLayer: LastLayerArrays,
    teacherBottleneck: Float32Array,
    teacherLastLayer: LastLayerArrays,
    options?: DinoForwardOptions,
  ): Promise<DinoHeadLossArrays>;
  forwardHead(
    x: Tensor | Float32Array,
    layer: LastLayer | LastLayerArrays,
    teacherX: Tensor | Float32Array,
    teacherLayer: LastLayer | LastLayerArrays,
    options: DinoForwardOptions = {},
  ): DinoHeadLossResult | Promise<DinoHeadLossArrays> {
    const { outDim } = this.#options;
    if (!(x instanceof Tensor && teacherX instanceof Tensor)) {
      return this.#arrays(() => {
        const columns = checkLayers(outDim, layer, teacherLayer);
        const batch = batchOf(this.#options, columns, x, teacherX);
        const arrays = [x, layer, teacherX, teacherLayer] as HeadArrays;
        return headInputs(arrays, outDim, columns, batch);
      }, (t) => {
        const { student, teacher, grads } = headTensors(t);
        const { bottleneck, teacherBottleneck } = t;
        return {
          ...this.forwardHead(bottleneck, student, teacherBottleneck, teacher, options),
          ...grads,
        };
      });
    }
    const layers = [layer, teacherLayer] as LastLayer[];
    return x.gpu.scope(() => {
      const sums = emptySums(x.gpu, this.#sizes);
      const gradBottleneck = this.forwardPart(x, layers[0], teacherX, layers[1], {
        sums,
        parts: 1,
      });
      return { ...this.#finish(sums, options), gradBottleneck };
    });
  }

  /**
   * {@linkcode DinoLoss.forwardHead} for one of several equal parts of a batch, in any order: the gradients
   * are those of the whole batch's loss, so those of the parts are to be added up, and what else is known of
   * the part is added to the sums. Does not move the centre. With `centering: "sinkhorn_knopp"` every part
   * finds its own balance.
   *
   * @returns [V·B, D], the gradient of the part's bottleneck.
   * @throws {HatchlingError} When a shape does not fit.
   */
  forwardPart(
    bottleneck: Tensor,
    lastLayer: LastLayer,
    teacherBottleneck: Tensor,
    teacherLastLayer: LastLayer,
    part: DinoLossPart,
  ): Tensor {
    const { outDim, nCrops, nGlobalCrops, chunkSize } = this.#options;
    const { gpu } = bottleneck;
    const columns = checkLayers(outDim, lastLayer, teacherLastLayer);
    const batch = batchOf(this.#options, columns, bottleneck, teacherBottleneck);
    const student = { x: bottleneck, layer: lastLayer };
    const teacher = { x: teacherBottleneck, layer: teacherLastLayer };
    const size = chunkSize ??
      defaultChunk(outDim, (nCrops + nGlobalCrops) * batch, columns);
    return gpu.scope(() => {
      const source = headSource(gpu, student, teacher, size, nGlobalCrops <= 2);
      this.#run(gpu, batch, source, part);
      return source.gradInput;
    });
  }

  /** What the sums of all parts of a batch say. */
  finish(sums: LossSums): DinoLossMetrics {
    const { center } = this.#state;
    const { pairLoss, batchMean } = sums;
    const metrics = finish(center.gpu, sums);
    return { metrics, pairLoss, batchMean, loss: metrics.view([1]), center };
  }

  /**
   * The KoLeo regulariser of the student's features, view by view over the global ones, times `koleoWeight`.
   *
   * @param features The student's features of all views [V·B, D], before the head.
   * @param part Where these are the features of one of several parts of a batch: neighbours are looked for within
   * each, loss and gradient divided by their number, and the loss is added to the sums.
   * @returns Loss [1] and the gradient of the global views' features [G·B, D]; nothing when the weight is 0.
   */
  koleo(features: Tensor, part?: DinoLossPart): KoleoResult | undefined {
    const { nCrops, nGlobalCrops: groups, koleoWeight } = this.#options;
    if (!koleoWeight) return undefined;
    const parts = part?.parts ?? 1;
    const to = { out: part?.sums.koleo, accumulate: parts > 1 };
    const weight = koleoWeight / parts;
    const [rows, dim] = features.shape;
    const batch = rows / nCrops;
    if (features.shape.length !== 2 || !Number.isInteger(batch)) {
      throw new HatchlingError(
        `DinoLoss: expected features [${nCrops}·B, D] of all views but found ${features}`,
      );
    }
    return koleo(features.gpu, features.view([groups * batch, dim]), { groups, weight, ...to });
  }

  /**
   * c ← m · c + (1 − m) · batchMean (eq. 4), unless `flag` is set or the loss is not finite. For steps that
   * decide later than `forward` whether they count; does nothing unless `centering` is `center`.
   *
   * @param result What forward returned, called with `updateCenter: false`.
   * @param flag The step's non-finite flag; none for eager use.
   */
  updateCenter(result: Pick<DinoLossMetrics, "metrics" | "batchMean">, flag?: Tensor): void {
    const { centering, centerMomentum } = this.#options;
    if (centering !== "center") return;
    const { gpu } = this.center;
    const { metrics, batchMean } = result;
    moveCenter(gpu, this.center, batchMean, centerMomentum, metrics, flag);
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

  /** Frees the centre, and the GPU if the loss opened it for plain arrays. */
  destroy(): void {
    this.#state.destroy();
  }

  /** G, V and K. */
  get #sizes() {
    const { outDim, nCrops: views, nGlobalCrops: globals } = this.#options;
    return { globals, views, outDim };
  }

  /** The passes over the logits, wherever they come from. */
  #run(gpu: Gpu, batch: number, source: LogitSource, { sums, parts }: DinoLossPart): void {
    this.#state.bind(gpu);
    const { subtracted: center, temperatures } = this.#state;
    const { centering } = this.#options;
    dinoPasses(
      gpu,
      { ...this.#sizes, batch, centering, center, temperatures, sums, parts },
      source,
    );
  }

  /** The metrics of a batch in one part, and the centre's move. */
  #finish(sums: LossSums, { updateCenter = true }: DinoForwardOptions): DinoLossMetrics {
    const result = this.finish(sums);
    if (updateCenter) this.updateCenter(result);
    return result;
  }

  /** Checks and copies arrays at once; then, when it is their turn, runs on them and reads what comes out. */
  async #arrays<I extends string, R extends DinoLossMetrics>(
    copied: () => Record<I, ArrayInput>,
    run: (tensors: Record<I, Tensor>) => R,
  ): Promise<DinoLossValues & Record<Exclude<keyof R, keyof DinoLossMetrics>, Float32Array>> {
    const inputs = copied();
    const all = await this.#state.inTurn((gpu) =>
      withArrays<I, string>(
        gpu,
        inputs,
        (t) => run(t) as unknown as Record<string, Tensor>,
        this.center,
      )
    );
    const { loss: _, batchMean: __, metrics, pairLoss, center, ...rest } = all;
    return { ...lossValues({ metrics, pairLoss, center }), ...rest } as never;
  }
}
