/**
 * Figures of four GPUs, for costs on paper. None of them was ever measured here.
 *
 * @module
 */
import type { GpuFigures } from "../lib/ops/matmul/cost.ts";

/** What a step's cost takes besides, of a core. */
export interface PaperGpuFigures extends GpuFigures {
  /** The unit in which an invocation gets registers. */
  readonly registerStep: number;
  /** Bytes of workgroup memory that a workgroup takes beside its own; bytes read per clock. */
  readonly workgroupBeside: number;
  readonly workgroupRead: number;
  /** Invocations that run in step, and the most workgroups. */
  readonly together: number;
  readonly groups: number;
  /** Where the figures come from. */
  readonly source: string;
}

/** Operations per second, a multiply-add being two. */
export function peakOf({ cores, lanes, clock }: GpuFigures): number {
  return 2e9 * cores * lanes * clock;
}

/** As their makers publish them, but for caches and where a source says otherwise. */
export const GPUS: readonly PaperGpuFigures[] = [
  {
    name: "GeForce RTX 4090",
    ...{ cores: 128, lanes: 128, clock: 2.52 },
    ...{ registers: 65_536, workgroupBytes: 100 * 1024, invocations: 1536, mostRegisters: 255 },
    ...{ memory: 1008, cache: 5000 },
    ...{ registerStep: 8, workgroupBeside: 1024, workgroupRead: 128, together: 32, groups: 24 },
    source: "NVIDIA: Ada whitepaper (AD102), CUDA C++ Programming Guide (compute capability 8.9)",
  },
  {
    name: "Radeon RX 7900 XTX",
    ...{ cores: 96, lanes: 128, clock: 2.5 },
    ...{ registers: 98_304, workgroupBytes: 64 * 1024, invocations: 1024, mostRegisters: 256 },
    ...{ memory: 960, cache: 3500 },
    ...{ registerStep: 24, workgroupBeside: 0, workgroupRead: 128, together: 32, groups: 32 },
    source:
      "AMD: data sheet (a core is a compute unit; two multiply-adds an invocation in a clock, " +
      "half of that where they do not pair), RDNA 3 ISA guide",
  },
  {
    name: "Apple M2 Max",
    ...{ cores: 38, lanes: 128, clock: 1.4 },
    ...{ registers: 53_248, workgroupBytes: 60 * 1024, invocations: 3072, mostRegisters: 128 },
    ...{ memory: 400, cache: 1000 },
    ...{ registerStep: 4, workgroupBeside: 0, workgroupRead: 64, together: 32, groups: 96 },
    source:
      "Apple: newsroom, January 2023; what a core holds as measured by others (Philip Turner, " +
      "metal-benchmarks; Dougall Johnson, applegpu)",
  },
  {
    name: "Intel Arc A770",
    ...{ cores: 32, lanes: 128, clock: 2.1 },
    ...{ registers: 131_072, workgroupBytes: 128 * 1024, invocations: 1024, mostRegisters: 128 },
    ...{ memory: 560 },
    ...{ registerStep: 1, workgroupBeside: 0, workgroupRead: 128, together: 8, groups: 128 },
    source: "Intel: product page (a core is an Xe-core), oneAPI GPU Optimization Guide and its " +
      "occupancy calculator (Xe HPG), 8 lanes a thread",
  },
];
