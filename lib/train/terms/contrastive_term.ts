/**
 * InfoNCE as a term: beside DINO, or alone.
 *
 * @module
 */
import type { Gpu, Tensor } from "../../gpu.ts";
import { clampLogScale, infoNce } from "../../loss.ts";
import type { ContrastiveHead, Feature, Parameters } from "../../model.ts";
import { type GatheredRows, gatherOverRanks } from "../ranks/gathered.ts";
import type { Term, TermInput } from "./term.ts";

/** Settings of the term. */
export interface ContrastiveOptions {
  /** Factor on loss and gradient; 1 by default. */
  weight?: number;
  /** Temperature τ, where the model has no learned one; 0.1 by default. */
  temperature?: number;
  /** Keys come from the teacher (MoCo v3) instead of the student; false by default. */
  teacherKeys?: boolean;
}

/** What the term leaves of a step, as means over its micro-batches. */
export interface ContrastiveOutputs {
  /** [1], in nats, without its weight. */
  loss: Tensor;
  /** [1], share of the queries whose own picture is the nearest key. */
  accuracy: Tensor;
  /** [G, V], by pair of views; 0 for a view with itself. */
  pairLoss: Tensor;
}

/** What the head makes of a micro-batch. */
interface Projected {
  queries: ReturnType<ContrastiveHead["forward"]>;
  rows: () => GatheredRows[];
}

/** Every view finds its picture among those of the batch: see {@linkcode infoNce}. */
export class ContrastiveTerm implements Term {
  readonly reads: readonly Feature[];
  readonly readsOfTeacher: readonly Feature[];
  readonly sums: readonly Tensor[];
  readonly buffers: ReadonlyMap<string, Tensor> = new Map();
  readonly outputs: ContrastiveOutputs;
  readonly constrain?: (student: Parameters) => void;
  readonly #head: ContrastiveHead;
  readonly #options: Required<ContrastiveOptions>;
  readonly #views: { views: number; globals: number };
  #begun?: Projected;

  /** Allocates sums. */
  constructor(
    gpu: Gpu,
    head: ContrastiveHead,
    views: { views: number; globals: number },
    { weight = 1, temperature = 0.1, teacherKeys = false }: ContrastiveOptions = {},
  ) {
    this.#head = head;
    this.#views = views;
    this.#options = { weight, temperature, teacherKeys };
    this.reads = [head.feature];
    this.readsOfTeacher = teacherKeys ? [head.feature] : [];
    const room = (shape: number[], name: string) => gpu.persistent(shape, name);
    this.outputs = {
      loss: room([1], "contrastive"),
      accuracy: room([1], "contrastive accuracy"),
      pairLoss: room([views.globals, views.views], "contrastive pairs"),
    };
    this.sums = Object.values(this.outputs);
    if (head.learnsTemperature) {
      this.constrain = (student) => clampLogScale(gpu, head.logScale(student)!.data);
    }
  }

  get checked(): Tensor {
    return this.outputs.loss;
  }

  /** Rows go to other ranks before the other terms' work, so that they come meanwhile. */
  begin(input: TermInput): void {
    if (input.ranks) this.#begun = this.#project(input);
  }

  microStep(input: TermInput): void {
    const { gpu, student, studentParams, microBatch, ranks } = input;
    const head = this.#head, { weight, temperature } = this.#options;
    const { queries, rows } = this.#begun ?? this.#project(input), [all, keys] = rows();
    const logScale = head.logScale(studentParams), copies = ranks?.size ?? 1;
    const { gradQueries } = infoNce(gpu, all.all, {
      ...this.#views,
      keys: keys?.all,
      temperature: logScale ? { logScale } : temperature,
      weight,
      accumulationSteps: microBatch.accumulationSteps / copies,
      copies,
      out: this.outputs,
      accumulate: microBatch.accumulationSteps > 1,
    });
    student.give(head.feature, queries.backward(all.own(gradQueries)));
    this.#begun = undefined;
  }

  /** Queries and keys of this rank, and what brings those of all. */
  #project(input: TermInput): Projected {
    const { gpu, student, teacher, studentParams, teacherParams, precision, ranks } = input;
    const head = this.#head, { feature } = head, { views, globals } = this.#views;
    const queries = head.forward(gpu, studentParams, student.feature(feature), { precision });
    const keys = this.#options.teacherKeys
      ? head.forward(gpu, teacherParams!, teacher!.feature(feature), { precision }).y
      : undefined;
    const own = [{ x: queries.y, views }, ...keys ? [{ x: keys, views: globals }] : []];
    const alone = () => own.map(({ x }) => ({ all: x, own: (t: Tensor) => t }));
    return { queries, rows: ranks ? gatherOverRanks(gpu, ranks, own) : alone };
  }

  destroy(): void {
    for (const tensor of this.sums) tensor.destroy();
  }
}
