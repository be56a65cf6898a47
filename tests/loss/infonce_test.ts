import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { HatchlingError } from "../../lib/errors.ts";
import { type Gpu, openGpu, record } from "../../lib/gpu.ts";
import {
  clampLogScale,
  infoNce,
  type InfoNceInput,
  infoNceLoss,
  type InfoNceOptions,
  infoNceReference,
} from "../../lib/loss.ts";
import { readCase, readManifest } from "../../scripts/common/golden/case.ts";
import { compare, passes } from "../../scripts/common/golden/compare.ts";
import { RUNNERS } from "../../scripts/common/golden/runners.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import {
  type InfoNceCase,
  infoNceCase,
  type InfoNceReport,
  runInfoNce,
  unitRows,
} from "../support/infonce.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes } from "../support/ops.ts";

const LN_100 = Math.log(100);

function scaleOf({ temperature: t }: InfoNceCase): number {
  return typeof t === "number" ? 1 / t : Math.exp(Math.min(t.logScale, LN_100));
}

/** Compares all that a loss says: similarities are rounded, then multiplied by 1/τ. */
function assertReport(found: InfoNceReport, c: InfoNceCase, what: string): void {
  const expected = infoNceReference(c);
  const eps = 3e-6 + 3e-7 * scaleOf(c);
  const near = (x: number, y: number, name: string) =>
    assert.ok(Math.abs(x - y) <= eps * (1 + Math.abs(y)), `${name}, ${what}: ${x}, not ${y}`);
  near(found.loss, expected.loss, "loss");
  found.pairLoss = Array.from(found.pairLoss);
  expected.pairLoss.forEach((x, i) => near(found.pairLoss[i], x, `pair ${i}`));
  assertClose([found.accuracy], [expected.accuracy], 1e-6, `accuracy, ${what}`);
  assertClose(found.gradQueries, expected.gradQueries, eps, `gradient, ${what}`);
  if (found.gradLogScale === undefined) return;
  near(found.gradLogScale, expected.gradLogScale, "gradient of ln(1/τ)");
}

// [B, G, V, D]: two samples, odd numbers of everything, three global views, two views only, more keys than lanes,
// whole vec4s, what a recipe has.
const SHAPES = [[2, 1, 2, 2], [3, 2, 3, 7], [5, 3, 4, 3], [4, 2, 2, 9], [17, 2, 5, 33], [
  70,
  1,
  3,
  5,
]]
  .concat([[8, 2, 6, 64], [64, 2, 6, 64]]);
for (const shape of SHAPES) {
  gpuTest(`infoNce() equals f64, with its gradient, at [B, G, V, D] = [${shape}]`, async (gpu) => {
    const both = infoNceCase(shape, { temperature: { logScale: Math.log(1 / 0.2) } });
    const cases = [["own keys", both], [
      "a teacher's",
      infoNceCase(shape, { keys: true }),
    ]] as const;
    await eachLanes(gpu, async (lanes) => {
      for (const [name, c] of cases) {
        assertReport(await runInfoNce(gpu, c), c, `${name}, ${lanes}`);
      }
    });
    if (shape[0] === 64) return; // differences of the reference take as many of its runs as there are numbers
    for (const [name, c] of cases) {
      const objective = (queries: Float64Array) => [infoNceReference({ ...c, queries }).loss];
      const { gradQueries } = await runInfoNce(gpu, c);
      assertGradient(gradQueries, objective, [c.queries], 0, [1], 5e-6, `differences, ${name}`);
    }
  });
}

