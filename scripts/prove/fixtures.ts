/**
 * The fixtures made with PyTorch.
 *
 * @module
 */
import type { Gpu } from "../../lib/gpu.ts";
import { readManifest } from "../common/golden/case.ts";
import { passes } from "../common/golden/compare.ts";
import { FIXTURES, runCase } from "../common/golden/run.ts";
import type { Progress } from "../common/progress.ts";
import { print } from "../common/terminal.ts";
import { row } from "./table.ts";

/** What came of the fixtures. */
export interface FixtureFindings {
  /** How many there are. */
  count: number;
  /** Largest error over its tolerance. */
  error: number;
  /** Those that fail, with the worst of each. */
  failed: string[];
  seconds: number;
}

/** Runs all of them. */
export async function proveFixtures(gpu: Gpu, progress: Progress): Promise<FixtureFindings> {
  const start = performance.now();
  const rows = await readManifest(FIXTURES);
  const failed: string[] = [];
  let error = 0;
  for (const [i, one] of rows.entries()) {
    progress.show(`fixtures: ${i} of ${rows.length}`);
    const { checks, error: why } = await runCase(gpu, FIXTURES, one);
    const worst = checks[0];
    if (worst) error = Math.max(error, worst.ratio);
    if (why || !checks.every(passes)) {
      failed.push(`${one.name}: ${why ?? `${worst.what} ${worst.detail ?? ""}`}`);
    }
  }
  progress.end();
  const seconds = (performance.now() - start) / 1000;
  const verdict = failed.length
    ? `${failed.length} of ${rows.length} FAIL`
    : `${rows.length} right`;
  row(
    "fixtures",
    `${verdict}, largest error ${error.toPrecision(2)} of its tolerance, ${seconds.toFixed(1)} s`,
  );
  for (const line of failed) print(`  ${line}`);
  return { count: rows.length, error, failed, seconds };
}
