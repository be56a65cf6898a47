import assert from "node:assert/strict";
import { infoNceReference } from "../../lib/loss.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import {
  type InfoNceCase,
  infoNceCase,
  type InfoNceReport,
  runInfoNce,
} from "../support/infonce.ts";
import { assertClose } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

/** Compares all that a loss says; sums of similarities over τ have the rounding of 1/τ. */
function assertReport(found: InfoNceReport, c: InfoNceCase, what: string, tolerance = 3e-6): void {
  const expected = infoNceReference(c);
  const { temperature: t } = c;
  const scale = typeof t === "number" ? 1 / t : Math.exp(Math.min(t.logScale, Math.log(100)));
  const tol = tolerance * (1 + scale / 10);
  const off = Math.abs(found.loss - expected.loss);
  assert.ok(off <= tol * (1 + expected.loss), `${what}: ${found.loss}, not ${expected.loss}`);
  assertClose(found.pairLoss, expected.pairLoss, tol, `pairs, ${what}`);
  assertClose([found.accuracy], [expected.accuracy], 1e-6, `accuracy, ${what}`);
  assertClose(found.gradQueries, expected.gradQueries, tol, `gradient, ${what}`);
}

// [B, G, V, D]: two rows, odd numbers of everything, more keys than lanes, whole vec4s, three global views.
for (
  const shape of [[2, 1, 2, 2], [3, 2, 3, 7], [5, 3, 4, 3], [17, 2, 5, 33], [70, 1, 2, 5], [
    8,
    2,
    6,
    64,
  ], [64, 2, 6, 64]]
) {
  gpuTest(`infoNce() equals f64, with its gradient, at [B, G, V, D] = [${shape}]`, async (gpu) => {
    const c = infoNceCase(shape);
    await eachLanes(gpu, async (what) => {
      const found = await runInfoNce(gpu, c);
      assertReport(found, c, what);
    });
    const [{ gradQueries }] = [infoNceReference(c)];
    const objective = (queries: Float64Array) => [infoNceReference({ ...c, queries }).loss];
    if (shape[0] < 64) {
      assertGradient(gradQueries, objective, [c.queries], 0, [1], 1e-6, "differences");
    }
  });
}
