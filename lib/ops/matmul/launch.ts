/**
 * The dispatches of a product: in one part, or in parts of K that another kernel adds in order.
 *
 * @module
 */
import { type Constants, type Gpu, grid, type KernelSource, type Tensor } from "../../gpu.ts";
import { columnSum } from "../reduce.ts";
import { MATRIX_KERNELS, NAIVE, type ProductKernels, REDUCE } from "./kernels.ts";
import {
  constantsOfVariant,
  isWhole,
  type MatmulVariant,
  outputsOf,
  type Product,
  tileOf,
} from "./variants.ts";

/** Bits of the epilogue, in the order in which they apply. */
export const EPILOGUE = { accumulate: 1, bias: 2, gelu: 4, geluGrad: 8, add: 16, pre: 32 } as const;

/** Sums of op(A) over K, of a product whose A is stored [K, M]: those of A's columns. */
export interface MatmulSums {
  /** [M]. */
  out: Tensor;
  /** Add to what `out` holds. */
  accumulate?: boolean;
  /** Elements, from one to before another, that become 0 whatever A holds. */
  zeros?: readonly [from: number, end: number];
}

/** A product's tensors; those that it does not use may be missing. */
export interface ProductTensors {
  a: Tensor;
  b: Tensor;
  out: Tensor;
  bias?: Tensor;
  aux?: Tensor;
  pre?: Tensor;
  sums?: MatmulSums;
  /** What a and b are where they are no matrices. */
  operands?: Operands;
}

/** Operands that are no matrices in memory: what reads them, and what it must know beside the sizes. */
export interface Operands {
  /** Their kernels. */
  kernels: ProductKernels;
  /** Whether these may read four columns at a time. */
  whole: boolean;
  /** More constants and members of `Params`. */
  constants: Constants;
  params: Readonly<Record<string, number>>;
}

/** Variants whose kernels make sums of A as they go. */
const sumsOf = (variant: MatmulVariant) => variant === "subgroup" || tileOf(variant) !== undefined;

/** Dispatches a product by a variant, in `splits` parts of K added in order. */
export function launch(
  gpu: Gpu,
  variant: MatmulVariant,
  product: Product,
  tensors: ProductTensors,
  epilogue: number,
  splits: number,
): void {
  const { sums } = tensors;
  if (sums && !sumsOf(variant)) {
    columnSum(gpu, tensors.a, sums);
    return launch(gpu, variant, product, { ...tensors, sums: undefined }, epilogue, splits);
  }
  const { m, n, k } = product;
  const blocks = Math.ceil(k / 4);
  // Whole slabs of the tiles.
  const split = splits > 1 ? 4 * Math.ceil(blocks / splits / 4) : blocks;
  const parts = variant === "naive" ? 1 : Math.ceil(blocks / split);
  if (parts === 1 && !leaves(variant, product, tensors, epilogue)) {
    return launchPart(gpu, variant, product, tensors, { epilogue, split, parts });
  }
  gpu.scope(() => {
    const partial = gpu.empty([parts, m, n], "matmul.partial");
    const partialSums = sums && gpu.empty([parts, m], "matmul.sums");
    launchPart(
      gpu,
      variant,
      product,
      { ...tensors, out: partial, sums: partialSums && { out: partialSums } },
      { epilogue: 0, split, parts },
    );
    const { out, bias, aux, pre } = tensors;
    const { BIAS, ...constants } = constantsOf(epilogue);
    const count = m * n + (sums ? m : 0);
    gpu.dispatch(REDUCE, {
      constants: { PARTS: parts, BIAS, SUMS: !!sums, ...constants },
      bindings: {
        ...{ partial, c: out, bias, aux, pre },
        ...{ partial_sums: partialSums, sums: sums?.out },
      },
      params: { count: m * n, columns: n, rows: m, ...paramsOf(sums) },
      workgroups: grid(count, 64),
      flops: parts * count,
    });
  });
}

