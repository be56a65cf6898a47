/**
 * Where the values of a parameter lie in a file: one tensor, several one after the other, or zeros among them.
 *
 * @module
 */
import type { Network } from "./networks.ts";
import { theirNames } from "./pairs.ts";

/** Values that follow one another: all of a tensor, or so many zeros. */
export type Values = { readonly tensor: string } | { readonly zeros: number };

/** A grid of positions that is not the model's. */
export interface Resizing {
  /** Entries before the grid, which are kept: the class token's. */
  readonly before: number;
  /** Positions down and across in the file. */
  readonly from: number;
  /** Positions down and across in the model. */
  readonly to: number;
}

/** Where a parameter comes from. */
export interface Source {
  /** Its values in order, by the names in the file. */
  readonly values: readonly Values[];
  /** What they make up together. */
  readonly shape: readonly number[];
  /** Values from one index to another that are 0 whatever the file says: the bias of a key that is masked. */
  readonly masked?: readonly [from: number, to: number];
  /** Position embeddings: between which grids they are to be resampled, behind the class token's entry. */
  readonly resize?: Resizing;
}

/** A tensor with its shape. */
interface Shaped {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * Where a parameter comes from.
 *
 * @returns undefined where the network does not have it.
 */
export function sourceOf<T extends Shaped>(network: Network<T>, ours: string): Source | undefined {
  const { layout: { table }, tensors } = network;
  const names = isOfHead(ours) ? [ours] : theirNames(table, ours);
  const parts = names.map((name) => name ? tensors.get(name) : undefined);
  const first = parts[0];
  if (!first || names.some((name, i) => name && !parts[i])) return;
  const values = parts.map((part) => part ? { tensor: part.name } : { zeros: sizeOf(first.shape) });
  const shapes = parts.map((part) => (part ?? first).shape);
  if (shapes.length === 1) {
    const [shape] = shapes, dim = shape[0] / 3;
    const isMasked = tensors.has(`${ours}_mask`) && ours.endsWith("qkv.bias");
    return { values, shape, ...isMasked && { masked: [dim, 2 * dim] as const } };
  }
  const [[, ...rest]] = shapes;
  const alike = shapes.every(([, ...other]) => other.join() === rest.join());
  const rows = shapes.reduce((sum, [first]) => sum + first, 0);
  return { values, shape: alike ? [rows, ...rest] : shapes.flat() };
}

const isOfHead = (name: string) => /^(\w+_)?head\./.test(name);

/** Elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Whether shapes are the same but for sides of 1: a mask token is [1, D] here and [1, 1, D] elsewhere. */
export function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  const sides = (shape: readonly number[]) => shape.filter((side) => side !== 1).join();
  return sides(a) === sides(b) && sizeOf(a) === sizeOf(b);
}

/** Positions down and across of a square grid of so many; undefined where it is none. */
export function gridOf(positions: number): number | undefined {
  const grid = Math.round(Math.sqrt(positions));
  return grid > 0 && grid * grid === positions ? grid : undefined;
}

/**
 * A position embedding as the model needs it, [1, N, D]: with zeros where the model has an entry for the class token
 * and the file has none (its class token holds it already), and of another grid where that may be resampled.
 *
 * @returns undefined where it cannot be made of what the file holds.
 */
export function positionsFor(source: Source, expected: readonly number[]): Source | undefined {
  const [one, positions, dim] = source.shape, [, wanted, width] = expected;
  if (source.shape.length !== 3 || expected.length !== 3 || one !== 1 || dim !== width) return;
  const bare = gridOf(positions), grid = bare ?? gridOf(positions - 1);
  const to = gridOf(wanted) ?? gridOf(wanted - 1);
  if (grid === undefined || to === undefined) return;
  const wantsClass = gridOf(wanted) === undefined;
  if (!wantsClass && bare === undefined) return;
  const values = wantsClass && bare !== undefined
    ? [{ zeros: dim }, ...source.values]
    : source.values;
  return {
    values,
    shape: expected,
    ...grid !== to && { resize: { before: +wantsClass, from: grid, to } },
  };
}
