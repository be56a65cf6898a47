/**
 * The kernels behind matmul: which there are, what each needs, how each is launched, and which one suits.
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
import storeCode from "../../../kernels/shared/matmul_store.wgsl" with { type: "text" };
import wholeACode from "../../../kernels/shared/whole_a.wgsl" with { type: "text" };
import wholeBCode from "../../../kernels/shared/whole_b.wgsl" with { type: "text" };
import wholeIoCode from "../../../kernels/shared/whole_io.wgsl" with { type: "text" };
import {
  type Constants,
  defineKernel,
  type Gpu,
  grid,
  type KernelSource,
  type SharedCode,
  type Tensor,
} from "../../gpu.ts";
import { GELU } from "../wgsl_parts.ts";

/**
 * How a product is made: `plain` in registers, any shape on any adapter; `staged` through workgroup memory,
 * for GPUs; `subgroup` with rows shared by broadcast, for software adapters, where loads are what costs;
 * `naive` one output at a time, which the others are checked against and which suits products so small that
 * compiling one of the others takes longer.
 */
export type MatmulVariant = "plain" | "staged" | "subgroup" | "naive";

/** Bits of the epilogue, in the order in which they apply. */
export const EPILOGUE = { accumulate: 1, bias: 2, gelu: 4, geluGrad: 8, add: 16 } as const;

/** A product to be made. */
export interface Product {
  /** op(A) is [M, K], op(B) [K, N]. */
  m: number;
  n: number;
  k: number;
  /** A is stored [K, M]. */
  transA: boolean;
  /** B is stored [N, K]. */
  transB: boolean;
}

/** Its tensors; those that the epilogue does not use may be missing. */
export interface ProductTensors {
  a: Tensor;
  b: Tensor;
  out: Tensor;
  bias?: Tensor;
  aux?: Tensor;
  pre?: Tensor;
  /** What a and b are where they are no matrices. */
  operands?: Operands;
}

/** What the kernels of a product read: its arguments, and each of the operands, in elements or in whole vec4s. */
export interface OperandCode {
  /** For any shape. */
  any: readonly SharedCode[];
  /** For the `subgroup` variant. */
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

/** The kernels that multiply operands of one kind; names get `suffix`. */
export type ProductKernels = Readonly<Record<Exclude<MatmulVariant, "naive">, KernelSource>>;

/** The tuned loops over operands that are read as told. */
export function productKernels(
  suffix: string,
  { any, whole }: { any: readonly SharedCode[]; whole: readonly SharedCode[] },
): ProductKernels {
  const shared = [...any, { name: "matmul_store", code: storeCode }, GELU];
  return {
    plain: defineKernel(`matmul${suffix}`, code, { shared }),
    staged: defineKernel(`matmul_staged${suffix}`, stagedCode, { shared }),
    subgroup: defineKernel(`matmul_subgroup${suffix}`, subgroupCode, {
      shared: [...whole, GELU],
      subgroups: true,
    }),
  };
}

const REDUCE = defineKernel("matmul_reduce", reduceCode, { shared: [GELU] });
const NAIVE = defineKernel("matmul_naive", naiveCode);

/** The kernel of each variant. */
export const KERNELS: Readonly<Record<MatmulVariant, KernelSource>> = {
  ...productKernels("", {
    any: [{ name: "matmul_io", code: ioCode }, ...MATRIX.a.any, ...MATRIX.b.any],
    whole: [{ name: "whole_io", code: wholeIoCode }, ...MATRIX.a.whole, ...MATRIX.b.whole],
  }),
  naive: NAIVE,
};

/** Operands that are no matrices in memory: what reads them, and what it must know beside the sizes. */
export interface Operands {
  /** Their kernels. */
  kernels: ProductKernels;
  /** More constants and members of `Params`. */
  constants: Constants;
  params: Readonly<Record<string, number>>;
}

/** Subgroup size that the kernel of that name is made for. */
const SUBGROUP_SIZE = 8;

/** Workgroups below which a long sum is split, on software adapters and on GPUs. */
const FEW_WORKGROUPS = { software: 4, gpu: 128 };

/** Least k of a split, and the most that Mesa's software driver walks in one loop: it ends there silently. */
const LEAST_SPLIT = 256, MOST_SPLIT = 4 * 60_000;

/** Whether this adapter computes this product with a variant. */
export function fits(gpu: Gpu, variant: MatmulVariant, product: Product): boolean {
  if (variant !== "subgroup") return variant in KERNELS;
  const { m, n, k, transA, transB } = product;
  const whole = [transA ? m : k, transB ? k : n, n].every((size) => size % 4 === 0);
  return whole && gpu.subgroupSize >= SUBGROUP_SIZE;
}

/** The shape class of a product, for which one variant is chosen. */
export function shapeClass({ m, n, transA, transB }: Product): string {
  const tiles = Math.ceil(m / 64) * Math.ceil(n / 64);
  const size = tiles < 16 ? "small" : tiles < 256 ? "medium" : "large";
  return `matmul ${transA ? "T" : "N"}${transB ? "T" : "N"} ${size}`;
}

/** What suits the kind of adapter. */
export function usualVariant(gpu: Gpu, product: Product): MatmulVariant {
  if (!gpu.isSoftware) return "staged";
  return fits(gpu, "subgroup", product) ? "subgroup" : "plain";
}

/** What was chosen for the product's class, where it fits this one, or else suits the kind of adapter. */
export function variantOf(gpu: Gpu, product: Product): MatmulVariant {
  const chosen = gpu.choices.get(shapeClass(product)) as MatmulVariant | undefined;
  return chosen && fits(gpu, chosen, product) ? chosen : usualVariant(gpu, product);
}

/** Splits of K: more than one where there would be few workgroups, or a loop too long for a software adapter. */
export function splitsOf(gpu: Gpu, variant: MatmulVariant, { m, n, k }: Product): number {
  const must = gpu.isSoftware ? Math.ceil(k / MOST_SPLIT) : 1;
  const groups = Math.ceil(n / 64) * Math.ceil(m / (variant === "subgroup" ? 32 : 64));
  const few = FEW_WORKGROUPS[gpu.isSoftware ? "software" : "gpu"];
  const wanted = groups < few ? Math.min(Math.ceil(few / groups), Math.floor(k / LEAST_SPLIT)) : 1;
  return Math.max(1, must, wanted);
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
  };
}

