import assert from "node:assert/strict";
import fc from "fast-check";
import { type Gpu, openGpu, record, type Tensor } from "../../lib/gpu.ts";
import {
  gram,
  gramLoss,
  type GramOptions,
  gramReference,
  type GramReferenceInput,
} from "../../lib/loss.ts";
import { assertGradient } from "../support/gradients.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertClose, normals } from "../support/numbers.ts";
import { eachLanes, values } from "../support/ops.ts";

/** Random tokens of both networks. */
function gramCase([n, tokens, dim]: readonly number[], seed = 1, prefix = 1) {
  const size = n * tokens * dim;
  return { n, tokens, dim, prefix, student: normals(size, seed), anchor: normals(size, seed + 1) };
}

type GramCase = GramReferenceInput & { n: number };

/** Loss and gradient, twice the same bits. */
async function run(gpu: Gpu, c: GramCase, options: GramOptions = {}) {
  const shape = [c.n, c.tokens, c.dim];
  const [[loss], grad] = await values(gpu, () => {
    const [x, y] = [c.student, c.anchor].map((v) => gpu.tensor(Float32Array.from(v), shape));
    const out = gram(gpu, x, y, { prefix: c.prefix, weight: c.weight, ...options });
    assert.deepEqual([out.loss.shape, out.gradTokens.shape], [[1], shape]);
    return [out.loss, out.gradTokens];
  });
  return { loss, grad };
}

// [n, T, D]: one patch; odd numbers; whole blocks and vec4s; more patches than lanes; more columns than lanes.
for (const shape of [[1, 2, 1], [3, 4, 5], [2, 9, 8], [2, 71, 6], [1, 6, 131], [5, 17, 64]]) {
  gpuTest(`gram() equals f64, with its gradient, at [n, T, D] = [${shape}]`, async (gpu) => {
    for (const prefix of shape[1] > 9 ? [1] : [0, 1, 2].filter((p) => p < shape[1])) {
      const c = { ...gramCase(shape, 1, prefix), weight: 0.3 };
      const expected = gramReference(c);
      // One dimension knows signs alone, and one patch no other: rounding is all there is to their gradients.
      const floor = shape[2] === 1 || shape[1] - prefix === 1 ? 0.01 : 0;
      await eachLanes(gpu, async (lanes) => {
        for (const chunkRows of [undefined, 4, 8]) {
          const what = `${prefix} before, ${lanes}, chunks of ${chunkRows}`;
          const { loss, grad } = await run(gpu, c, { chunkRows });
          assert.ok(Math.abs(loss - expected.loss) <= 1e-6, `${loss}, ${expected.loss}, ${what}`);
          assertClose([floor, ...grad], [floor, ...expected.gradTokens], 1e-5, what);
        }
      });
      const objective = (student: Float64Array) => [0.3 * gramReference({ ...c, student }).loss];
      if (floor) continue;
      const { grad } = await run(gpu, c);
      assertGradient(grad, objective, [c.student], 0, [1], 1e-5);
    }
  });
}

Deno.test("the Gram reference: its gradient is that of differences, and its loss the mean of squares", () => {
  for (const prefix of [0, 2]) {
    const c = { ...gramCase([2, 6, 4], 5, prefix), weight: 2 };
    const { loss, gradTokens } = gramReference(c);
    const objective = (student: Float64Array) => [2 * gramReference({ ...c, student }).loss];
    assertGradient(gradTokens, objective, [c.student], 0, [1], 1e-8);
    const swapped = gramReference({ ...c, student: c.anchor, anchor: c.student });
    assertClose([swapped.loss], [loss], 1e-12);
    assert.equal(gramReference({ ...c, anchor: c.student }).loss, 0);
    const none = gramReference({ ...c, weight: 0 });
    assert.ok(none.loss === loss && none.gradTokens.every((g) => Math.abs(g) === 0));
    for (let i = 0; i < gradTokens.length; i++) {
      if (Math.floor(i / 4) % 6 < prefix) {
        assert.equal(gradTokens[i], 0, "a token that is no patch");
      }
    }
  }
});