Deno.test("infoNceReference() has the gradients of its differences", () => {
  for (const [keys, logScale] of [[false, 1], [true, 2.5], [false, 4.5], [true, 5]] as const) {
    const c = infoNceCase([4, 2, 4, 5], { keys, temperature: { logScale } });
    const { gradQueries, gradLogScale } = infoNceReference(c);
    const byQueries = (queries: Float64Array) => [infoNceReference({ ...c, queries }).loss];
    assertGradient(gradQueries, byQueries, [c.queries], 0, [1], 1e-6, `queries at ${logScale}`);
    const byScale = (
      [x]: Float64Array,
    ) => [infoNceReference({ ...c, temperature: { logScale: x } }).loss];
    assertGradient([gradLogScale], byScale, [[logScale]], 0, [1], 1e-6, `scale at ${logScale}`);
    assert.equal(gradLogScale === 0, logScale > LN_100);
  }
});

gpuTest("infoNce() equals PyTorch", async (gpu) => {
  const folder = fileURLToPath(new URL("../golden/golden_public", import.meta.url));
  const rows = (await readManifest(folder)).filter(({ kind }) => kind === "infonce");
  assert.equal(rows.length, 12);
  for (const row of rows) {
    const testCase = await readCase(folder, row);
    const checks = compare(testCase, await RUNNERS.infonce(gpu, testCase));
    assert.ok(checks.length >= 4, "hardly anything was compared");
    const failed = checks.filter((check) => !passes(check));
    assert.deepEqual(failed.map(({ what, detail }) => `${row.name}, ${what}: ${detail}`), []);
  }
}, ["read"]);

gpuTest("infoNce() stays exact at τ 0.01, with positives from sure to hopeless", async (gpu) => {
  for (const noise of [0.01, 0.3, 1, 100]) {
    for (const batch of [7, 12]) {
      const c = infoNceCase([batch, 2, 3, 16], { noise, temperature: 0.01 });
      await eachLanes(
        gpu,
        async (what) => assertReport(await runInfoNce(gpu, c), c, `${noise}, ${what}`),
      );
    }
  }
});

gpuTest("infoNce() keeps small losses: what is left of the positive is not lost", async (gpu) => {
  // At right angles and τ 0.05: 1 − p is 2e-9 per other key, far below what 1 and p tell apart.
  const queries = [0, 1, 2, 3, 0, 1, 2, 3].flatMap((b) => [0, 1, 2, 3].map((d) => +(b === d)));
  const c: InfoNceCase = { queries, dim: 4, batch: 4, views: 2, globals: 2, temperature: 0.05 };
  const expected = infoNceReference(c);
  const found = await runInfoNce(gpu, c);
  const loss = Math.log1p(3 * Math.exp(-20));
  assertClose([found.loss, expected.loss], [loss, loss], 1e-5);
  assertClose(found.gradQueries, expected.gradQueries, 1e-5);
  assert.equal(found.accuracy, 1);
});

gpuTest("infoNce() of identical rows is ln B; of equals, the first is nearest", async (gpu) => {
  const row = unitRows(normals(20, 3), 20);
  for (const batch of [2, 5, 64, 130]) {
    const queries = Float32Array.from({ length: 3 * batch * 20 }, (_, i) => row[i % 20]);
    const c: InfoNceCase = { queries, dim: 20, batch, views: 3, globals: 2, temperature: 0.01 };
    await eachLanes(gpu, async (what) => {
      const found = await runInfoNce(gpu, c);
      assertClose([found.loss], [Math.log(batch)], 1e-6, what);
      assertClose([found.accuracy], [1 / batch], 1e-6, what);
      // The rows' gradients have one direction; those of queries and keys of a batch cancel.
      assertClose(
        [1, ...Array.from(found.gradQueries)],
        [1, ...infoNceReference(c).gradQueries],
        1e-4,
        what,
      );
    });
  }
});

gpuTest("infoNce() with rows of zeros, and with rows twice", async (gpu) => {
  const c = infoNceCase([6, 2, 4, 12]);
  const queries = Float32Array.from(c.queries);
  queries.fill(0, 0, 24); // samples 0 and 1 of view 0
  queries.copyWithin(12 * 8, 12 * 9, 12 * 10); // samples 2 and 3 of view 1 are one
  for (const temperature of [0.01, 0.1]) {
    for (const rows of [queries, new Float32Array(queries.length)]) {
      const given = { ...c, queries: rows, temperature };
      await eachLanes(gpu, async (what) => assertReport(await runInfoNce(gpu, given), given, what));
    }
  }
});

