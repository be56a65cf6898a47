/**
 * The models of jobs.
 *
 * @module
 */
import { type Backbone, DinoModel, ResNet, VisionTransformer } from "../lib/model.ts";
import type { BackboneShape, StepJobShape } from "./jobs.ts";

/** Backbone and head of a step's shape. */
export const modelOf = ({ vit, head }: StepJobShape): DinoModel => new DinoModel(vit, head);

/** A backbone by itself. */
export const backboneOf = (shape: BackboneShape): Backbone =>
  "vit" in shape ? new VisionTransformer(shape.vit) : new ResNet(shape.resnet);
