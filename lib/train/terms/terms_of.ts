/**
 * From a model's heads and a trainer's settings to the terms of its objective.
 *
 * @module
 */
import type { Gpu, Scalar } from "../../gpu.ts";
import type { DinoModel } from "../../model.ts";
import type { TrainerOptions } from "../options.ts";
import { ContrastiveTerm } from "./contrastive_term.ts";
import { DinoTerm } from "./dino_term.ts";
import { GramTerm } from "./gram_term.ts";
import { IbotTerm } from "./ibot_term.ts";
import type { Term } from "./term.ts";

/** The terms of a step, by name where they leave something to be read, and all in their order. */
export interface Terms {
  /** DINO's loss. */
  dino?: DinoTerm;
  /** Masked patches. */
  ibot?: IbotTerm;
  /** InfoNCE. */
  contrastive?: ContrastiveTerm;
  /** Similarities of patches. */
  gram?: GramTerm;
  /** Those that there are; the first one's features are what the step trains. */
  all: readonly Term[];
}

/** What terms take from the trainer. */
export interface TermContext {
  /** Views of a picture, and those of them that are global. */
  views: { views: number; globals: number };
  /** Where the step's scalars are. */
  at(name: "studentTemp" | "teacherTemp" | "gramOn" | "copy"): Scalar;
}

/**
 * Allocates the terms: one for each head of the model, and Gram anchoring where it is asked for.
 *
 * @throws {HatchlingError} When a setting of a loss is out of range.
 */
export function termsOf(
  gpu: Gpu,
  { head, feature, contrastive, patchHead, backbone }: DinoModel,
  options: TrainerOptions,
  { views, at }: TermContext,
): Terms {
  const temperaturesAt = { student: at("studentTemp"), teacher: at("teacherTemp") };
  const found = {
    dino: head && new DinoTerm(gpu, head, feature, {
      ...options.loss,
      outDim: head.config.outDim,
      studentTemp: undefined,
      temperaturesAt,
    }),
    ibot: patchHead && new IbotTerm(gpu, patchHead, {
      ...options.ibot,
      outDim: patchHead.config.outDim,
      temperaturesAt,
    }),
    contrastive: contrastive && new ContrastiveTerm(gpu, contrastive, views, options.contrastive),
    gram: options.gram &&
      new GramTerm(gpu, backbone, options.gram.weight, { on: at("gramOn"), copy: at("copy") }),
  };
  const all: readonly (Term | undefined)[] = Object.values(found);
  return { ...found, all: all.filter((term) => term !== undefined) };
}