gpuTest("infoNce() of a batch of one sample is 0, without a gradient", async (gpu) => {
  for (const keys of [false, true]) {
    const c = infoNceCase([1, 2, 5, 6], { keys, temperature: { logScale: 3 } });
    const { loss, accuracy, gradQueries, gradLogScale } = await runInfoNce(gpu, c);
    assert.ok(loss === 0 && gradLogScale === 0 && accuracy === 1, `${loss}, ${accuracy}`);
    assert.ok(gradQueries.length === 30 && Array.from(gradQueries).every((g) => g === 0));
  }
});

gpuTest("infoNce() is the same in chunks of queries", async (gpu) => {
  for (const keys of [false, true]) {
    const c = infoNceCase([50, 2, 5, 12], { keys, temperature: { logScale: 2.5 } });
    const whole = await runInfoNce(gpu, c);
    for (const chunkRows of [64, 128, 256]) {
      const parts = await runInfoNce(gpu, c, { chunkRows });
      assert.deepEqual({ ...parts, gradQueries: 0 }, { ...whole, gradQueries: 0 });
      assertClose(parts.gradQueries, whole.gradQueries, 1e-6, `${chunkRows} rows`);
      if (keys) assert.deepEqual(parts.gradQueries, whole.gradQueries);
    }
    assert.deepEqual(await runInfoNce(gpu, c, { chunkRows: 6400 }), whole);
  }
});

gpuTest("infoNce() chooses chunks that take 16 MiB at most for large batches", async (gpu) => {
  const [batch, views, dim] = [2100, 2, 4]; // 4,200 × 4,200 similarities take 67 MiB
  const queries = gpu.persistent([views * batch, dim]);
  const before = gpu.memory.liveBytes;
  const program = await record(gpu, () => infoNce(gpu, queries, { views }));
  const bytes = gpu.memory.liveBytes - before;
  assert.ok(bytes > 15 * 2 ** 20 && bytes <= 18 * 2 ** 20, `${bytes} bytes`);
  program.destroy();
  queries.destroy();
});

gpuTest("infoNce() adds up over micro-batches to the mean of what each says", async (gpu) => {
  const cases = [1, 20, 40].map((seed) =>
    infoNceCase([6, 2, 3, 8], { seed, temperature: { logScale: 2 } })
  );
  const alone = await Promise.all(cases.map((c) => infoNceReference(c)));
  const mean = (pick: (r: typeof alone[0]) => number) =>
    alone.reduce((sum, r) => sum + pick(r), 0) / 3;
  const data = gpu.tensor(Float32Array.of(2)), grad = gpu.persistent([1]);
  // As a trainer holds them: parts of one tensor.
  const sums = gpu.persistent([192]);
  const out = {
    loss: sums.view([1]),
    accuracy: sums.view([1], 64),
    pairLoss: sums.view([2, 3], 128),
  };
  const logScale = { data, grad, filled: false };
  for (const [i, { queries }] of cases.entries()) {
    const gradQueries = gpu.scope(() => {
      const rows = gpu.tensor(Float32Array.from(queries), [18, 8]);
      const options = { views: 3, temperature: { logScale }, weight: 0.5, accumulationSteps: 3 };
      return infoNce(gpu, rows, { ...options, out, accumulate: true }).gradQueries;
    });
    const share = alone[i].gradQueries.map((g) => g * 0.5 / 3);
    assertClose(await gradQueries.read(), share, 3e-6, `gradient of ${i}`);
    gradQueries.destroy();
  }
  const [[loss], [accuracy], pairs, [slope]] = await gpu.read([
    out.loss,
    out.accuracy,
    out.pairLoss,
    grad,
  ]);
  assertClose([loss, accuracy], [mean((r) => r.loss), mean((r) => r.accuracy)], 1e-5);
  assertClose(pairs, Array.from(pairs, (_, i) => mean((r) => r.pairLoss[i])), 1e-5);
  assertClose([slope], [0.5 * mean((r) => r.gradLogScale)], 1e-4);
  for (const t of [data, grad, sums]) t.destroy();
});

