/**
 * What a backbone is made of, as an export needs to know it.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { Backbone } from "../model/backbone.ts";
import { VisionTransformer } from "../model/vit.ts";

/** The shape of a vision transformer. */
export type VitShape = VisionTransformer["config"];

/**
 * The shape of a vision transformer.
 *
 * @throws {HatchlingError} When the backbone is another one.
 */
export function vitShape(backbone: Backbone): VitShape {
  if (backbone instanceof VisionTransformer) return backbone.config;
  throw new HatchlingError(
    `Expected a vision transformer to export but found ${backbone.kind}: this layout has no place for it`,
  );
}

/** Tokens before those of the patches: class token and registers. */
export function prefixTokens({ classToken, registers }: VitShape): number {
  return (classToken ? 1 : 0) + registers;
}

/** What is called a picture's feature elsewhere: the class token, or the mean of the patch tokens where it is that. */
export function pooling({ classToken, fcNorm }: VitShape): "class" | "mean" {
  return classToken && !fcNorm ? "class" : "mean";
}
