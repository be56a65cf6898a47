/**
 * The kernels behind matmul and convolution: which there are, and what they are put together with.
 *
 * @module
 */
import code from "../../../kernels/matmul.wgsl" with { type: "text" };
import naiveCode from "../../../kernels/matmul_naive.wgsl" with { type: "text" };
import reduceCode from "../../../kernels/matmul_reduce.wgsl" with { type: "text" };
import stagedCode from "../../../kernels/matmul_staged.wgsl" with { type: "text" };
import subgroupCode from "../../../kernels/matmul_subgroup.wgsl" with { type: "text" };
import matrixACode from "../../../kernels/shared/matmul_a.wgsl" with { type: "text" };
import matrixBCode from "../../../kernels/shared/matmul_b.wgsl" with { type: "text" };
import ioCode from "../../../kernels/shared/matmul_io.wgsl" with { type: "text" };
import sumsCode from "../../../kernels/shared/matmul_sums.wgsl" with { type: "text" };
import storeCode from "../../../kernels/shared/matmul_store.wgsl" with { type: "text" };
import wholeACode from "../../../kernels/shared/whole_a.wgsl" with { type: "text" };
import wholeBCode from "../../../kernels/shared/whole_b.wgsl" with { type: "text" };
import wholeIoCode from "../../../kernels/shared/whole_io.wgsl" with { type: "text" };
import wholeStoreCode from "../../../kernels/shared/whole_store.wgsl" with { type: "text" };
import { defineKernel, type KernelSource, type SharedCode } from "../../gpu.ts";
import { GELU } from "../wgsl_parts.ts";

/** What the kernels of a product read: its arguments, and each of the operands, in elements or in whole vec4s. */
export interface OperandCode {
  /** For any shape. */
  any: readonly SharedCode[];
  /** For whole vec4s. */
  whole: readonly SharedCode[];
}

/** A matrix as the left operand, and as the right one. */
export const MATRIX: Readonly<Record<"a" | "b", OperandCode>> = {
  a: {
    any: [{ name: "matmul_a", code: matrixACode }],
    whole: [{ name: "whole_a", code: wholeACode }],
  },
  b: {
    any: [{ name: "matmul_b", code: matrixBCode }],
    whole: [{ name: "whole_b", code: wholeBCode }],
  },
};

/** The kernels that multiply operands of one kind: those of the variants, and `staged` for any shape. */
export interface ProductKernels {
  readonly plain: KernelSource;
  readonly staged: KernelSource;
  readonly stagedAny: KernelSource;
  readonly subgroup: KernelSource;
}

/** The tuned loops over operands that are read as told; names get `suffix`. Without `whole`, those for any shape alone. */
export function productKernels(
  suffix: string,
  { any, whole }: Pick<OperandCode, "any"> & Partial<OperandCode>,
): ProductKernels {
  const sums = { name: "matmul_sums", code: sumsCode };
  const anyParts = [...any, { name: "matmul_store", code: storeCode }, GELU];
  const plain = defineKernel(`matmul${suffix}`, code, { shared: anyParts });
  const stagedAny = defineKernel(`matmul_staged_any${suffix}`, stagedCode, {
    shared: [...anyParts, sums],
  });
  if (!whole) return { plain, stagedAny, staged: stagedAny, subgroup: plain };
  const wholeParts = [...whole, { name: "whole_store", code: wholeStoreCode }, GELU, sums];
  return {
    plain,
    stagedAny,
    staged: defineKernel(`matmul_staged${suffix}`, stagedCode, { shared: wholeParts }),
    subgroup: defineKernel(`matmul_subgroup${suffix}`, subgroupCode, {
      shared: wholeParts,
      subgroups: true,
    }),
  };
}

/** Those of matrices. */
export const MATRIX_KERNELS: ProductKernels = productKernels("", {
  any: [{ name: "matmul_io", code: ioCode }, ...MATRIX.a.any, ...MATRIX.b.any],
  whole: [{ name: "whole_io", code: wholeIoCode }, ...MATRIX.a.whole, ...MATRIX.b.whole],
});

/** Sums of the parts of a product, with its epilogue. */
export const REDUCE: KernelSource = defineKernel("matmul_reduce", reduceCode, { shared: [GELU] });

/** One output at a time. */
export const NAIVE: KernelSource = defineKernel("matmul_naive", naiveCode);
