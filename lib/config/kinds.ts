/**
 * What the schema is made of: a key with its words, and the kinds of values.
 *
 * @module
 */

import { z } from "./deps.ts";

/** What a key says about itself beyond its type and default. */
export interface KeyMeta {
  /** Other names by which people know the key: an unknown key of that name is pointed here. */
  aka?: readonly string[];
  /** Says how a null is worked out; the resolved configuration then never holds null. */
  derived?: string;
  /** TypeScript type of the resolved value where it isn't that of the input. */
  resolved?: string;
  /** What a null stands for: the value of the key at this path, or this number. */
  inherits?: string | number;
}

/** A key: what it accepts, what stands for it when it is left out, and its documentation. */
export function key<T extends z.ZodType>(
  schema: T,
  fallback: z.output<T>,
  description: string,
  meta: KeyMeta = {},
): z.ZodDefault<T> {
  return schema.default(fallback as never).meta({ description, ...meta });
}

/** The most that a number may be that has no other limit: a GPU's float32 holds hardly more. */
export const LARGEST = 1e38;

/** An integer ≥ 1: how often, after how many, of how many. */
export const count = z.int().min(1);
/** An integer ≥ 1, or null. */
export const orNull = count.nullable();
/** An integer ≥ 0. */
export const zeroOrMore = z.int().min(0);
/** An integer from 1 to `most`: a size for which something is allocated, or a loop that has to end. */
export const countTo = (most: number): z.ZodInt => z.int().min(1).max(most);
/** A number > 0. */
export const positive = z.number().gt(0).max(LARGEST);
/** A number ≥ 0. */
export const nonNegative = z.number().min(0).max(LARGEST);
/** A number from 0 to 1. */
export const fraction = z.number().min(0).max(1);
/** A number > 0 and ≤ 1. */
export const area = z.number().gt(0).max(1);
/** A number ≥ 0 and < 1. */
export const belowOne = z.number().min(0).lt(1);
/** A text that is not empty. */
export const text = z.string().min(1);
/** A number from 0 to `most`. */
export const upTo = (most: number): z.ZodNumber => z.number().min(0).max(most);

/** Epochs: with any number of pictures, their steps are then counted exactly. */
export const MOST_EPOCHS = 1e6;
/** Channels of a picture. */
export const MOST_CHANNELS = 1024;
/** Side of a view, and of a patch, in pixels. */
export const MOST_SIDE = 4096;
/** Pictures that go through the network at once: as many workgroups as WebGPU starts along a dimension. */
export const MOST_PICTURES = 65535;