gpuTest("gramLoss() takes arrays, and checks them", async (gpu) => {
  const { student, anchor } = gramCase([2, 5, 4]);
  const shape = { tokens: 5, dim: 4 };
  const found = await gramLoss({ student, anchor, ...shape, weight: 0.5, gpu });
  const expected = gramReference({ student, anchor, ...shape, weight: 0.5 });
  assertClose([found.loss], [expected.loss], 2e-6);
  assertClose(found.gradTokens, expected.gradTokens, 1e-5);
  const wrong: [Partial<Parameters<typeof gramLoss>[0]>, RegExp][] = [
    [
      { anchor: anchor.subarray(1) },
      /\[n, 5, 4\].* found Float32Array of 40 and Float32Array of 39/,
    ],
    [{ tokens: 3 }, /\[n, 3, 4\]/],
    [
      { student: student.map((v, i) => i === 22 ? NaN : v) },
      /gram: .* student but found NaN in row 5, column 2/,
    ],
    [{ prefix: 9 }, /prefix .* found 9/],
  ];
  for (const [settings, pattern] of wrong) {
    await assert.rejects(gramLoss({ student, anchor, ...shape, gpu, ...settings }), pattern);
  }
});

gpuTest("gram() is 0, without a gradient, where all similarities are equal", async (gpu) => {
  const c = gramCase([2, 7, 12]);
  // A rotation of the channels (here their order) and other lengths change no similarity.
  const turned = c.student.map((_, i) => (1 + i % 3) * c.student[i - i % 12 + (i + 5) % 12]);
  const lengths = turned.map((v, i) => v * (1 + Math.floor(i / 12)) / (1 + i % 3));
  for (const anchor of [c.student, lengths]) {
    const { loss, grad } = await run(gpu, { ...c, anchor });
    assert.ok(loss < 1e-12 && grad.every((g) => Math.abs(g) < 1e-6), `${loss}`);
  }
});

gpuTest(
  "gram() of opposite similarities is the largest there is: 2 apart off the diagonal",
  async (gpu) => {
    const student = Float32Array.of(3, 0, -1, 0), anchor = Float32Array.of(0, 2, 0, 5);
    const { loss } = await run(gpu, { n: 1, tokens: 2, dim: 2, prefix: 0, student, anchor });
    assert.equal(loss, 2); // (0 + 4 + 4 + 0) / 4
  },
);

gpuTest("gram() equals f64 with tokens of zeros and of extreme lengths", async (gpu) => {
  const lengths = [1, 1e30, 0, 1e4, 1e-6, 1e-20, 1];
  const dim = 9,
    stretch = (x: Float32Array) => x.map((v, i) => v * lengths[Math.floor(i / dim) % 7]);
  const plain = gramCase([2, 7, dim], 3, 0);
  const c = { ...plain, student: stretch(plain.student), anchor: stretch(plain.anchor) };
  const expected = gramReference(c);
  await eachLanes(gpu, async (what) => {
    const { loss, grad } = await run(gpu, c);
    assertClose([loss], [expected.loss], 2e-6, what);
    for (let row = 0; row < 14; row++) {
      const part = [row * dim, (row + 1) * dim] as const;
      assertClose(
        grad.subarray(...part),
        expected.gradTokens.subarray(...part),
        1e-5,
        `${what}, ${row}`,
      );
    }
  });
});

gpuTest(
  "gram() is not finite where a patch is not, and does not look at other tokens",
  async (gpu) => {
    const c = gramCase([2, 5, 6]);
    const clean = await run(gpu, c);
    for (const value of [NaN, Infinity]) {
      for (const [token, finite] of [[0, true], [5, true], [3, false], [9, false]] as const) {
        const odd = c.student.map((v, i) => i === token * 6 + 2 ? value : v);
        const { loss } = await run(gpu, { ...c, student: odd });
        assert.equal(Number.isFinite(loss), finite, `${value} in token ${token} gave ${loss}`);
        if (finite) assert.equal(loss, clean.loss);
      }
    }
  },
);

