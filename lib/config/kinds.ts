/**
 * What the tables of keys are made of: JSON Schema with a few words of its own, and the types that follow from it.
 *
 * @module
 */

/** The part of JSON Schema that the keys use. */
export interface Json {
  readonly type?: "string" | "integer" | "number" | "boolean" | "array" | "null";
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Json[];
  readonly items?: Json;
  readonly prefixItems?: readonly Json[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** What a key accepts. */
export interface Kind extends Json {
  /** Null is a value too. */
  readonly nullable?: true;
  /** What may be written as well, and is worked out: a whole configuration never holds it. */
  readonly also?: Json;
  /** Says how a null is worked out. */
  readonly derived?: string;
  /** What a null stands for: the value of the key at this path, or this number. */
  readonly inherits?: string | number;
}

/**
 * Keys by name: what each accepts, what stands for it when it is left out, its documentation, and other names by which
 * people know it, with spaces between: an unknown key of that name is pointed here.
 */
export type Keys = Readonly<
  Record<string, readonly [kind: Kind, fallback: unknown, description: string, aka?: string]>
>;

/** The type of what a kind accepts, but for what is worked out. */
export type ValueOf<K> =
  | (K extends { readonly nullable: true } ? null : never)
  | (K extends { readonly enum: readonly (infer V)[] } ? V
    : K extends { readonly const: infer V } ? V
    : K extends { readonly type: "null" } ? null
    : K extends { readonly type: "boolean" } ? boolean
    : K extends { readonly type: "string" } ? string
    : K extends { readonly prefixItems: readonly [unknown, unknown] } ? readonly [number, number]
    : K extends { readonly type: "array" } ? readonly number[]
    : number);

/** The values of a table of keys. */
export type ValuesOf<T> = {
  readonly [K in keyof T]: T[K] extends readonly [infer A, ...unknown[]] ? ValueOf<A> : never;
};

/** The same as a file may write them, nothing worked out. */
export type WrittenOf<T> = {
  readonly [K in keyof T]:
    | ValuesOf<T>[K]
    | (T[K] extends readonly [{ readonly also: infer A }, ...unknown[]] ? ValueOf<A> : never);
};

/** The most that a number may be that has no other limit: a GPU's float32 holds hardly more. */
export const LARGEST = 1e38;

/** An integer ≥ 0. */
export const ZERO_OR_MORE = { type: "integer", minimum: 0, maximum: 9007199254740991 } as const;
/** An integer ≥ 1: how often, after how many, of how many. With a `maximum` it is a size, or a loop that has to end. */
export const COUNT = { ...ZERO_OR_MORE, minimum: 1 } as const;
/** An integer ≥ 1, or null. */
export const COUNT_OR_NULL = { ...COUNT, nullable: true } as const;
/** A number ≥ 0. */
export const NON_NEGATIVE = { type: "number", minimum: 0, maximum: LARGEST } as const;
/** A number > 0. */
export const POSITIVE = {
  type: "number",
  exclusiveMinimum: 0,
  maximum: LARGEST,
} as const;
/** A number from 0 to 1. */
export const FRACTION = { type: "number", minimum: 0, maximum: 1 } as const;
/** A number ≥ 0 and < 1. */
export const BELOW_ONE = { type: "number", minimum: 0, exclusiveMaximum: 1 } as const;
/** A text that is not empty. */
export const TEXT = { type: "string" } as const;
/** A text, or null. */
export const TEXT_OR_NULL = { ...TEXT, nullable: true } as const;
/** True or false. */
export const BOOLEAN = { type: "boolean" } as const;
/** No value. */
export const NULL = { type: "null" } as const;

/** Epochs: with any number of pictures, their steps are then counted exactly. */
export const EPOCHS = { ...ZERO_OR_MORE, maximum: 1e6 } as const;
/** Channels of a picture, or numbers for each of them. */
export const MOST_CHANNELS = 1024;
/** Side of a view, and of a patch, in pixels. */
export const SIDE = { ...COUNT, maximum: 4096 } as const;
/** Pictures that go through the network at once: as many workgroups as WebGPU starts along a dimension. */
export const PICTURES = { ...COUNT, maximum: 65535 } as const;

/** Prototypes: 64 times DINO's. */
export const PROTOTYPES = { ...COUNT, maximum: 4194304 } as const;
