/**
 * Gram anchoring as a term: patches keep the similarities that they had in an earlier teacher.
 *
 * @module
 */
import { emaUpdate } from "../../ema.ts";
import type { Gpu, Scalar, Tensor } from "../../gpu.ts";
import { gram } from "../../loss.ts";
import { type Backbone, type Feature, Parameters } from "../../model.ts";
import { readFeatures } from "../../model/reads.ts";
import { addTo } from "../../ops/reduce.ts";
import type { Term, TermInput } from "./term.ts";

/** Scalars that the term reads. */
export interface GramScalars {
  /** 1 where the anchor holds an earlier teacher, else 0. */
  on: Scalar;
  /** 0, followed by 1: the moving average that is a copy. */
  copy: Scalar;
}

/** Prefix of the anchor's weights among what a run keeps. */
const ANCHOR = "gram_anchor.";

/** The student's patches against the anchor's: see {@linkcode gram}. The anchor is a backbone of its own. */
export class GramTerm implements Term {
  readonly reads: readonly Feature[] = [];
  readonly readsOfTeacher: readonly Feature[] = [];
  readonly patches = { ofStudent: true, ofTeacher: false };
  readonly sums: readonly Tensor[];
  /** [1], without its weight; 0 as long as there is no anchor. */
  readonly loss: Tensor;
  readonly #gpu: Gpu;
  readonly #backbone: Backbone;
  readonly #anchor: Parameters;
  readonly #weight: number;
  readonly #scalars: GramScalars;

  /** Allocates the anchor, which holds nothing yet. */
  constructor(gpu: Gpu, backbone: Backbone, weight: number, scalars: GramScalars) {
    this.#gpu = gpu;
    this.#backbone = backbone;
    this.#weight = weight;
    this.#scalars = scalars;
    this.#anchor = new Parameters(gpu, backbone.specs(), { label: "gram_anchor" });
    this.loss = gpu.persistent([1], "gram");
    this.sums = [this.loss];
  }

  get checked(): Tensor {
    return this.loss;
  }

  get buffers(): ReadonlyMap<string, Tensor> {
    return new Map(this.#anchor.all.map(({ name, data }) => [`${ANCHOR}${name}`, data]));
  }

  /** Makes the teacher of this moment the anchor. */
  refresh(teacher: Parameters): void {
    // The backbone comes first in both layouts.
    emaUpdate(this.#gpu, this.#anchor, teacher, this.#scalars.copy, undefined, 0);
  }

  microStep({ gpu, student, globals, microBatch, precision }: TermInput): void {
    const options = { features: [], patches: true, precision };
    const anchor = readFeatures(gpu, this.#backbone, this.#anchor, [globals], options);
    const { gradTokens } = gram(gpu, student.crops[0].tokens, anchor.crops[0].tokens, {
      prefix: this.#backbone.prefix,
      weight: this.#weight,
      weightAt: this.#scalars.on,
      accumulationSteps: microBatch.accumulationSteps,
      out: this.loss,
      accumulate: microBatch.accumulationSteps > 1,
    });
    student.giveTokens(([{ gradient }]) => addTo(gpu, gradient, gradTokens));
  }

  destroy(): void {
    for (const part of [this.#anchor, this.loss]) part.destroy();
  }
}
