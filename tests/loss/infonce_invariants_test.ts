/**
 * What must hold of InfoNCE whatever the rows: of the f64 reference, which needs nothing but Deno, and of the
 * kernels, where there is an adapter. Each law is also shown to fail for a loss that breaks it.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { infoNceReference } from "../../lib/loss.ts";
import { gpuTest } from "../support/gpu.ts";
import {
  type InfoNceCase,
  infoNceCase,
  type InfoNceReport,
  runInfoNce,
  unitRows,
} from "../support/infonce.ts";
import { assertClose, matmulF64, normals } from "../support/numbers.ts";

type Loss = (c: InfoNceCase) => InfoNceReport | Promise<InfoNceReport>;

/** A law: rejects when `loss` breaks it for the case. `eps` is what rounding may do, relatively. */
type Law = (loss: Loss, c: InfoNceCase, eps: number) => Promise<void>;

type Rows = ArrayLike<number>;

/** The case with rows [views · B, D] changed, those of queries and of keys alike. */
const changed = (c: InfoNceCase, change: (rows: Rows) => Rows): InfoNceCase => ({
  ...c,
  queries: change(c.queries),
  ...c.keys ? { keys: change(c.keys) } : {},
});

/** Rows under another order of views and samples. */
const reordered = (
  { batch, dim }: InfoNceCase,
  sample: (b: number) => number,
  view: (v: number) => number = (v) => v,
) =>
(rows: Rows): Rows =>
  Float64Array.from(rows, (_, i) => {
    const row = Math.floor(i / dim);
    return rows[(view(Math.floor(row / batch)) * batch + sample(row % batch)) * dim + i % dim];
  });

/** Compares what does not depend on the order of the rows, and gradients. */
function assertSame(found: InfoNceReport, expected: InfoNceReport, grad: Rows, eps: number): void {
  assertClose([1 + found.loss], [1 + expected.loss], eps, "loss");
  assertClose([found.accuracy], [expected.accuracy], 1e-6, "accuracy");
  assertClose([1, ...Array.from(found.gradQueries)], [1, ...Array.from(grad)], eps, "gradient");
}

/** An orthogonal matrix [D, D]: the product of two reflections. */
function rotation(dim: number): Float64Array {
  const reflection = (seed: number) => {
    const u = normals(dim, seed), squares = u.reduce((sum, x) => sum + x * x, 0);
    return Float64Array.from({ length: dim * dim }, (_, i) => {
      return +(i % (dim + 1) === 0) - 2 * u[Math.floor(i / dim)] * u[i % dim] / squares;
    });
  };
  return matmulF64(reflection(3), reflection(4), [dim, dim, dim]);
}

const scaleOf = ({ temperature: t }: InfoNceCase) =>
  typeof t === "number" ? 1 / t : Math.exp(t.logScale);

