/**
 * What a layout is: names, shapes and files that other software expects.
 *
 * @module
 */
import { HatchlingError } from "../../errors.ts";
import { type NameTable, theirNames } from "../../io/names/pairs.ts";
import { many } from "../../words.ts";

/** Float32 values of some shape. */
export interface Values {
  shape: readonly number[];
  data: Float32Array;
}

/** Parameters by name. */
export type Tensors = Map<string, Values>;

/** A model in a layout. */
export interface Layout {
  /** What it is there: a class, a model with its arguments. */
  model: string;
  /** Lines of Python that load it; `FOLDER` stands for the place of the files. */
  load: string;
  /** Its tensors. */
  tensors: Tensors;
  /** Names of whole numbers that are 0: how many batches a batch norm has seen. */
  counters?: readonly string[];
  /** The config.json beside it, where there is one. */
  config?: Record<string, unknown>;
  /** What one should know, in sentences. */
  notes: string[];
}

/**
 * Renames parameters, and cuts those that are stored in parts.
 *
 * @throws {HatchlingError} When a part that the layout does not store is not zero.
 */
export function rename(tensors: Tensors, table: NameTable, layout: string): Tensors {
  const out: Tensors = new Map();
  for (const [name, { shape, data }] of tensors) {
    const names = theirNames(table, name);
    const size = data.length / names.length;
    names.forEach((their, i) => {
      const part = names.length > 1 ? data.subarray(i * size, (i + 1) * size) : data;
      if (their) {
        out.set(their, { shape: [shape[0] / names.length, ...shape.slice(1)], data: part });
      } else if (part.some((x) => x !== 0)) refuse(layout, `a bias of the keys (${name})`);
    });
  }
  return out;
}

/**
 * Says that a layout has no place for a part of the model.
 *
 * @throws {HatchlingError} Always.
 */
export function refuse(layout: string, part: string): never {
  throw new HatchlingError(
    `Expected a model that ${layout} can hold but found one with ${part}: take another --names, or --to onnx`,
  );
}

/** Ones for the scales of every block that has none: what they scale stays the same. */
export function withScales(tensors: Tensors, depth: number, dim: number): Tensors {
  const out = new Map(tensors);
  for (let i = 0; i < depth; i++) {
    for (const which of ["ls1", "ls2"]) {
      const name = `blocks.${i}.${which}.gamma`;
      if (!out.has(name)) out.set(name, { shape: [dim], data: new Float32Array(dim).fill(1) });
    }
  }
  return out;
}

/** The mask token in a shape, zeros where the model has none. */
export function withMaskToken(tensors: Tensors, shape: readonly number[]): Tensors {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = tensors.get("mask_token")?.data ?? new Float32Array(size);
  return new Map([...tensors, ["mask_token", { shape, data }]]);
}

/** Without the mask token, which is for training. */
export function withoutMaskToken(tensors: Tensors): Tensors {
  return new Map([...tensors].filter(([name]) => name !== "mask_token"));
}

/** The ratio that Python's `int(dim * ratio)` makes `hidden` of. */
export function ratioFor(hidden: number, dim: number): number {
  const ratio = hidden / dim;
  return Math.trunc(dim * ratio) === hidden ? ratio : (hidden + 0.5) / dim;
}

/** "4 registers", "1 register". */
export function registersIn(count: number): string {
  return many(count, "register");
}