gpuTest("infoNce() weighs gradients, not the loss", async (gpu) => {
  const c = infoNceCase([5, 2, 3, 8], { temperature: { logScale: 2 } });
  const one = await runInfoNce(gpu, c);
  const half = await runInfoNce(gpu, c, { weight: 0.5 });
  const gradQueries = Float32Array.from(one.gradQueries, (g) => g / 2);
  assert.deepEqual(half, { ...one, gradQueries, gradLogScale: one.gradLogScale / 2 });
  const none = await runInfoNce(gpu, c, { weight: 0 });
  assert.ok(none.loss === one.loss && Array.from(none.gradQueries).every((g) => Math.abs(g) === 0));
});

gpuTest(
  "infoNce() counts a temperature below 0.01 as that, and clampLogScale() brings it back",
  async (gpu) => {
    const at = (logScale: number) => infoNceCase([5, 2, 3, 8], { temperature: { logScale } });
    const [edge, beyond] = [await runInfoNce(gpu, at(LN_100)), await runInfoNce(gpu, at(7))];
    assert.ok(Math.abs(edge.gradLogScale) > 1e-3, "at the edge, it has its gradient");
    assert.deepEqual(beyond, { ...edge, gradLogScale: 0 });
    assertReport(edge, at(LN_100), "at the edge");
    for (const [given, kept] of [[7, LN_100], [LN_100, LN_100], [-2, -2], [NaN, NaN]]) {
      const logScale = gpu.tensor(Float32Array.of(given));
      clampLogScale(gpu, logScale);
      assert.deepEqual([...await logScale.read()], [Math.fround(kept)]);
      logScale.destroy();
    }
    // So flat that all is chance.
    const flat = await runInfoNce(gpu, at(-200));
    assertClose([flat.loss], [Math.log(5)], 1e-6);
  },
);

gpuTest("infoNce() is not finite where a row or the temperature is not", async (gpu) => {
  const c = infoNceCase([4, 2, 3, 5]);
  for (const value of [NaN, Infinity, -Infinity]) {
    await eachLanes(gpu, async (what) => {
      for (const row of [0, 6, 11]) {
        const queries = Float32Array.from(c.queries, (v, i) => i === row * 5 + 2 ? value : v);
        const { loss } = await lossOf(gpu, { ...c, queries });
        assert.ok(!Number.isFinite(loss), `${value} in row ${row} gave ${loss}, ${what}`);
      }
      const { loss } = await lossOf(gpu, { ...c, temperature: { logScale: value } });
      assert.ok(!Number.isFinite(loss), `ln(1/τ) ${value} gave ${loss}, ${what}`);
    });
  }
});

/** As runInfoNce, once: NaN equals nothing. */
async function lossOf(gpu: Gpu, c: InfoNceCase): Promise<{ loss: number }> {
  const { views, globals, temperature: t } = c;
  const loss = gpu.scope(() => {
    const data = gpu.tensor(Float32Array.of(typeof t === "number" ? 0 : t.logScale));
    const queries = gpu.tensor(Float32Array.from(c.queries), [views * c.batch, c.dim]);
    const temperature = typeof t === "number" ? t : { logScale: { data } };
    return infoNce(gpu, queries, { views, globals, temperature }).loss;
  });
  const [value] = await loss.read();
  loss.destroy();
  return { loss: value };
}

