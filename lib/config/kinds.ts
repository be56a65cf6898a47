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

/** An integer ≥ 1. */
export const count = z.int().min(1);
/** An integer ≥ 1, or null. */
export const orNull = count.nullable();
/** An integer ≥ 0. */
export const zeroOrMore = z.int().min(0);
/** A number > 0. */
export const positive = z.number().gt(0);
/** A number ≥ 0. */
export const nonNegative = z.number().min(0);
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
