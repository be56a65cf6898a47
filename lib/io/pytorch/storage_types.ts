/**
 * The element types of PyTorch, by the names of its storages and of its dtypes.
 *
 * @module
 */
import type { Dtype } from "../dtype.ts";
import type { StorageType } from "./values.ts";

type Row = [storage: string | undefined, dtype: string, size: number, ours?: Dtype];

const ROWS: readonly Row[] = [
  ["FloatStorage", "float32", 4, "F32"],
  ["DoubleStorage", "float64", 8, "F64"],
  ["HalfStorage", "float16", 2, "F16"],
  ["BFloat16Storage", "bfloat16", 2, "BF16"],
  ["LongStorage", "int64", 8, "I64"],
  ["IntStorage", "int32", 4, "I32"],
  ["ShortStorage", "int16", 2, "I16"],
  ["CharStorage", "int8", 1, "I8"],
  ["ByteStorage", "uint8", 1, "U8"],
  ["BoolStorage", "bool", 1, "BOOL"],
  [undefined, "uint16", 2, "U16"],
  [undefined, "uint32", 4, "U32"],
  [undefined, "uint64", 8, "U64"],
  ["ComplexFloatStorage", "complex64", 8],
  ["ComplexDoubleStorage", "complex128", 16],
  ["QInt8Storage", "qint8", 1],
  ["QUInt8Storage", "quint8", 1],
  ["QInt32Storage", "qint32", 4],
  [undefined, "float8_e4m3fn", 1],
  [undefined, "float8_e4m3fnuz", 1],
  [undefined, "float8_e5m2", 1],
  [undefined, "float8_e5m2fnuz", 1],
  [undefined, "float8_e8m0fnu", 1],
];

/** Bytes without a type: the tensor says which. */
const UNTYPED: StorageType = { name: "UntypedStorage", size: 1, dtype: "U8" };

const types = new Map<string, StorageType>([
  ["torch.UntypedStorage", UNTYPED],
  ["torch.storage.UntypedStorage", UNTYPED],
]);
for (const [storage, name, size, dtype] of ROWS) {
  const type = { name, size, dtype };
  types.set(`torch.${name}`, type);
  if (storage === undefined) continue;
  for (const module of ["torch", "torch.cuda"]) types.set(`${module}.${storage}`, type);
}

/** The element type of `torch.FloatStorage`, `torch.float32` and the like; undefined for other names. */
export function storageType(name: string): StorageType | undefined {
  return types.get(name);
}
