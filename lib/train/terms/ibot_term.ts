/**
 * iBOT as a term: patches that the student does not see.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../gpu.ts";
import { IbotLoss, type IbotLossMetrics, type IbotLossOptions } from "../../loss.ts";
import { packedIbotSums } from "../../loss/ibot/sums.ts";
import type { DinoHead, Feature } from "../../model.ts";
import { gatherRows, scatterRows } from "../../ops.ts";
import type { Term, TermInput } from "./term.ts";

/** What the student makes of masked patches against what the teacher, which sees them, does: see {@linkcode IbotLoss}. */
export class IbotTerm implements Term {
  /** The loss and its centre. */
  readonly loss: IbotLoss;
  readonly reads: readonly Feature[] = [];
  readonly readsOfTeacher: readonly Feature[] = [];
  readonly patches = { ofStudent: true, ofTeacher: true };
  readonly sums: readonly Tensor[];
  readonly #head: DinoHead;
  readonly #sums: ReturnType<typeof packedIbotSums>;
  #metrics?: IbotLossMetrics;

  /** Allocates centre and sums. */
  constructor(gpu: Gpu, head: DinoHead, options: IbotLossOptions) {
    this.loss = new IbotLoss({ ...options, gpu });
    this.#sums = packedIbotSums(gpu, this.loss.options.outDim);
    this.sums = [this.#sums.all];
    this.#head = head;
  }

  get checked(): Tensor {
    return this.#sums.rows;
  }

  get buffers(): ReadonlyMap<string, Tensor> {
    return new Map([["ibot_center", this.loss.center]]);
  }

  microStep(input: TermInput): void {
    const { gpu, student, teacher, studentParams, teacherParams, masks, microBatch } = input;
    const { rows, weights } = masks!, { precision } = input;
    const [s, t] = [student, teacher!].map(({ crops: [globals] }) =>
      gatherRows(gpu, globals.tokens, rows)
    );
    const ofTeacher = this.#head.bottleneck(gpu, teacherParams!, t, { precision });
    const ofStudent = this.#head.bottleneck(gpu, studentParams, s, { precision });
    const [a, b] = [ofStudent, ofTeacher].map(({ y, lastLayer }) => ({ bottleneck: y, lastLayer }));
    const { accumulationSteps } = microBatch;
    const sums = { sums: this.#sums, accumulationSteps };
    const gradient = ofStudent.backward(this.loss.forwardMicroBatch(a, b, weights, sums));
    student.giveTokens(([globals]) => scatterRows(gpu, gradient, rows, globals.gradient));
  }

  /** What the micro-batches' sums say of the step. */
  finish(): IbotLossMetrics {
    return this.#metrics = this.loss.finish(this.#sums);
  }

  update(flag: Tensor): void {
    this.loss.updateCenter(this.#metrics!, flag);
  }

  destroy(): void {
    this.loss.destroy();
    this.#sums.all.destroy();
  }
}