const LAWS: Record<string, Law> = {
  "0 ≤ loss ≤ ln B + 2/τ, accuracy within 0 … 1": async (loss, c, eps) => {
    const r = await loss(c);
    const most = Math.log(c.batch) + 2 * scaleOf(c);
    assert.ok(r.loss >= 0 && r.loss <= most * (1 + eps), `loss ${r.loss}`);
    assert.ok(r.accuracy >= 0 && r.accuracy <= 1 + eps, `accuracy ${r.accuracy}`);
    if (c.batch === 1) assert.ok(r.loss === 0 && r.accuracy === 1, "one sample has no negative");
  },
  "ln B, at chance, where all rows are identical": async (loss, c, eps) => {
    const r = await loss(changed(c, (rows) => Array.from(rows, (_, i) => rows[i % c.dim])));
    assertClose([1 + r.loss], [1 + Math.log(c.batch)], eps);
    assertClose([r.accuracy], [1 / c.batch], eps);
  },
  "the order of the samples does not matter": async (loss, c, eps) => {
    const turn = reordered(c, (b) => (b + 1) % c.batch);
    const before = await loss(c);
    assertSame(await loss(changed(c, turn)), before, turn(before.gradQueries), eps);
  },
  "the order of the global views does not matter": async (loss, c, eps) => {
    const swap = reordered(c, (b) => b, (v) => v < c.globals ? c.globals - 1 - v : v);
    const before = await loss(c);
    assertSame(await loss(changed(c, swap)), before, swap(before.gradQueries), eps);
  },
  "a rotation of all rows changes nothing, and turns the gradient": async (loss, c, eps) => {
    const r = rotation(c.dim);
    const turn = (rows: Rows) => matmulF64(rows, r, [rows.length / c.dim, c.dim, c.dim]);
    const before = await loss(c);
    assertSame(await loss(changed(c, turn)), before, turn(before.gradQueries), eps);
  },
  "lower with positives that are nearer, 0 at best": async (loss, c, eps) => {
    // Samples along axes of their own, and all their views more and more alike.
    const wide = { ...c, dim: c.batch, temperature: 0.1 };
    const at = async (noise: number) => {
      const rows = (n: number) => {
        const own = normals(n * c.batch * c.batch, 5);
        return unitRows(
          own.map((x, i) => +(i % (c.batch * c.batch) % (c.batch + 1) === 0) + noise * x),
          c.batch,
        );
      };
      return (await loss({
        ...wide,
        queries: rows(c.views),
        ...c.keys ? { keys: rows(c.globals) } : {},
      })).loss;
    };
    const [far, near, best] = [await at(1), await at(0.1), await at(0)];
    assertClose([1 + best], [1 + Math.log1p((c.batch - 1) * Math.exp(-10))], eps);
    if (c.batch > 1) assert.ok(best < near && near < far, `${best}, ${near}, ${far}`);
  },
  "similarities over τ: rows √2 as long are half the temperature": async (loss, c, eps) => {
    const longer = changed(c, (rows) => Array.from(rows, (x) => Math.SQRT2 * x));
    const [a, b] = [
      await loss({ ...longer, temperature: 0.4 }),
      await loss({ ...c, temperature: 0.2 }),
    ];
    assertSame(a, b, Array.from(b.gradQueries, (g) => g / Math.SQRT2), eps);
  },
  "a learned temperature is that temperature, and its gradient the slope": async (loss, c, eps) => {
    const at = (logScale: number) => loss({ ...c, temperature: { logScale } });
    const [fixed, learned] = [await loss({ ...c, temperature: 0.25 }), await at(Math.log(4))];
    assertSame(learned, fixed, fixed.gradQueries, eps);
    const slope = (infoNceReference({ ...c, temperature: { logScale: Math.log(4) + 1e-5 } }).loss -
      infoNceReference({ ...c, temperature: { logScale: Math.log(4) - 1e-5 } }).loss) / 2e-5;
    assertClose([1 + learned.gradLogScale], [1 + slope], eps + 1e-8);
  },
  "G (V − 1) pairs count, none of a view with itself": async (loss, c, eps) => {
    const { pairLoss, loss: value } = await loss(c);
    assert.equal(pairLoss.length, c.globals * c.views);
    const pairs = Array.from(pairLoss);
    pairs.forEach((pair, i) => {
      const own = Math.floor(i / c.views) === i % c.views;
      assert.ok(own || c.batch === 1 ? pair === 0 : pair > 0, `pair ${i} is ${pair}`);
    });
    const sum = pairs.reduce((a, b) => a + b);
    assertClose([1 + sum / (c.globals * (c.views - 1))], [1 + value], eps);
  },
  "where both sides learn, the gradient turns not all rows alike": async (loss, c, eps) => {
    // That would change no loss: so Σ g zᵀ is symmetric.
    if (c.keys) return;
    const { gradQueries } = await loss(c);
    const n = c.queries.length / c.dim;
    const m = matmulF64(gradQueries, c.queries, [c.dim, n, c.dim], true, false);
    for (let i = 0; i < c.dim; i++) {
      for (let j = 0; j < i; j++) {
        const [a, b] = [m[i * c.dim + j], m[j * c.dim + i]];
        assert.ok(Math.abs(a - b) <= eps * scaleOf(c), `${a} and ${b}`);
      }
    }
  },
  "a teacher's keys get no gradient: where they are zeros, no row has one": async (
    loss,
    c,
    eps,
  ) => {
    if (!c.keys) return;
    const { gradQueries } = await loss({ ...c, keys: new Float64Array(c.keys.length) });
    assert.ok(
      Array.from(gradQueries).every((g) => Math.abs(g) <= eps),
      "keys of zeros pull nothing",
    );
  },
};

