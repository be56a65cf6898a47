/**
 * Everything as one object, for a bug report.
 *
 * @module
 */
import type { Gpu } from "../../lib/gpu.ts";
import type { Findings } from "../../lib/prove.ts";
import { LIMIT_NAMES } from "./limits.ts";
import type { FixtureFindings } from "./fixtures.ts";
import { familyRows } from "./table.ts";
import type { TrainingFindings } from "./training.ts";

/** What a report is made of. */
export interface ReportParts {
  findings: Findings;
  fixtures?: FixtureFindings;
  training?: TrainingFindings;
  seconds: number;
  /** The configuration's file. */
  config?: string;
}

/** Adapter, limits, features, runtime, kernels with their errors, what is struck off. */
export async function report(gpu: Gpu, parts: ReportParts): Promise<Record<string, unknown>> {
  const { findings, fixtures, training, seconds, config } = parts;
  const { vendor, architecture, device, description, isFallbackAdapter } = gpu.info;
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  return {
    adapter: { vendor, architecture, device, description, isFallbackAdapter },
    subgroups: { least: gpu.info.subgroupMinSize, most: gpu.info.subgroupMaxSize },
    limits: Object.fromEntries(LIMIT_NAMES.map((name) => [name, gpu.limits[name]])),
    features: {
      adapter: [...adapter?.features ?? []].sort(),
      device: [...gpu.device.features].sort(),
    },
    runtime: { ...Deno.version, ...Deno.build, userAgent: navigator.userAgent },
    config,
    seconds,
    families: familyRows(findings.proofs),
    kernels: findings.proofs.map(({ capture, error, fault, compared, runs, ms }) => ({
      kernel: capture.source.name,
      constants: capture.constants,
      params: capture.params,
      shapes: capture.shapes,
      halves: capture.halves,
      workgroups: capture.workgroups,
      error: Number.isFinite(error) ? error : null,
      fault: fault || undefined,
      compared,
      runs,
      ms: Math.round(ms),
    })),
    watched: findings.watched.map(({ capture, fault }) => ({
      kernel: capture.source.name,
      constants: capture.constants,
      fault: fault || undefined,
    })),
    struck: findings.strikes,
    broken: findings.broken,
    idle: findings.idle,
    left: findings.left,
    fixtures,
    training,
  };
}
