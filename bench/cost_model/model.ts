/**
 * What a dispatch can reach on a GPU, on paper: a pure function of what is counted, declared and published.
 *
 * @module
 */
import type { Declared, InnerLoop } from "./declared.ts";
import type { Footprint } from "./footprint.ts";
import { type PaperGpuFigures, peakOf } from "../gpu_figures.ts";

/** A dispatch. */
export interface PaperDispatch extends Footprint, Declared {
  name: string;
  /** Floating-point operations, and bytes of all tensors, each once. */
  flops: number;
  bytes: number;
  /** Workgroups. */
  groups: number;
}

/** What holds a dispatch back. */
export type Bound =
  | "arithmetic"
  | "workgroup memory"
  | "bandwidth"
  | "too few loads"
  | "too few groups"
  | "registers";

/** What it can reach; times in seconds, the better and the worse one: see {@linkcode innerRate}. */
export interface Estimate {
  /** Workgroups on a core at once, and their share of the invocations that it holds. */
  resident: number;
  occupancy: number;
  least: number;
  most: number;
  bound: Bound;
}

/** Seconds from asking for memory to having it: an assumption for all GPUs. */
const LATENCY = 600e-9;
/** Share of a streaming kernel's instructions that are multiply-adds: an assumption. */
const STREAMING = 0.25;

/** Workgroups of a dispatch that a core holds. */
export function residentGroups(gpu: PaperGpuFigures, d: PaperDispatch): number {
  const lanes = Math.ceil(d.invocations / gpu.together) * gpu.together;
  const registers = Math.ceil(Math.min(d.registers, gpu.mostRegisters) / gpu.registerStep) *
    gpu.registerStep;
  return Math.max(
    1,
    Math.min(
      gpu.groups,
      Math.floor(gpu.invocations / lanes),
      Math.floor(gpu.registers / (registers * lanes)),
      Math.floor(gpu.workgroupBytes / (d.memory + gpu.workgroupBeside)),
    ),
  );
}

/**
 * The share of the peak that an inner loop leaves: its multiply-adds over the slower of all instructions, issued one a
 * lane and clock, and its reads of workgroup memory. At worst every invocation's 16 bytes count, at best equal ones of
 * 32 neighbours count once.
 */
export function innerRate(
  gpu: PaperGpuFigures,
  { fmas, loads, others }: InnerLoop,
): { best: number; worst: number; memory: boolean } {
  // Clocks of a core for a turn of 32 invocations.
  const arithmetic = 32 * fmas / gpu.lanes;
  const issue = 32 * (fmas + loads.length + others) / gpu.lanes;
  const shared = loads.reduce((sum, different) => sum + 16 * Math.min(different, 32), 0) /
    gpu.workgroupRead;
  const apart = loads.length * 16 * 32 / gpu.workgroupRead;
  return {
    best: arithmetic / Math.max(issue, shared),
    worst: arithmetic / Math.max(issue, apart),
    memory: apart > issue,
  };
}

/** What a dispatch can reach. */
export function estimate(gpu: PaperGpuFigures, d: PaperDispatch): Estimate {
  const resident = residentGroups(gpu, d);
  const occupancy = resident * d.invocations / gpu.invocations;
  // The core with the most groups is the last one to end.
  const balance = d.groups / (gpu.cores * Math.ceil(d.groups / gpu.cores));
  const rate = d.inner
    ? innerRate(gpu, d.inner)
    : { best: STREAMING, worst: STREAMING, memory: false };
  const bandwidth = 1e9 * gpu.memory;
  const running = Math.min(d.groups, gpu.cores * resident) * d.invocations;
  const stream = Math.min(1, running * d.load * d.loads / (LATENCY * bandwidth));
  const memory = d.bytes / (bandwidth * stream);
  const [best, worst] = [rate.best, rate.worst].map((r) =>
    d.padding * d.flops / (peakOf(gpu) * r * balance)
  );
  const bound = (): Bound => {
    if (memory > worst) return stream < 0.9 ? "too few loads" : "bandwidth";
    if (d.registers > gpu.mostRegisters) return "registers";
    if (balance < 0.6) return "too few groups";
    return rate.memory ? "workgroup memory" : "arithmetic";
  };
  return {
    resident,
    occupancy,
    least: Math.max(best, memory),
    most: Math.max(worst, memory),
    bound: bound(),
  };
}
