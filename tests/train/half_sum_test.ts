/** Sums over ranks in halves: what they lose they make up for. */
import assert from "node:assert/strict";
import { HalfSum } from "../../lib/train/ranks/half_sum.ts";
import { commsOf } from "../support/comms.ts";
import { normals } from "../support/numbers.ts";

/** Adds up for some steps what `valuesOf` gives; what each rank has then. */
async function run(
  size: number,
  length: number,
  steps: number,
  valuesOf: (rank: number, step: number) => Float32Array,
) {
  const sums = commsOf(size).map((comm) => new HalfSum(comm, length));
  const all = [];
  for (let step = 0; step < steps; step++) {
    const values = sums.map((_, rank) => valuesOf(rank, step).slice());
    const sent = await Promise.all(sums.map((sum, rank) => sum.add(values[rank])));
    all.push({ values, sent });
  }
  return all;
}

for (const [size, length] of [[1, 7], [2, 101], [3, 64], [4, 5]]) {
  Deno.test(`${length} numbers of ${size} ranks: the same bits everywhere, near the sum`, async () => {
    const valuesOf = (rank: number) => normals(length, 5 + rank);
    const [{ values, sent }] = await run(size, length, 1, valuesOf);
    for (const own of values) assert.deepEqual(own, values[0]);
    values[0].forEach((value, i) => {
      const terms = values.map((_, rank) => valuesOf(rank)[i]);
      const sum = terms.reduce((a, b) => a + b, 0);
      // Half an ulp of 11 bits for each term, and for the sum; values reach 4.
      assert(Math.abs(value - sum) <= (size + 1) * 4 * 2 ** -11, `${value} for ${sum}`);
    });
    // Two bytes for each number, to all and back, and scales.
    const each = 2 * Math.ceil(length / size / 2) * 2 + 4;
    assert.deepEqual(sent, values.map(() => each * (size + 1)));
  });
}

Deno.test("what rounding takes is made up for: the error does not grow with steps", async () => {
  const steps = 200, third = 1 / 3, length = 3;
  const all = await run(2, length, steps, () => new Float32Array(length).fill(third));
  const total = all.reduce((sum, { values }) => sum + values[0][1], 0);
  const once = Math.abs(all[0].values[0][1] - 2 * third);
  assert(once > 1e-5, "a half cannot hold a third");
  assert(Math.abs(total - steps * 2 * third) < 4 * once, `${total} for ${steps * 2 * third}`);
});

Deno.test("numbers of any size arrive; what is not finite arrives and is not owed", async () => {
  for (const factor of [1e-36, 1e-12, 1, 1e12, 1e36]) {
    const of = (rank: number) => Float32Array.of(factor, factor * (1 + rank), 0);
    const [{ values: [own] }] = await run(2, 3, 1, of);
    own.forEach((value, i) => {
      const sum = of(0)[i] + of(1)[i];
      assert(Math.abs(value - sum) <= Math.abs(sum) * 2 ** -9, `${value} for ${sum}`);
    });
  }
  const bad = (rank: number, step: number) =>
    Float32Array.of(1, step === 0 && rank === 1 ? NaN : 2, step === 0 && rank === 0 ? Infinity : 3);
  const [first, second] = await run(2, 3, 2, bad);
  assert(Number.isNaN(first.values[0][1]) && !Number.isFinite(first.values[0][2]));
  assert.deepEqual([...second.values[1]].map(Math.round), [2, 4, 6]);
});
