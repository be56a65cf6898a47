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
        const best = new TopK(1, k, [excluded]), turned = new TopK(1, k, [excluded]);
        for (const [from, to] of [[0, cut], [cut, values.length]]) {
          const part = Float32Array.from(values.slice(from, to)), columns = part.length;
          best.push(part, 1, { row: 0, column: from, columns });
          turned.pushTransposed(part, columns, { row: from, column: 0, columns: 1 });
        }
        const { indices, similarity } = best.finish();
        const sorted = candidates.sort((a, b) => b.value - a.value || a.index - b.index)
          .slice(0, k);
        assert.deepEqual([...indices], sorted.map(({ index }) => index));
        assert.deepEqual([...similarity], sorted.map(({ value }) => value));
        assert.deepEqual(turned.finish(), { rows: 1, k, indices, similarity });
      },
    ),
    { numRuns: 500, seed: 2 },
  );
});

Deno.test("TopK keeps rows apart, skips what lies between them, and refuses NaN", () => {
  const place = { row: 0, column: 0, columns: 3, stride: 4 };
  const values = Float32Array.of(4, 3, 2, 99, 1, 9, 5, NaN);
  const best = new TopK(2, 2, [0, -1]), turned = new TopK(3, 1);
  best.push(values, 2, place);
  assert.deepEqual([...best.finish().indices], [1, 2, 1, 2]);
  turned.pushTransposed(values, 2, place);
  assert.deepEqual([...turned.finish().similarity], [4, 9, 5]);
  const columns = 3;
  for (const values of [[NaN, 1, 2], [1, 2, NaN]]) {
    const line = Float32Array.from(values);
    assert.throws(
      () => new TopK(1, 1).push(line, 1, { row: 0, column: 0, columns }),
      /NaN for query 0/,
    );
    assert.throws(
      () => new TopK(1, 1).pushTransposed(line, 3, { row: 0, column: 0, columns: 1 }),
      /NaN for query 0/,
    );
  }
});