/** Whether a kernel leaves its epilogue to the one that adds the parts. */
function leaves(
  variant: MatmulVariant,
  product: Product,
  { out, operands }: ProductTensors,
  epilogue: number,
): boolean {
  if (variant === "naive") return epilogue !== 0;
  // What takes any shape reads outputs again to finish them; halves would be rounded twice.
  const again = epilogue & (EPILOGUE.gelu | EPILOGUE.geluGrad | EPILOGUE.add);
  return again !== 0 && out.dtype === "f16" && !isWholeKernel(variant, product, operands);
}

/** The products of all parts of K, one after the other in `out`, or the only one with its epilogue. */
function launchPart(
  gpu: Gpu,
  variant: MatmulVariant,
  product: Product,
  { a, b, out, bias, aux, pre, sums, operands }: ProductTensors,
  { epilogue, split, parts }: { epilogue: number; split: number; parts: number },
): void {
  const { m, n, k, transA, transB } = product;
  const [lda, ldb] = [transA ? m : k, transB ? k : n];
  const { BIAS, ...fused } = constantsOf(epilogue);
  const whole = isWholeKernel(variant, product, operands);
  const kernel = kernelOf(variant, operands?.kernels ?? MATRIX_KERNELS, whole);
  const { rows, cols } = outputsOf(gpu, variant);
  gpu.dispatch(kernel, {
    // Kernels take what they declare: an operand that is no matrix has no constants of one, say.
    constants: pick([...kernel.overrides], {
      ...{ TRANS_A: transA, TRANS_B: transB },
      ...{ VEC_A: lda % 4 === 0, VEC_B: ldb % 4 === 0, EXACT_K: k % 4 === 0 },
      ...fused,
      SUMS: !!sums,
      ...constantsOfVariant(gpu, variant),
      ...operands?.constants,
    }),
    bindings: pick(kernel.bindings.map(({ name }) => name), {
      ...{ a, b, c: out, bias, aux, pre, sums: sums?.out },
    }),
    params: pick(kernel.params.map(({ name }) => name), {
      ...{ m, n, k, lda, ldb, ldc: n, split, epilogue, bias: +BIAS },
      ...paramsOf(sums),
      ...operands?.params,
    }),
    workgroups: variant === "naive"
      ? grid(m * n, 64)
      : [Math.ceil(n / cols), Math.ceil(m / rows), parts],
    flops: 2 * m * n * k,
  });
}

/** Whether a product's kernel reads and writes whole vec4s. */
function isWholeKernel(variant: MatmulVariant, product: Product, operands?: Operands): boolean {
  return variant !== "plain" && isWhole(product) && (operands?.whole ?? true);
}

/** The kernel of a variant; tiles have one for whole vec4s and one for any shape. */
function kernelOf(variant: MatmulVariant, kernels: ProductKernels, whole: boolean): KernelSource {
  if (variant === "naive") return NAIVE;
  if (variant === "plain" || variant === "subgroup") return kernels[variant];
  return whole ? kernels.staged : kernels.stagedAny;
}

function pick<T>(names: readonly string[], values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    names.filter((name) => name in values).map((name) => [name, values[name]]),
  );
}

/** The epilogue as a kernel's constants. */
function constantsOf(epilogue: number) {
  const has = (bit: number) => (epilogue & bit) !== 0;
  return {
    ACCUMULATE: has(EPILOGUE.accumulate),
    BIAS: has(EPILOGUE.bias),
    GELU: has(EPILOGUE.gelu),
    GELU_GRAD: has(EPILOGUE.geluGrad),
    ADD: has(EPILOGUE.add),
    PRE: has(EPILOGUE.pre),
  };
}

/** What a kernel must know of the sums. */
function paramsOf(sums?: MatmulSums): Record<string, number> {
  const [zero_from, zero_end] = sums?.zeros ?? [0, 0];
  return { sum_add: +!!sums?.accumulate, zero_from, zero_end };
}
