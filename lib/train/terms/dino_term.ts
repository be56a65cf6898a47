/**
 * DINO's loss as a term, with KoLeo on the same features.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../gpu.ts";
import { DinoLoss, type DinoLossOptions } from "../../loss.ts";
import type { DinoLossMetrics } from "../../loss/result.ts";
import { koleo } from "../../loss/koleo.ts";
import { type LossMicroBatch, packedSums } from "../../loss/sums.ts";
import type { DinoHead, Feature } from "../../model.ts";
import type { Ranks } from "../ranks.ts";
import { type GatheredRows, gatherOverRanks } from "../ranks/gathered.ts";
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
  /** Brings the global views' features of all ranks, among which KoLeo looks for neighbours. */
  #neighbors?: () => GatheredRows[];

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

  begin({ gpu, student, ranks }: TermInput): void {
    const { koleoWeight, nGlobalCrops: globals, nCrops: views } = this.loss.options;
    if (!koleoWeight || !ranks) return;
    const features = student.feature(this.reads[0]), [rows, dim] = features.shape;
    const x = features.view([rows / views * globals, dim]);
    this.#neighbors = gatherOverRanks(gpu, ranks, [{ x, views: globals }]);
  }

  microStep(input: TermInput): void {
    const { gpu, student, teacher, studentParams, teacherParams, precision } = input;
    const [word] = this.reads;
    const ofTeacher = this.#head.bottleneck(gpu, teacherParams!, teacher!.feature(word), {
      precision,
    });
    const features = student.feature(word);
    const ofStudent = this.#head.bottleneck(gpu, studentParams, features, { precision });
    const [s, t] = [ofStudent, ofTeacher].map(({ y, lastLayer }) => ({ bottleneck: y, lastLayer }));
    const { microBatch: { accumulationSteps }, ranks } = input;
    const sums = { sums: this.#sums, accumulationSteps };
    const gradBottleneck = this.loss.forwardMicroBatch(s, t, sums);
    const grad = this.#koleo(gpu, features, ranks, sums);
    student.give(word, ofStudent.backward(gradBottleneck));
    if (grad) student.give(word, grad);
  }

  /** KoLeo, where it is on: the gradient of the global views' features of this rank. */
  #koleo(gpu: Gpu, features: Tensor, ranks: Ranks | undefined, sums: LossMicroBatch) {
    if (!ranks || !this.#neighbors) return this.loss.koleo(features, sums)?.gradFeatures;
    const { koleoWeight, nGlobalCrops: groups } = this.loss.options, copies = ranks.size;
    const [{ all, own }] = this.#neighbors();
    const weight = koleoWeight * copies / sums.accumulationSteps;
    const out = this.#sums.koleo;
    return own(koleo(gpu, all, { groups, weight, copies, out, accumulate: true }).gradFeatures);
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
