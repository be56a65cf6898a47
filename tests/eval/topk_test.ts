import assert from "node:assert/strict";
import fc from "fast-check";
import { TopK } from "../../lib/eval/topk.ts";

Deno.test("TopK gives what sorting gives, ties by index, in whatever pieces values come", () => {
  const small = fc.integer({ min: -3, max: 3 }); // few values: many ties
  fc.assert(
    fc.property(
      fc.array(small, { minLength: 2, maxLength: 60 }),
      fc.nat(),
      fc.nat(),
      fc.integer({ min: -1, max: 60 }),
      (values, kSeed, cutSeed, excluded) => {
        const candidates = values.map((value, index) => ({ value, index }))
          .filter(({ index }) => index !== excluded);
        const k = 1 + kSeed % candidates.length, cut = cutSeed % (values.length + 1);
        const best = new TopK(1, k);
        best.push(0, Float32Array.from(values.slice(0, cut)), 0, excluded);
        best.push(0, Float32Array.from(values.slice(cut)), cut, excluded);
        const { indices, similarity } = best.finish();
        const sorted = candidates.sort((a, b) => b.value - a.value || a.index - b.index)
          .slice(0, k);
        assert.deepEqual([...indices], sorted.map(({ index }) => index));
        assert.deepEqual([...similarity], sorted.map(({ value }) => value));
      },
    ),
    { numRuns: 500, seed: 2 },
  );
});

Deno.test("TopK keeps rows apart and refuses NaN", () => {
  const best = new TopK(2, 2);
  best.push(1, new Float32Array([1, 9, 5]), 0, -1);
  best.push(0, new Float32Array([4, 3, 2]), 0, 0);
  assert.deepEqual([...best.finish().indices], [1, 2, 1, 2]);
  for (const values of [[NaN, 1, 2], [1, 2, NaN]]) {
    assert.throws(
      () => new TopK(1, 1).push(0, Float32Array.from(values), 0, -1),
      /NaN for query 0/,
    );
  }
});
