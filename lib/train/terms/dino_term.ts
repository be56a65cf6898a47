/**
 * DINO's loss as a term, with KoLeo on the same features.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../gpu.ts";
import { DinoLoss, type DinoLossOptions } from "../../loss.ts";
import type { DinoLossMetrics } from "../../loss/result.ts";
import { packedSums } from "../../loss/sums.ts";
import type { DinoHead, Feature } from "../../model.ts";
import type { Term, TermInput } from "./term.ts";

/** Student against teacher through prototypes: see {@linkcode DinoLoss}. */
export class DinoTerm implements Term {
  /** The loss and its centre. */
  readonly loss: DinoLoss;
  readonly reads: readonly Feature[];
  readonly readsOfTeacher: readonly Feature[];
  readonly sums: readonly Tensor[];
  readonly #head: DinoHead;
  readonly #sums: ReturnType<typeof packedSums>;
  #metrics?: DinoLossMetrics;

  /** Allocates centre and sums. */
  constructor(gpu: Gpu, head: DinoHead, feature: Feature, options: DinoLossOptions) {
    this.loss = new DinoLoss({ ...options, gpu });
    this.reads = this.readsOfTeacher = [feature];
    const { nCrops: views, nGlobalCrops: globals, outDim } = this.loss.options;
    this.#sums = packedSums(gpu, { globals, views, outDim });
    this.sums = [this.#sums.all];
    this.#head = head;
  }

  get checked(): Tensor {
    return this.#sums.pairLoss;
  }

  get buffers(): ReadonlyMap<string, Tensor> {
    return new Map([["center", this.loss.center]]);
  }

  microStep(input: TermInput): void {
    const { gpu, student, teacher, studentParams, teacherParams, microBatch, precision } = input;
    const [word] = this.reads;
    const ofTeacher = this.#head.bottleneck(gpu, teacherParams!, teacher!.feature(word), {
      precision,
    });
    const features = student.feature(word);
    const ofStudent = this.#head.bottleneck(gpu, studentParams, features, { precision });
    const [s, t] = [ofStudent, ofTeacher].map(({ y, lastLayer }) => ({ bottleneck: y, lastLayer }));
    const sums = { sums: this.#sums, accumulationSteps: microBatch.accumulationSteps };
    const gradBottleneck = this.loss.forwardMicroBatch(s, t, sums);
    const koleo = this.loss.koleo(features, sums);
    student.give(word, ofStudent.backward(gradBottleneck));
    if (koleo) student.give(word, koleo.gradFeatures);
  }

  /** What the micro-batches' sums say of the step. */
  finish(): DinoLossMetrics & { koleo?: Tensor } {
    this.#metrics = this.loss.finish(this.#sums);
    return {
      ...this.#metrics,
      koleo: this.loss.options.koleoWeight ? this.#sums.koleo : undefined,
    };
  }

  update(flag: Tensor): void {
    this.loss.updateCenter(this.#metrics!, flag);
  }

  destroy(): void {
    this.loss.destroy();
    this.#sums.all.destroy();
  }
}
