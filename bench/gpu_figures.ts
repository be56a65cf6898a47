/**
 * Figures of three GPUs, as their makers publish them, for costs on paper.
 *
 * @module
 */
import type { GpuFigures } from "../lib/ops/matmul/cost.ts";

/**
 * NVIDIA's Ada whitepaper (AD102) and its CUDA C++ programming guide (compute capability 8.9), AMD's RDNA 3 ISA guide and
 * the Radeon RX 7900 XTX's data sheet (a core is a compute unit, two multiply-adds an invocation in a clock), Apple's
 * figures of the M2 Max with those of its cores as measured by others (Philip Turner, metal-benchmarks).
 */
export const GPUS: readonly GpuFigures[] = [
  {
    name: "GeForce RTX 4090",
    ...{ cores: 128, lanes: 128, clock: 2.52 },
    ...{ registers: 65_536, workgroupBytes: 100 * 1024, invocations: 1536, mostRegisters: 255 },
    ...{ memory: 1008, cache: 5000 },
  },
  {
    name: "Radeon RX 7900 XTX",
    ...{ cores: 96, lanes: 128, clock: 2.5 },
    ...{ registers: 98_304, workgroupBytes: 64 * 1024, invocations: 1024, mostRegisters: 256 },
    ...{ memory: 960, cache: 3500 },
  },
  {
    name: "Apple M2 Max",
    ...{ cores: 38, lanes: 128, clock: 1.4 },
    ...{ registers: 53_248, workgroupBytes: 60 * 1024, invocations: 1024, mostRegisters: 256 },
    ...{ memory: 400, cache: 1000 },
  },
];
