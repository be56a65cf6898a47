/**
 * What a pickle becomes here: plain data, references to tensors, and what is not looked into.
 *
 * @module
 */
import type { Dtype } from "../dtype.ts";

/** Anything that a pickle holds. Numbers of more than 64 bits, bytes and sets are inert, too. */
export type Value =
  | null
  | boolean
  | number
  | string
  | Value[]
  | Tuple
  | Dict
  | Global
  | Inert
  | StorageRef
  | TensorRef;

/** A dict, whatever its class; what it holds is in the order of the file. */
export type Dict = Map<Value, Value>;

/** A tuple. */
export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** The name of a class or function. Nothing is ever imported or called by it. */
export class Global {
  constructor(readonly name: string) {}
}

/** Something whose contents are of no use here: it is there, and stays closed. */
export class Inert {
  /** Attributes of an `argparse.Namespace`, which tell how a model was trained; only its texts are ever used. */
  attributes?: Dict;
  constructor(readonly what: string) {}
}

/** How the elements of a storage are kept. */
export interface StorageType {
  /** PyTorch's name, e.g. "FloatStorage" or "complex64". */
  name: string;
  /** Bytes per element. */
  size: number;
  /** The type as it is called here; none for those that are not read: complex and quantised numbers, float8. */
  dtype?: Dtype;
}

/** Memory that tensors lie in, by its key in the file. */
export interface StorageParts {
  /** How its elements are kept. */
  type: StorageType;
  /** Its name in the file. */
  key: string;
  /** Elements of the whole storage. */
  length: number;
  /** Elements before the part that this is, in old files. */
  offset: number;
  /** Elements of that part. */
  count: number;
}

/** A reference to a storage. */
export class StorageRef implements StorageParts {
  readonly type: StorageType;
  readonly key: string;
  readonly length: number;
  readonly offset: number;
  readonly count: number;
  constructor({ type, key, length, offset, count }: StorageParts) {
    [this.type, this.key] = [type, key];
    [this.length, this.offset, this.count] = [length, offset, count];
  }
}

/** A tensor: how it lies in a storage. */
export class TensorRef {
  constructor(
    /** Where its values are. */
    readonly storage: StorageRef,
    /** How they are kept. */
    readonly type: StorageType,
    /** Elements of `type` before the first one. */
    readonly offset: number,
    /** Sizes, outermost first. */
    readonly shape: readonly number[],
    /** Elements from one index to the next, per dimension. */
    readonly strides: readonly number[],
  ) {}
}
