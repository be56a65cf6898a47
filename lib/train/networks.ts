/**
 * Student and teacher: their weights, and what they make of a micro-batch's crops.
 *
 * @module
 */
import type { Gpu, Scalar, Tensor } from "../gpu.ts";
import { type DinoModel, Parameters, RunningStats } from "../model.ts";
import { readFeatures, type ReadOptions, type Reads } from "../model/reads.ts";
import type { Term } from "./terms/term.ts";

/** How the crops are passed through. */
export interface PassOptions
  extends Pick<ReadOptions, "dropPath" | "mask" | "precision" | "recompute"> {
  /** Those who read what is made. */
  terms: readonly Pick<Term, "patches" | "reads" | "readsOfTeacher">[];
  /** Which micro-batch is under way. */
  microBatch: Scalar;
}

/** One description of a model, and its weights once or twice. */
export class Networks {
  /** What learns. */
  readonly student: Parameters;
  /** What follows, where it is asked. */
  readonly teacher?: Parameters;
  readonly #gpu: Gpu;
  readonly #model: DinoModel;
  /** Statistics of batch norms as the step under way has moved them. */
  readonly #stats: { student?: RunningStats; teacher?: RunningStats };

  /** Allocates the weights. */
  constructor(gpu: Gpu, model: DinoModel, { teacher }: { teacher: boolean }) {
    this.#gpu = gpu;
    this.#model = model;
    this.student = new Parameters(gpu, model.specs(), { grad: true });
    if (teacher) this.teacher = new Parameters(gpu, model.specs());
    this.#stats = {
      student: RunningStats.of(gpu, this.student),
      teacher: this.teacher && RunningStats.of(gpu, this.teacher),
    };
  }

  /** Starts from given weights: the teacher is a copy of the student. */
  load(weights: ReadonlyMap<string, Float32Array>): void {
    this.student.load(weights);
    this.teacher?.load(weights);
  }

  /**
   * Dispatches the forward passes, as far as a term reads them: of the student over all crops, of the teacher over the
   * first ones, the global views.
   */
  forward(
    crops: readonly Tensor[],
    { terms, microBatch, precision, ...ofStudent }: PassOptions,
  ): { student: Reads; teacher?: Reads } {
    const gpu = this.#gpu, stats = this.#stats, { backbone } = this.#model;
    for (const each of Object.values(stats)) each?.begin(microBatch);
    const teacher = this.teacher && readFeatures(gpu, backbone, this.teacher, crops.slice(0, 1), {
      precision,
      features: terms.flatMap(({ readsOfTeacher }) => readsOfTeacher),
      patches: terms.some(({ patches }) => patches?.ofTeacher),
      stats: stats.teacher,
    });
    const student = readFeatures(gpu, backbone, this.student, crops, {
      ...ofStudent,
      precision,
      features: terms.flatMap(({ reads }) => reads),
      patches: terms.some(({ patches }) => patches?.ofStudent),
      stats: stats.student,
    });
    return { student, teacher };
  }

  /** Dispatches what makes the statistics of the step's passes theirs, unless the flag is set. */
  commit(flag: Tensor): void {
    for (const stats of Object.values(this.#stats)) stats?.commit(flag);
  }

  /** Frees everything. */
  destroy(): void {
    const { student, teacher } = this.#stats;
    for (const part of [this.student, this.teacher, student, teacher]) part?.destroy();
  }
}
