/**
 * The model of a step.
 *
 * @module
 */
import { DinoModel } from "../lib/model.ts";
import type { StepJobShape } from "./jobs.ts";

/** Backbone and head of a step's shape. */
export const modelOf = ({ vit, head }: StepJobShape): DinoModel => new DinoModel(vit, head);