gpuTest("infoNce() gives the same bits recorded, on a view, run after run", async (gpu) => {
  const c = infoNceCase([8, 2, 4, 16], { temperature: { logScale: 2 } });
  const expected = await runInfoNce(gpu, c);
  const all = gpu.tensor(normals(64 * 16, 9), [64, 16]);
  const view = all.view([32, 16], 16 * 16);
  view.write(Float32Array.from(c.queries));
  const logScale = { data: gpu.tensor(Float32Array.of(2)), grad: gpu.persistent([1]) };
  const program = await record(
    gpu,
    () => infoNce(gpu, view, { views: 4, temperature: { logScale } }),
  );
  for (let step = 0; step < 2; step++) {
    program.run();
    const { loss, accuracy, pairLoss, gradQueries } = program.outputs;
    const [[l], [a], pairs, q, [slope]] = await gpu.read([
      loss,
      accuracy,
      pairLoss,
      gradQueries,
      logScale.grad,
    ]);
    assert.deepEqual(
      { loss: l, accuracy: a, pairLoss: pairs, gradQueries: q, gradLogScale: slope },
      expected,
    );
  }
  for (const t of [program, all, logScale.data, logScale.grad]) t.destroy();
});

gpuTest("infoNceLoss() says of arrays what infoNce() says of tensors", async (gpu) => {
  for (const keys of [false, true]) {
    for (const temperature of [0.2, { logScale: 1.5 }]) {
      const c = infoNceCase([5, 2, 3, 8], { keys, temperature });
      const input = {
        ...c,
        queries: Float32Array.from(c.queries),
        keys: c.keys && Float32Array.from(c.keys),
      };
      const { batch: _, ...arrays } = input;
      const found = await infoNceLoss({ ...arrays, gpu });
      const { gradLogScale, ...expected } = await runInfoNce(gpu, c);
      assert.deepEqual(
        found,
        gradLogScale === undefined ? expected : { ...expected, gradLogScale },
      );
    }
  }
});

const throws = (call: () => unknown, pattern: RegExp) =>
  assert.throws(call, (error: Error) => {
    assert.ok(error instanceof HatchlingError, `${error.stack}`);
    assert.match(error.message, pattern);
    return true;
  });

gpuTest("infoNce() says which option or shape does not fit", async (gpu) => {
  const queries = gpu.persistent([12, 4], "queries"), one = gpu.persistent([1], "one");
  const wrong: [object, RegExp][] = [
    [{ views: 5 }, /queries \[5·B, D\].* but found queries\[12, 4\]: rows are view-major/],
    [{ views: 1 }, /views to be whole and at least 2.* found 1/],
    [{ views: 2, globals: 3 }, /views to be whole and at least 3.* found 2/],
    [{ views: 2.5 }, /views to be whole .* found 2\.5/],
    [{}, /views to be whole .* found undefined/],
    [{ globals: 0 }, /globals to be whole and at least 1 but found 0/],
    [{ globals: NaN }, /globals to be whole .* found NaN/],
    [{ temperature: 0 }, /temperature to be a number above 0.* found 0/],
    [{ temperature: -1 }, /temperature .* found -1/],
    [{ temperature: NaN }, /temperature .* found NaN/],
    [{ temperature: Infinity }, /temperature .* found Infinity/],
    [{ temperature: 1e-40 }, /temperature .* found 1e-40/],
    [{ temperature: null }, /temperature .* found null/],
    [{ temperature: "0.1" }, /temperature .* found 0\.1/],
    [{ temperature: {} }, /temperature\.logScale\.data to be a tensor \[1\] but found undefined/],
    [{ temperature: { logScale: { data: queries } } }, /logScale\.data .* found queries\[12, 4\]/],
    [
      { temperature: { logScale: { data: one, grad: queries } } },
      /logScale\.grad .* found queries/,
    ],
    [{ weight: -1 }, /finite weight of at least 0 but found -1/],
    [{ weight: NaN }, /finite weight .* found NaN/],
    [{ weight: Infinity }, /finite weight .* found Infinity/],
    [{ accumulationSteps: 0 }, /accumulationSteps to be whole .* found 0/],
    [{ accumulationSteps: 1.5 }, /accumulationSteps .* found 1\.5/],
    [{ chunkRows: 0 }, /chunkRows to be a multiple of 64 but found 0/],
    [{ chunkRows: 100 }, /chunkRows .* found 100/],
    [{ keys: one }, /keys to be a tensor \[G·B, 4\] but found one\[1\]/],
    [{ keys: queries }, /keys \[2·B, D\] with 8 rows.* found queries\[12, 4\]/],
    [{ keys: new Float32Array(32) }, /keys to be a tensor .* found Float32Array of 32/],
    [{ accumulate: true }, /out with accumulate but found undefined/],
    [
      { out: { loss: one, accuracy: one, pairLoss: one } },
      /out\.pairLoss to be a tensor of 6 elements/,
    ],
    [{ out: { loss: one } }, /out\.accuracy to be a tensor of 1 elements but found undefined/],
    [{ temp: 0.1 }, /settings among views, .* but found temp/],
  ];
  for (const [options, pattern] of wrong) {
    const given = "views" in options || !Object.keys(options).length
      ? options
      : { views: 3, ...options };
    throws(() => infoNce(gpu, queries, given as InfoNceOptions), pattern);
  }
  throws(() => infoNce(gpu, queries, undefined as never), /settings among/);
  throws(() => infoNce(gpu, queries.view([48]), { views: 2 }), /queries to be a tensor \[V·B, D\]/);
  throws(
    () => infoNce(gpu, [1, 2] as never, { views: 2 }),
    /queries to be a tensor .* found Array of 2/,
  );
  throws(() => clampLogScale(gpu, queries), /logScale to be a tensor \[1\] but found queries/);
  const other = await openGpu();
  try {
    const theirs = other.persistent([8, 4], "theirs");
    throws(() => infoNce(gpu, theirs, { views: 2 }), /queries on the GPU that is given/);
    throws(
      () => infoNce(gpu, queries, { views: 3, keys: theirs }),
      /keys on the GPU that is given/,
    );
  } finally {
    other.destroy();
  }
  for (const t of [queries, one]) t.destroy();
});

