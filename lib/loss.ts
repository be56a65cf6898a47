/**
 * The DINO loss (Caron et al. 2021, arXiv:2104.14294, section 3.1): a student sees every crop, a teacher
 * the global ones, and cross-entropy makes them agree across views.
 *
 * @module
 */
import centerCode from "../kernels/dino_center.wgsl" with { type: "text" };
import finishCode from "../kernels/dino_finish.wgsl" with { type: "text" };
import meanCode from "../kernels/dino_mean_teacher.wgsl" with { type: "text" };
import studentCode from "../kernels/dino_student.wgsl" with { type: "text" };
import teacherCode from "../kernels/dino_teacher.wgsl" with { type: "text" };
import { HatchlingError } from "./errors.ts";
import { defineKernel, type Gpu, grid, type Tensor } from "./gpu/mod.ts";
import { rowSum } from "./ops/reduce.ts";
import { rowLaunch } from "./ops/row_launch.ts";

const DINO_TEACHER = defineKernel("dino_teacher", teacherCode);
const DINO_STUDENT = defineKernel("dino_student", studentCode);
const DINO_MEAN_TEACHER = defineKernel("dino_mean_teacher", meanCode);
const DINO_FINISH = defineKernel("dino_finish", finishCode);
const DINO_CENTER = defineKernel("dino_center", centerCode);

/** Settings of {@linkcode DinoLoss}. */
export interface DinoLossOptions {
  /** Output dimensions K of the head, at least 2. */
  outDim: number;
  /** Views per image, global ones included. */
  nCrops: number;
  /** Global views per image, which the teacher sees; 2 by default. */
  nGlobalCrops?: number;
  /** Student temperature τs; 0.1 by default. */
  studentTemp?: number;
  /** Teacher temperature τt, the sharper one; 0.04 by default. */
  teacherTemp?: number;
  /** Momentum of the centre, in [0, 1); 0.9 by default. */
  centerMomentum?: number;
}

/** Where kernels find the temperatures: a tensor that the host rewrites, and their indices in it. */
export interface TemperatureSource {
  /** The tensor of step scalars. */
  scalars: Tensor;
  /** Index of the student temperature. */
  studentTemp: number;
  /** Index of the teacher temperature. */
  teacherTemp: number;
}

/** What {@linkcode DinoLoss.forward} returns. */
export interface DinoLossResult {
  /**
   * [4], in nats: the loss; mean teacher entropy; entropy of the mean teacher distribution; mean
   * KL(teacher ‖ student) over the pairs.
   */
  metrics: Tensor;
  /** [V·B, K], the gradient of the loss with respect to the student's logits. */
  gradStudent: Tensor;
  /** [G, V], cross-entropy per pair of views, mean over the batch; 0 for a view with itself. */
  pairLoss: Tensor;
}

/**
 * L = 1 / (G (V − 1)) Σ_{g} Σ_{v ≠ g} −Σ_k q_g log softmax(s_v / τs), q_g = softmax((t_g − c) / τt), mean
 * over the batch. Rows are view-major: all B samples of view 0, then of view 1, …; global views first.
 *
 * The centre c is the moving average, per dimension, of the raw teacher logits over all rows; the loss
 * uses the centre from before the update. The teacher gets no gradient.
 *
 * @example
 * ```ts
 * import { openGpu } from "./gpu/mod.ts";
 * import { DinoLoss } from "./loss.ts";
 *
 * const gpu = await openGpu();
 * const loss = new DinoLoss(gpu, { outDim: 3, nCrops: 2 });
 * const logits = gpu.tensor(new Float32Array(2 * 1 * 3), [2, 3]); // two views of one image, all equal
 * const { metrics, gradStudent } = gpu.scope(() => loss.forward(logits, logits));
 * console.log((await metrics.read())[0]); // ln 3
 * for (const t of [logits, metrics, gradStudent, loss]) t.destroy();
 * gpu.destroy();
 * ```
 */
export class DinoLoss {
  /** The settings with defaults filled in. */
  readonly options: Required<DinoLossOptions>;
  /** The centre [K], zeros at first. */
  readonly center: Tensor;
  readonly #gpu: Gpu;
  readonly #temperatures: TemperatureSource;
  readonly #own: Tensor | undefined;

