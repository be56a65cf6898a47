/**
 * Tensors as they lie in their storages: any offset and strides, shared with others or not.
 *
 * @module
 */
import { DTYPES, type RawData, viewOf } from "../dtype.ts";
import { StorageRef, type StorageType, TensorRef, Tuple, type Value } from "./values.ts";
import type { Fail } from "./zip.ts";

/** Dimensions that PyTorch has. */
const MAX_DIMENSIONS = 64;

/** A tensor may repeat what is stored (`expand`), up to so many values. */
const REPEATED = 1 << 20;

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

function counts(value: Value): number[] | undefined {
  const items = value instanceof Tuple ? value.items : value;
  return Array.isArray(items) && items.length <= MAX_DIMENSIONS && items.every(isCount)
    ? items as number[]
    : undefined;
}

/** How many elements of its storage lie between the first and the last one of a tensor, both included. */
export function spanOf(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((sum, size, i) => sum + (size - 1) * strides[i], 1);
}

/**
 * The tensor that `_rebuild_tensor(storage, offset, size, stride, …)` makes, if it lies within its storage.
 *
 * @param own Type of the elements where the storage has none.
 */
export function tensorOf(
  [storage, offset, size, stride]: readonly Value[],
  own: StorageType | undefined,
  fail: Fail,
): TensorRef {
  if (!(storage instanceof StorageRef)) fail("it makes a tensor of what is no storage");
  const shape = counts(size), strides = counts(stride);
  if (!isCount(offset) || !shape || !strides || shape.length !== strides.length) {
    fail("it makes a tensor whose offset, sizes and strides are not counts");
  }
  const type = own ?? storage.type;
  const room = Math.floor(storage.count * storage.type.size / type.size);
  const where = `a tensor of shape [${shape.slice(0, 8)}] with strides [${strides.slice(0, 8)}]`;
  if (!(offset + spanOf(shape, strides) <= room)) {
    fail(`${where} from element ${offset} does not fit its storage of ${room}`);
  }
  const length = shape.reduce((a, b) => a * b, 1);
  if (!(length <= Math.max(room, REPEATED))) {
    fail(`${where} repeats ${room} stored values to ${length}`);
  }
  return new TensorRef(storage, type, offset, shape, strides);
}

/** Whether values lie row by row without gaps; of a size of 1 the stride does not matter. */
function isRowMajor({ shape, strides }: TensorRef): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i];
  }
  return true;
}

/** The values of a tensor, row-major, out of the bytes of its span. */
export function valuesOf(tensor: TensorRef, span: Uint8Array<ArrayBuffer>): RawData {
  const { shape, strides, type } = tensor;
  const stored = viewOf(span, type.dtype!);
  if (shape.includes(0) || isRowMajor(tensor)) return stored;
  const length = shape.reduce((a, b) => a * b, 1);
  const { size, view } = DTYPES[type.dtype!];
  const values = view(new ArrayBuffer(length * size), 0, length);
  const last = shape.length - 1;
  const index = new Array(shape.length).fill(0);
  for (let done = 0, row = 0; done < length;) {
    for (let i = 0, at = row; i < shape[last]; i++, at += strides[last]) {
      values[done++] = stored[at];
    }
    // the next row: the last index but one counts up and carries
    for (let axis = last - 1; axis >= 0; axis--) {
      row += strides[axis];
      if (++index[axis] < shape[axis]) break;
      row -= index[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return values;
}
