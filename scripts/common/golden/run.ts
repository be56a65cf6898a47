/**
 * Runs one fixture.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { HatchlingError } from "../../../lib/errors.ts";
import type { Gpu } from "../../../lib/gpu.ts";
import { shown } from "../../../lib/text.ts";
import { type ManifestCase, readCase } from "./case.ts";
import { type Check, compare } from "./compare.ts";
import { RUNNERS } from "./runners.ts";

/** The project's own fixtures. */
export const FIXTURES: string = fileURLToPath(
  new URL("../../../tests/golden/golden_public", import.meta.url),
);

async function run(gpu: Gpu, folder: string, row: ManifestCase): Promise<Check[]> {
  const runner = RUNNERS[row.kind];
  if (!runner) {
    const kinds = Object.keys(RUNNERS).join(", ");
    throw new HatchlingError(`Expected a kind out of ${kinds} but found ${shown(row.kind)}`);
  }
  const testCase = await readCase(folder, row);
  const before = gpu.memory.liveBytes;
  const checks = compare(testCase, await runner(gpu, testCase));
  if (checks.length === 0) throw new HatchlingError("the case expects nothing");
  const leaked = gpu.memory.liveBytes - before;
  return [...checks, { what: "bytes left on the GPU", ratio: leaked, detail: String(leaked) }];
}

function worstFirst(a: Check, b: Check): number {
  const rank = ({ ratio }: Check) => Number.isNaN(ratio) ? Infinity : ratio;
  return rank(b) === rank(a) ? 0 : rank(b) - rank(a);
}

/** A fixture's comparisons, the worst first, or why there are none. */
export async function runCase(
  gpu: Gpu,
  folder: string,
  row: ManifestCase,
): Promise<{ checks: Check[]; error?: string }> {
  try {
    return { checks: (await run(gpu, folder, row)).sort(worstFirst) };
  } catch (error) {
    const { message, stack } = error as Error;
    return { checks: [], error: error instanceof HatchlingError ? message : stack };
  }
}