  /**
   * A loss with its centre at zero.
   *
   * @param temperatures Where recorded steps keep their temperatures; by default the loss holds its own.
   * @throws {HatchlingError} Naming the setting that is out of range.
   */
  constructor(gpu: Gpu, options: DinoLossOptions, temperatures?: TemperatureSource) {
    this.#gpu = gpu;
    this.options = {
      nGlobalCrops: 2,
      studentTemp: 0.1,
      teacherTemp: 0.04,
      centerMomentum: 0.9,
      ...options,
    };
    checkOptions(this.options);
    this.center = gpu.persistent([this.options.outDim], "center");
    if (!temperatures) this.#own = gpu.persistent([4], "temperatures");
    this.#temperatures = temperatures ?? { scalars: this.#own!, studentTemp: 0, teacherTemp: 1 };
    if (this.#own) this.setTemperatures(this.options.studentTemp, this.options.teacherTemp);
  }

  /** Sets both temperatures, unless the loss reads them from step scalars. */
  setTemperatures(studentTemp: number, teacherTemp: number): void {
    checkOptions({ ...this.options, studentTemp, teacherTemp });
    if (!this.#own) {
      throw new HatchlingError(
        "Expected a loss with its own temperatures but it reads step scalars: set them there",
      );
    }
    this.#own.write(new Float32Array([studentTemp, teacherTemp, 0, 0]));
  }

  /**
   * The loss and its gradient; the centre stays as it is.
   *
   * @param student Logits [V·B, K].
   * @param teacher Logits [G·B, K].
   * @throws {HatchlingError} When the shapes do not fit the numbers of views.
   */
  forward(student: Tensor, teacher: Tensor): DinoLossResult {
    const { outDim: dim, nCrops: views, nGlobalCrops: globals } = this.options;
    const gpu = this.#gpu;
    const batch = this.#batch(student, teacher);
    const { scalars, studentTemp, teacherTemp } = this.#temperatures;
    const stats = gpu.empty([globals * batch, 2], "teacher_stats");
    const entropy = gpu.empty([globals, batch], "teacher_entropy");
    gpu.dispatch(DINO_TEACHER, {
      ...rowLaunch(gpu, globals * batch, dim),
      tensors: [teacher, this.center, scalars, stats, entropy],
      u32: [globals * batch, dim, teacherTemp],
      flops: 8 * teacher.size,
    });
    const gradStudent = gpu.empty(student.shape, "grad_student");
    const pair = gpu.empty([globals * views, batch], "pair");
    gpu.dispatch(DINO_STUDENT, {
      ...rowLaunch(gpu, views * batch, dim),
      tensors: [student, teacher, this.center, stats, scalars, gradStudent, pair],
      u32: [views * batch, dim, batch, globals, views, studentTemp, teacherTemp],
      flops: (8 + 10 * globals) * student.size,
    });
    const share = gpu.empty([1, dim], "mean_teacher");
    gpu.dispatch(DINO_MEAN_TEACHER, {
      tensors: [teacher, this.center, stats, scalars, share],
      u32: [globals * batch, dim, teacherTemp],
      workgroups: grid(dim, 64),
      flops: 4 * teacher.size,
    });
    const metrics = gpu.empty([4], "metrics");
    const pairLoss = rowSum(gpu, pair, 1 / batch).view([globals, views]);
    gpu.dispatch(DINO_FINISH, {
      tensors: [pairLoss, rowSum(gpu, entropy, 1 / batch), rowSum(gpu, share), metrics],
      u32: [globals, views],
      workgroups: [1],
    });
    return { metrics, gradStudent, pairLoss };
  }

  /**
   * c ← m · c + (1 − m) · mean over the rows of `teacher` (eq. 4), unless `flag` is set.
   *
   * @param flag The step's non-finite flag; none for eager use.
   */
  updateCenter(teacher: Tensor, flag: Tensor = this.#gpu.dummy()): void {
    const { outDim: dim, centerMomentum } = this.options;
    this.#gpu.dispatch(DINO_CENTER, {
      tensors: [teacher, flag, this.center],
      u32: [teacher.size / dim, dim],
      f32: [centerMomentum, 1 - centerMomentum],
      workgroups: grid(dim, 64),
      flops: teacher.size,
    });
  }

  /** Frees the centre. */
  destroy(): void {
    this.center.destroy();
    this.#own?.destroy();
  }

  #batch(student: Tensor, teacher: Tensor): number {
    const { outDim, nCrops, nGlobalCrops } = this.options;
    const batch = student.size / outDim / nCrops;
    const fits = student.shape.at(-1) === outDim && teacher.shape.at(-1) === outDim &&
      Number.isInteger(batch) &&
      teacher.size === nGlobalCrops * batch * outDim;
    if (!fits) {
      throw new HatchlingError(
        `DinoLoss: expected student [${nCrops}·B, ${outDim}] and teacher [${nGlobalCrops}·B, ${outDim}] ` +
          `but found ${student} and ${teacher}`,
      );
    }
    return batch;
  }
}

function checkOptions(o: Required<DinoLossOptions>): void {
  const expect = (ok: boolean, key: keyof DinoLossOptions, what: string) => {
    if (!ok) throw new HatchlingError(`DinoLoss: expected ${key} ${what} but found ${o[key]}`);
  };
  expect(Number.isInteger(o.outDim) && o.outDim >= 2, "outDim", "to be whole and at least 2");
  expect(
    Number.isInteger(o.nGlobalCrops) && o.nGlobalCrops >= 1,
    "nGlobalCrops",
    "to be whole and at least 1",
  );
  expect(
    Number.isInteger(o.nCrops) && o.nCrops >= Math.max(2, o.nGlobalCrops),
    "nCrops",
    `to be whole and at least ${Math.max(2, o.nGlobalCrops)}, since it counts the global views`,
  );
  expect(o.studentTemp > 0 && o.studentTemp < Infinity, "studentTemp", "above 0");
  expect(o.teacherTemp > 0 && o.teacherTemp < Infinity, "teacherTemp", "above 0");
  expect(o.centerMomentum >= 0 && o.centerMomentum < 1, "centerMomentum", "in [0, 1)");
}
