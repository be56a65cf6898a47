/**
 * GPUs that the cost model reckons with, by what is published of them. None of them was ever measured here.
 *
 * @module
 */

/** A GPU; a core is what one workgroup runs on: an SM, a CU, an Xe-core, one of Apple's GPU cores. */
export interface PaperGpuFigures {
  readonly name: string;
  /** f32 operations per second, a multiply-add being two. */
  readonly flops: number;
  /** Bytes per second of its memory. */
  readonly bandwidth: number;
  readonly cores: number;
  /** Multiply-adds per clock of a core. */
  readonly fmas: number;
  /** 32-bit registers of a core, the unit in which an invocation gets them, and the most it can have. */
  readonly registers: number;
  readonly registerStep: number;
  readonly mostRegisters: number;
  /** Bytes of workgroup memory of a core; what each workgroup takes beside its own; bytes read per clock. */
  readonly memory: number;
  readonly memoryBeside: number;
  readonly memoryRead: number;
  /** Invocations that run in step, and the most invocations and workgroups of a core. */
  readonly lanes: number;
  readonly invocations: number;
  readonly groups: number;
  /** Where the figures come from. */
  readonly source: string;
}

const KIB = 1024;

/** The GPUs of the table. */
export const GPUS: readonly PaperGpuFigures[] = [
  {
    name: "RTX 4070",
    flops: 29.15e12,
    bandwidth: 504e9,
    cores: 46,
    fmas: 128,
    registers: 64 * KIB,
    registerStep: 8,
    mostRegisters: 255,
    memory: 100 * KIB,
    memoryBeside: KIB,
    memoryRead: 128,
    lanes: 32,
    invocations: 1536,
    groups: 24,
    source:
      "NVIDIA: product page (5,888 cores, 2.475 GHz, 504 GB/s); CUDA C++ Programming Guide, " +
      "compute capability 8.9; Ada tuning guide",
  },
  {
    name: "M2, 10 cores",
    flops: 3.6e12,
    bandwidth: 100e9,
    cores: 10,
    fmas: 128,
    registers: 208 * KIB / 4,
    registerStep: 4,
    mostRegisters: 128,
    memory: 60 * KIB,
    memoryBeside: 0,
    memoryRead: 64,
    lanes: 32,
    invocations: 3072,
    groups: 96,
    source:
      "Apple: newsroom, June 2022 (3.6 TFLOP/s, 100 GB/s). What a core holds Apple does not " +
      "publish: as others have measured it (philipturner/metal-benchmarks, dougallj/applegpu)",
  },
  {
    name: "RX 7800 XT",
    flops: 37.3e12,
    bandwidth: 624e9,
    cores: 60,
    fmas: 128,
    registers: 2 * 1536 * 32,
    registerStep: 24,
    mostRegisters: 256,
    memory: 64 * KIB,
    memoryBeside: 0,
    memoryRead: 128,
    lanes: 32,
    invocations: 1024,
    groups: 32,
    source: "AMD: product page (60 CUs, 37.3 TFLOP/s with two multiply-adds at once, half of it " +
      "without, 624 GB/s); RDNA 3 instruction set reference",
  },
  {
    name: "Arc A770",
    flops: 17.2e12,
    bandwidth: 560e9,
    cores: 32,
    fmas: 128,
    registers: 16 * 8 * 128 * 8,
    registerStep: 1,
    mostRegisters: 128,
    memory: 128 * KIB,
    memoryBeside: 0,
    memoryRead: 128,
    lanes: 8,
    invocations: 1024,
    groups: 128,
    source:
      "Intel: product page (32 Xe-cores, 2.1 GHz, 560 GB/s); oneAPI GPU Optimization Guide and " +
      "its occupancy calculator, Xe HPG, 8 lanes a thread",
  },
];