Deno.test("infoNceLoss() says what does not fit, before there is a GPU", async () => {
  const good: InfoNceInput = { queries: new Float32Array(24), dim: 4, views: 3 };
  const wrong: [object, RegExp][] = [
    [{ dim: 0 }, /dim to be whole and at least 1 but found 0/],
    [{ dim: 5 }, /queries \[3·B, D\].* found Float32Array of 24/],
    [{ views: 4 }, /queries \[4·B, D\]/],
    [{ views: undefined }, /views to be whole .* found undefined/],
    [{ queries: [1, 2] }, /queries to be a Float32Array but found Array of 2/],
    [{ queries: new Float32Array() }, /queries \[3·B, D\].* found Float32Array of 0/],
    [{ keys: new Float32Array(8) }, /keys \[2·B, D\] with 4 rows/],
    [{ keys: 7 }, /keys to be a Float32Array but found 7/],
    [{ queries: new Float32Array(24).fill(NaN, 21) }, /infoNce: .*queries .* \(view 2, sample 1\)/],
    [
      { keys: new Float32Array(16).fill(Infinity, 3) },
      /finite numbers in keys .* \(view 0, sample 0\)/,
    ],
    [{ temperature: 0 }, /temperature to be a number above 0/],
    [
      { temperature: { logScale: NaN } },
      /temperature\.logScale to be a finite number but found NaN/,
    ],
    [{ temperature: {} }, /temperature\.logScale .* found undefined/],
    [{ globals: 4 }, /views to be whole and at least 4/],
    [{ outDim: 4 }, /settings among queries, .* but found outDim/],
  ];
  for (const [change, pattern] of wrong) {
    await assert.rejects(infoNceLoss({ ...good, ...change } as InfoNceInput), (error: Error) => {
      assert.ok(error instanceof HatchlingError, `${error.stack}`);
      assert.match(error.message, pattern);
      return true;
    });
  }
  await assert.rejects(infoNceLoss(undefined as never), /settings among/);
});