const shapes = fc.record({
  batch: fc.integer({ min: 1, max: 6 }),
  globals: fc.integer({ min: 1, max: 3 }),
  locals: fc.integer({ min: 0, max: 3 }),
  dim: fc.integer({ min: 2, max: 12 }),
  seed: fc.integer({ min: 1, max: 1e6 }),
  keys: fc.boolean(),
  temperature: fc.constantFrom(0.05, 0.1, 0.5),
});

async function holds(law: Law, loss: Loss, eps: number, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(shapes, async ({ batch, globals, locals, dim, ...options }) => {
      const views = Math.max(2, globals + locals);
      await law(loss, infoNceCase([batch, globals, views, dim], options), eps);
    }),
    { numRuns, seed: 7 },
  );
}

for (const [name, law] of Object.entries(LAWS)) {
  Deno.test(`f64 reference of InfoNCE: ${name}`, () => holds(law, infoNceReference, 1e-7, 40));
  gpuTest(`infoNce(): ${name}`, (gpu) => holds(law, (c) => runInfoNce(gpu, c), 5e-5, 6));
}

/** The reference with one thing wrong. */
function broken(change: (c: InfoNceCase, r: InfoNceReport) => Partial<InfoNceReport>): Loss {
  return (c) => {
    const report = infoNceReference(c);
    return { ...report, ...change(c, report) };
  };
}

const sumOf = (rows: Rows) => Array.from(rows).reduce((a, b) => a + b);
const MISTAKES: [string, Loss, string[]][] = [
  [
    "a loss that looks at one sample",
    broken((c, r) => ({ loss: r.loss + Math.abs(c.queries[0]) })),
    [
      "the order of the samples does not matter",
      "a rotation of all rows changes nothing, and turns the gradient",
    ],
  ],
  [
    "a loss that looks at one axis",
    broken((c, r) => ({ loss: r.loss + Math.abs(sumOf(c.queries)) })),
    [
      "a rotation of all rows changes nothing, and turns the gradient",
    ],
  ],
  [
    "pairs of a view with itself",
    broken((_, r) => ({ pairLoss: Array.from(r.pairLoss, (p) => p + 1e-3) })),
    [
      "G (V − 1) pairs count, none of a view with itself",
    ],
  ],
  ["MoCo v3's factor 2τ", broken((c, r) => ({ loss: 2 / scaleOf(c) * r.loss })), [
    "ln B, at chance, where all rows are identical",
    "similarities over τ: rows √2 as long are half the temperature",
  ]],
  ["a sum in place of the mean", broken((c, r) => ({ loss: c.batch * r.loss })), [
    "ln B, at chance, where all rows are identical",
  ]],
  [
    "a gradient of queries alone",
    broken((c, r) => {
      const { gradQueries } = infoNceReference({ ...c, keys: c.keys ?? c.queries });
      return c.keys ? r : { gradQueries };
    }),
    ["where both sides learn, the gradient turns not all rows alike"],
  ],
  [
    "a gradient that reaches a teacher's keys",
    broken((c, r) => ({
      gradQueries: Array.from(r.gradQueries, (g, i) => g + 0.01 * c.queries[i]),
    })),
    ["a teacher's keys get no gradient: where they are zeros, no row has one"],
  ],
  [
    "a slope of τ instead of ln(1/τ)",
    broken((c, r) => ({ gradLogScale: r.gradLogScale * scaleOf(c) })),
    [
      "a learned temperature is that temperature, and its gradient the slope",
    ],
  ],
  ["the farthest positive as the best", broken((c, r) => ({ loss: 2 * scaleOf(c) - r.loss })), [
    "lower with positives that are nearer, 0 at best",
    "0 ≤ loss ≤ ln B + 2/τ, accuracy within 0 … 1",
  ]],
  ["a fixed order of global views", broken((_, r) => ({ loss: r.loss + r.pairLoss[1] })), [
    "the order of the global views does not matter",
  ]],
];

for (const [what, loss, laws] of MISTAKES) {
  Deno.test(`the laws of InfoNCE catch ${what}`, async () => {
    for (const law of laws) await assert.rejects(holds(LAWS[law], loss, 5e-5, 40), `${law} holds`);
  });
}