/** Dispatches a product by a variant, in `splits` parts of K added in order. */
export function launch(
  gpu: Gpu,
  variant: MatmulVariant,
  product: Product,
  tensors: ProductTensors,
  epilogue: number,
  splits: number,
): void {
  const { m, n, k } = product;
  const blocks = Math.ceil(k / 4);
  // Whole slabs of 16 k for the staged kernel.
  const split = splits > 1 ? 4 * Math.ceil(blocks / splits / 4) : blocks;
  const parts = variant === "naive" ? 1 : Math.ceil(blocks / split);
  // These leave the epilogue to the kernel that sums the parts.
  const plain = variant === "naive" ||
    (variant === "subgroup" && (epilogue & EPILOGUE.accumulate) !== 0);
  if (parts === 1 && !(plain && epilogue)) {
    return launchPart(gpu, variant, product, tensors, { epilogue, split, parts });
  }
  gpu.scope(() => {
    const partial = gpu.empty([parts, m, n], "matmul.partial");
    const to = { ...tensors, out: partial };
    launchPart(gpu, variant, product, to, { epilogue: 0, split, parts });
    const { out, bias, aux, pre } = tensors;
    gpu.dispatch(REDUCE, {
      constants: { PARTS: parts, ...constantsOf(epilogue) },
      bindings: {
        partial,
        c: out,
        bias,
        aux,
        pre,
      },
      params: { count: m * n, columns: n },
      workgroups: grid(m * n, 64),
      flops: parts * m * n,
    });
  });
}

/** The products of all parts of K, one after the other in `out`, or the only one with its epilogue. */
function launchPart(
  gpu: Gpu,
  variant: MatmulVariant,
  product: Product,
  { a, b, out, bias, aux, pre, operands }: ProductTensors,
  { epilogue, split, parts }: { epilogue: number; split: number; parts: number },
): void {
  const { m, n, k, transA, transB } = product;
  const [lda, ldb] = [transA ? m : k, transB ? k : n];
  const flops = 2 * m * n * k;
  const transposes = { TRANS_A: transA, TRANS_B: transB };
  const sizes = { m, n, k, lda, ldb, ldc: n };
  if (variant === "naive") {
    const workgroups = grid(m * n, 64);
    const bindings = { a, b, c: out };
    gpu.dispatch(NAIVE, { constants: transposes, bindings, params: sizes, workgroups, flops });
    return;
  }
  const subgroup = variant === "subgroup";
  const { BIAS, GELU, GELU_GRAD, ADD } = constantsOf(epilogue);
  const constants: Constants = {
    ...transposes,
    ...subgroup ? { GELU, GELU_GRAD, ADD } : {
      VEC_A: lda % 4 === 0,
      VEC_B: ldb % 4 === 0,
      EXACT_K: k % 4 === 0,
    },
    ...operands?.constants,
  };
  const kernel = (operands?.kernels ?? KERNELS)[variant];
  gpu.dispatch(kernel, {
    // An operand that is no matrix has no constants of one.
    constants: Object.fromEntries(
      Object.entries(constants).filter(([name]) => kernel.overrides.has(name)),
    ),
    bindings: { a, b, c: out, bias, aux, pre },
    params: { ...sizes, split, ...subgroup ? { bias: +BIAS } : { epilogue }, ...operands?.params },
    workgroups: [Math.ceil(n / 64), Math.ceil(m / (subgroup ? 32 : 64)), parts],
    flops,
  });
}