gpuTest("gram() holds its symmetries for any tokens", async (gpu) => {
  const cases = fc.record({
    n: fc.integer({ min: 1, max: 3 }),
    tokens: fc.integer({ min: 3, max: 20 }),
    dim: fc.integer({ min: 2, max: 40 }),
    seed: fc.integer({ min: 1, max: 1e6 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ n, tokens, dim, seed }) => {
      const c = gramCase([n, tokens, dim], seed);
      const found = await run(gpu, c);
      assert.ok(found.loss >= 0 && found.loss <= 4);
      // Lengths do not count: powers of two change no bit but those of the gradient.
      const scaled = await run(gpu, { ...c, student: c.student.map((v) => 4 * v) });
      assert.deepEqual(scaled, { loss: found.loss, grad: found.grad.map((g) => g / 4) });
      // Images do not meet, and the loss is their mean.
      let sum = 0;
      for (let i = 0; i < n; i++) {
        const part = [i * tokens * dim, (i + 1) * tokens * dim] as const;
        const [student, anchor] = [c.student.subarray(...part), c.anchor.subarray(...part)];
        const alone = await run(gpu, { ...c, n: 1, student, anchor });
        assertClose(alone.grad.map((g) => g / n), found.grad.subarray(...part), 1e-5);
        sum += alone.loss / n;
      }
      assert.ok(Math.abs(sum - found.loss) <= 1e-6);
      // A small step against the gradient brings both closer together.
      const peak = Math.max(...found.grad.map(Math.abs));
      const step = 1e-3 / peak;
      const student = c.student.map((v, i) => v - step * found.grad[i]);
      assert.ok((await run(gpu, { ...c, student })).loss < found.loss || found.loss < 1e-9);
      // No token gains by growing.
      for (let r = 0; r < n * tokens; r++) {
        let along = 0;
        for (let i = r * dim; i < (r + 1) * dim; i++) along += c.student[i] * found.grad[i];
        assert.ok(Math.abs(along) <= 1e-5 * dim * (1 + peak));
      }
    }),
    { numRuns: 10, seed: 7 },
  );
});

gpuTest(
  "gram() in micro-batches is that of the whole batch, and replays in a program",
  async (gpu) => {
    const c = gramCase([4, 6, 8]);
    const whole = await run(gpu, { ...c, weight: 3 });
    const loss = gpu.persistent([1]);
    const size = 2 * 6 * 8;
    const parts = [0, 1].map((m) =>
      [c.student, c.anchor].map((x) => gpu.tensor(x.subarray(m * size, (m + 1) * size), [2, 6, 8]))
    );
    const program = await record(gpu, () => {
      const options = { weight: 3, accumulationSteps: 2, out: loss, accumulate: true };
      return parts.map(([x, y]) => gram(gpu, x, y, options).gradTokens) as [Tensor, Tensor];
    });
    for (let step = 0; step < 2; step++) {
      loss.write(new Float32Array(1));
      program.run();
      const [[l], a, b] = await gpu.read([loss, ...program.outputs]);
      assertClose([l], [whole.loss], 1e-6);
      assertClose([...a, ...b], whole.grad, 1e-5);
    }
    for (const t of [program, loss, ...parts.flat()]) t.destroy();
  },
);

gpuTest(
  "gram() of many patches needs no more memory than its chunk and a few times the tokens",
  async () => {
    const gpu = await openGpu({ limits: "portable" });
    const c = gramCase([3, 1601, 4]);
    const [x, y] = [c.student, c.anchor].map((v) => gpu.tensor(v, [3, 1601, 4]));
    const before = gpu.memory.liveBytes;
    const { loss } = gpu.scope(() => gram(gpu, x, y));
    const peak = gpu.memory.peakBytes - before;
    assert.ok(
      peak < 2 ** 24 + 8 * x.bytes,
      `${peak} bytes, where all similarities take ${4 * 3 * 1600 ** 2}`,
    );
    assert.ok((await loss.read())[0] > 0);
    gpu.destroy();
  },
);

gpuTest("gram() says which option or shape does not fit", (gpu) => {
  gpu.scope(() => {
    const [x, y] = [gpu.empty([2, 5, 4], "x"), gpu.empty([2, 4, 4], "y")];
    const wrong: [() => unknown, RegExp][] = [
      [() => gram(gpu, x, y), /expected an anchor like x\[2, 5, 4\] but found y\[2, 4, 4\]/],
      [() => gram(gpu, x.view([10, 4]), x), /expected tokens \[n, T, D\].* found x\[10, 4\]/],
      [
        () => gram(gpu, x, x, { prefix: 5 }),
        /prefix .* below the 5 tokens of an image but found 5/,
      ],
      [() => gram(gpu, x, x, { prefix: -1 }), /prefix .* found -1/],
      [() => gram(gpu, x, x, { weight: NaN }), /finite weight of at least 0 but found NaN/],
      [() => gram(gpu, x, x, { accumulationSteps: 0 }), /accumulationSteps .* found 0/],
      [
        () => gram(gpu, x, x, { accumulate: true }),
        /expected out with accumulate but found undefined/,
      ],
      [() => gram(gpu, x, x, { out: y }), /expected out \[1\] but found y\[2, 4, 4\]/],
      [() => gram(gpu, x, x, { chunkRows: 6 }), /chunkRows to be a multiple of 4 but found 6/],
      [() => gram(gpu, x, x, { wieght: 1 } as GramOptions), /options among .* but found wieght/],
    ];
    for (const [call, pattern] of wrong) assert.throws(call, pattern);
  });
});
